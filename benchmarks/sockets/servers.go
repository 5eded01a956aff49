package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/oidcauth/oidcauth/identity"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
)

// A server can be started, and talked to.
type server struct {
	name  string
	start func(ctx context.Context, dir string, issuer *idp.Issuer) (p *process.Process, address string, err error)
	talk  protocol
}

// A protocol is what a client says to a server and how it reads what it is told.
type protocol struct {
	path         string
	subprotocols []string
	header       func(token string) http.Header
	enter        func(token string) []string // what to say, each when the one before was answered
	write        func(number int, text string) string
	author       string                          // what stands before the author of a message
	name         func(issuer, sub string) string // what the author is called
	ping, pong   string                          // what to answer how
}

// bearer is a token in a header.
func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// chat is examples/chat. Its tables are in a file.
func chat(dir string) (server, error) {
	binary, err := process.Build(dir, "github.com/oidcauth/oidcauth/examples/chat")
	start := func(ctx context.Context, dir string, issuer *idp.Issuer) (*process.Process, string, error) {
		cmd := exec.CommandContext(ctx, binary, "-listen", "127.0.0.1:0", "-data", filepath.Join(dir, "chat.db"),
			"-issuer", issuer.URL, "-client-id", idp.Audience)
		cmd.Stderr = new(bytes.Buffer) // a log that nobody reads
		return process.Start(cmd, "The chat is at ")
	}
	return server{"chat", start, protocol{
		path: "/socket", subprotocols: []string{"chat.v1"}, header: bearer,
		enter: func(string) []string { return []string{`{"id":1,"subscribe":["messages"]}`} },
		write: func(number int, text string) string {
			return fmt.Sprintf(`{"id":%d,"call":"send","args":{"text":%q}}`, number+2, text)
		},
		author: `"author":"`,
		name:   func(issuer, sub string) string { return identity.New(issuer, sub).String() },
	}}, err
}

const centrifugoModule = "github.com/centrifugal/centrifugo/v6@v6.9.1"

// newCentrifugo is Centrifugo with its engine in memory.
func (s settings) newCentrifugo(dir string) (server, error) {
	binary, err := s.centrifugo, error(nil)
	if binary == "" {
		binary, err = installCentrifugo(dir)
	}
	start := func(ctx context.Context, dir string, issuer *idp.Issuer) (*process.Process, string, error) {
		address, err := freeAddress()
		if err != nil {
			return nil, "", err
		}
		file := filepath.Join(dir, "centrifugo.json")
		if err := os.WriteFile(file, centrifugoConfig(issuer, address), 0o600); err != nil {
			return nil, "", err
		}
		cmd := exec.CommandContext(ctx, binary, "-c", file)
		cmd.Dir = dir
		p, err := process.StartAt(ctx, cmd, address)
		return p, "http://" + address, err
	}
	return server{"centrifugo", start, protocol{
		path: "/connection/websocket",
		enter: func(token string) []string {
			return []string{fmt.Sprintf(`{"id":1,"connect":{"token":%q}}`, token), `{"id":2,"subscribe":{"channel":"room"}}`}
		},
		write: func(number int, text string) string {
			return fmt.Sprintf(`{"id":%d,"publish":{"channel":"room","data":{"text":%q}}}`, number+3, text)
		},
		author: `"user":"`,
		name:   func(_, sub string) string { return sub },
		ping:   `{}`, pong: `{}`,
	}}, err
}

// centrifugoConfig has the settings of Centrifugo that are not its defaults. A pool
// of write buffers is what its documentation recommends for many clients.
func centrifugoConfig(issuer *idp.Issuer, address string) []byte {
	host, port, _ := net.SplitHostPort(address)
	config, err := json.Marshal(map[string]any{
		"http_server": map[string]any{"address": host, "port": port},
		"log":         map[string]any{"level": "error"},
		"websocket":   map[string]any{"use_write_buffer_pool": true},
		"client": map[string]any{"token": map[string]any{
			"jwks_public_endpoint": issuer.JWKSURL(), "audience": idp.Audience, "issuer": issuer.URL,
		}},
		"channel": map[string]any{"without_namespace": map[string]any{
			"allow_subscribe_for_client": true, "allow_publish_for_subscriber": true,
			"history_size": 1000, "history_ttl": "1h",
		}},
	})
	if err != nil {
		panic(err) // of maps and strings
	}
	return config
}

// installCentrifugo builds it as its authors publish it.
func installCentrifugo(dir string) (string, error) {
	fmt.Println("building", centrifugoModule, "takes minutes; -centrifugo names a program that is there")
	install := exec.Command("go", "install", centrifugoModule)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOWORK=off")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install: %w: %s", err, out)
	}
	return filepath.Join(dir, "centrifugo"), nil
}

// freeAddress returns an address that nobody listens at.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// A person is one of those who write: their token, and what servers call them.
type person struct {
	token       string
	issuer, sub string
}

// everybody returns people with a token each.
func everybody(issuer *idp.Issuer, count int) []person {
	people := make([]person, count)
	for n, token := range issuer.Tokens(idp.RS256, count) {
		people[n] = person{token, issuer.URL, subject(issuer, n)}
	}
	return people
}

func subject(issuer *idp.Issuer, n int) string {
	var claims struct{ Sub string }
	if err := json.Unmarshal([]byte(issuer.Payload(n)), &claims); err != nil {
		panic(err) // the issuer wrote it
	}
	return claims.Sub
}

// errLost says that a server did not do what it is there for.
var errLost = errors.New("messages: not each of them once, by its author, in one order for all")

// cut returns what stands between two texts.
func cut(s []byte, before, after string) (string, bool) {
	_, rest, found := bytes.Cut(s, []byte(before))
	if !found {
		return "", false
	}
	value, _, found := strings.Cut(string(rest[:min(len(rest), 200)]), after)
	return value, found
}
