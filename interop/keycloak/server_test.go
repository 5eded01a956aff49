package keycloak_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	startLimit = 4 * time.Minute
	stopLimit  = time.Minute
)

// server is a Keycloak that keeps its data in a directory of the test.
type server struct {
	url    string
	port   string
	home   string
	dir    string
	secret string // of the bootstrap administrator, a service

	process *exec.Cmd
	leash   io.Closer // the process ends when it is closed
	ended   chan error
}

// newServer chooses a port of the loopback interface for a server that keeps
// its data in dir. It does not start it.
func newServer(home, dir string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return &server{url: "http://127.0.0.1:" + port, port: port, home: home, dir: dir, secret: rand.Text()}, nil
}

// freePort returns a port that nobody listens on, and that the system gives to
// nobody who asks for any port: the server takes seconds to start on it, and once
// more after an outage.
func freePort() (string, error) {
	var errs []error
	for range 100 {
		port := strconv.Itoa(20_000 + mathrand.N(10_000))
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			return port, listener.Close()
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// leashed runs its arguments as a program that ends with this script's input,
// so that no server outlives a test that was killed.
const leashed = `exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -TERM $program 2>/dev/null; } &
exec 3<&-
wait $program`

// start starts the server and waits until it answers.
func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command("sh", "-c", leashed, "sh",
		filepath.Join(s.home, "bin", "kc.sh"), "start", "--optimized",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port="+s.port, "--hostname="+s.url,
		"--db-url=jdbc:h2:file:"+filepath.Join(s.dir, "data")+";NON_KEYWORDS=VALUE")
	s.process.Env = append(os.Environ(),
		"KC_BOOTSTRAP_ADMIN_CLIENT_ID="+adminClient, "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET="+s.secret,
		"JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1 -Xmx768m")
	s.process.Stdout, s.process.Stderr = log, log
	if s.leash, err = s.process.StdinPipe(); err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.process.Wait() }()
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.stop(), s.lastLines())
	}
	return nil
}

// awaitReady polls until the server answers, ends, or is too late.
func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("keycloak did not answer within %v", startLimit))
	defer cancel()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/realms/master", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-poll.C:
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("keycloak ended before it answered: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stop ends the server and keeps its data. Stopping twice is fine.
func (s *server) stop() error {
	if s.process == nil {
		return nil
	}
	defer func() { s.process = nil }()
	s.leash.Close()
	select {
	case <-s.ended:
		// A server that was told to end says so in its exit code; nothing to report.
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("keycloak did not end within %v", stopLimit), s.process.Process.Kill())
	}
}

func (s *server) logFile() string { return filepath.Join(s.dir, "log") }

// lastLines returns the end of the server's log as an error.
func (s *server) lastLines() error {
	const most = 4000
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err
	}
	return fmt.Errorf("the end of keycloak's log:\n%s", text[max(0, len(text)-most):])
}
