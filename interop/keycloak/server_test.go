package keycloak_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"time"

	"github.com/oidcauth/oidcauth/interop/internal/server"
)

const startLimit = 4 * time.Minute

// keycloak is a server that keeps its data in a directory of the test.
type keycloak struct {
	url    string
	port   string
	tls    string // the port for connections with certificates
	ca     authority
	home   string
	dir    string
	secret string // of the bootstrap administrator, a service

	process *server.Server
}

// newServer chooses a port of the loopback interface for a server that keeps
// its data in dir. It does not start it.
func newServer(home, dir string) (*keycloak, error) {
	port, err := server.Port()
	if err != nil {
		return nil, err
	}
	s := &keycloak{url: "http://127.0.0.1:" + port, port: port, home: home, dir: dir, secret: rand.Text()}
	if s.tls, err = server.Port(); err != nil {
		return nil, err
	}
	s.ca, err = newAuthority(dir)
	return s, err
}

// start starts the server and waits until it answers.
func (s *keycloak) start(ctx context.Context) (err error) {
	s.process, err = server.Start(ctx, server.Command{
		Name: "Keycloak", Dir: s.dir, Ready: s.url + "/realms/master",
		Args: []string{filepath.Join(s.home, "bin", "kc.sh"), "start", "--optimized",
			"--https-port=" + s.tls, "--https-certificate-file=" + s.ca.file("server.crt"), "--https-certificate-key-file=" + s.ca.file("server.key"),
			"--truststore-paths=" + s.ca.file("ca.crt"),
			"--http-enabled=true", "--http-host=127.0.0.1", "--http-port=" + s.port, "--hostname=" + s.url,
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
