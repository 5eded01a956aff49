#!/usr/bin/env bash
# A client may offer its WebSocket subprotocols in one header line or in several, which is
# the same (RFC 6455, section 11.3.4). Three of five servers for Go look at the first line
# alone: two open the connection without a subprotocol, as if none had been offered that they
# know, and one refuses it. In one line all of them find it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"

	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	gws "github.com/lxzan/gws"
	xnet "golang.org/x/net/websocket"
)

const known = "db.v1"

var names = []string{"coder", "gobwas", "gorilla", "gws", "x/net"}

func servers() map[string]http.Handler {
	upgrader := gorilla.Upgrader{Subprotocols: []string{known}}
	events := gws.NewUpgrader(gws.BuiltinEventHandler{}, &gws.ServerOption{SubProtocols: []string{known}})
	return map[string]http.Handler{
		"coder": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: []string{known}}); err == nil {
				c.CloseNow()
			}
		}),
		"gobwas": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			chosen := gobwas.HTTPUpgrader{Protocol: func(p string) bool { return p == known }}
			if c, _, _, err := chosen.Upgrade(r, w); err == nil {
				c.Close()
			}
		}),
		"gorilla": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := upgrader.Upgrade(w, r, nil); err == nil {
				c.Close()
			}
		}),
		"gws": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := events.Upgrade(w, r); err == nil {
				c.NetConn().Close()
			}
		}),
		"x/net": xnet.Server{
			Handshake: func(c *xnet.Config, _ *http.Request) error {
				c.Protocol = slices.DeleteFunc(c.Protocol, func(p string) bool { return p != known })
				return nil
			},
			Handler: func(*xnet.Conn) {},
		},
	}
}

// ask returns the status of a handshake with these lines, and the subprotocol chosen.
func ask(address string, lines []string) string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[1]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", address)
	fmt.Fprint(c, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	for _, line := range lines {
		fmt.Fprintf(c, "Sec-WebSocket-Protocol: %s\r\n", line)
	}
	fmt.Fprint(c, "\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		log.Fatal(err)
	}
	return fmt.Sprintf("%d %q", answer.StatusCode, answer.Header.Get("Sec-WebSocket-Protocol"))
}

func main() {
	for _, name := range names {
		server := httptest.NewServer(servers()[name])
		address := server.Listener.Addr().String()
		fmt.Printf("%s: one line %s, two lines %s\n", name,
			ask(address, []string{"other, " + known}), ask(address, []string{"other", known}))
	}
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
go mod init finding >/dev/null 2>&1
go get github.com/coder/websocket@v1.8.15 github.com/gobwas/ws@v1.5.0 github.com/gorilla/websocket@v1.5.3 \
	github.com/lxzan/gws@v1.8.9 golang.org/x/net@v0.62.0 >/dev/null 2>&1
go build -o asked . 2>/dev/null
got=$(./asked)
want='coder: one line 101 "db.v1", two lines 101 "db.v1"
gobwas: one line 101 "db.v1", two lines 101 "db.v1"
gorilla: one line 101 "db.v1", two lines 101 ""
gws: one line 101 "db.v1", two lines 400 ""
x/net: one line 101 "db.v1", two lines 101 ""'
echo "$got"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
