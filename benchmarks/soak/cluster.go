package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
	"github.com/oidcauth/oidcauth/internal/ports"
)

// natsPackage is the program of the NATS server, of the version that adapters/natsauth
// is tested with.
const natsPackage = "github.com/nats-io/nats-server/v2"

// A member is one NATS server of the cluster.
type member struct {
	binary, config        string
	log                   *os.File
	client, route, health string // addresses
	running               *process.Process
}

// newCluster writes the configuration of three NATS servers.
func newCluster(binary, dir string) ([]*member, error) {
	at, err := addresses(3 * members)
	if err != nil {
		return nil, err
	}
	var cluster []*member
	var routes []string
	for n := range members {
		m := &member{
			binary: binary, config: filepath.Join(dir, fmt.Sprintf("nats-%d.conf", n+1)),
			client: at[3*n], route: at[3*n+1], health: at[3*n+2],
		}
		routes = append(routes, "nats://"+m.route)
		if m.log, err = os.Create(filepath.Join(dir, fmt.Sprintf("nats-%d.log", n+1))); err != nil {
			return nil, err
		}
		cluster = append(cluster, m)
	}
	for n, m := range cluster {
		text := fmt.Sprintf(`server_name: nats-%d
listen: "%s"
http: "%s"
jetstream { store_dir: %q }
cluster { name: soak, listen: "%s", routes: [%s] }
`, n+1, m.client, m.health, filepath.Join(dir, fmt.Sprintf("nats-%d", n+1)), m.route, strings.Join(routes, ", "))
		if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return cluster, nil
}

// start has the server run, with what it stored before.
func (m *member) start() error {
	cmd := exec.Command(m.binary, "-c", m.config)
	cmd.Stdout, cmd.Stderr = m.log, m.log
	var err error
	m.running, err = process.Run(cmd)
	return err
}

// kill gives the server no time to do anything.
func (m *member) kill() {
	m.running.Kill()
	m.running = nil
}

// await waits until the server has all that the others have.
func (m *member) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.health+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the NATS server at %s is not well after a minute", m.client)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// addresses reserves ports, as long as this process runs: servers stop and start there.
func addresses(count int) ([]string, error) {
	var reserved []string
	for range count {
		port, err := ports.Reserve()
		if err != nil {
			return nil, err
		}
		reserved = append(reserved, port.Address())
	}
	return reserved, nil
}
