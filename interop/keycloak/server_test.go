package keycloak_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"time"

	"github.com/oidcauth/oidcauth/internal/ports"
	"github.com/oidcauth/oidcauth/interop/internal/server"
)

const startLimit = 4 * time.Minute

// keycloak is a server that keeps its data in a directory of the test.
type keycloak struct {
	url    string
	port   *ports.Port
	tls    *ports.Port // for connections with certificates
	ca     authority
	home   string
	dir    string
	secret string // of the bootstrap administrator, a service

	process *server.Server
}

// newServer reserves ports, until this process ends, for a server that keeps its data
// in dir. It does not start it.
func newServer(home, dir string) (*keycloak, error) {
	port, err := ports.Reserve()
	if err != nil {
		return nil, err
	}
	tls, err := ports.Reserve()
	if err != nil {
		return nil, err
	}
	ca, err := newAuthority(dir)
	return &keycloak{url: "http://" + port.Address(), port: port, tls: tls, ca: ca, home: home, dir: dir, secret: rand.Text()}, err
}

// start starts the server and waits until it answers.
func (s *keycloak) start(ctx context.Context) (err error) {
	s.process, err = server.Start(ctx, server.Command{
		Name: "Keycloak", Dir: s.dir, Ready: s.url + "/realms/master",
		Args: []string{filepath.Join(s.home, "bin", "kc.sh"), "start", "--optimized",
			"--https-port=" + s.tls.String(), "--https-certificate-file=" + s.ca.file("server.crt"), "--https-certificate-key-file=" + s.ca.file("server.key"),
			"--truststore-paths=" + s.ca.file("ca.crt"),
			"--http-enabled=true", "--http-host=127.0.0.1", "--http-port=" + s.port.String(), "--hostname=" + s.url,
			"--db-url=jdbc:h2:file:" + filepath.Join(s.dir, "data") + ";NON_KEYWORDS=VALUE"},
		Env: []string{
			"KC_BOOTSTRAP_ADMIN_CLIENT_ID=" + adminClient, "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET=" + s.secret,
			"JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1 -Xmx768m"},
	})
	return err
}

// stop ends the server and keeps its data. Stopping twice is fine.
func (s *keycloak) stop() error {
	if s.process == nil {
		return nil
	}
	return s.process.Stop()
}
