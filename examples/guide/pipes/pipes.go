// Package pipes has a server listen in memory, for tests inside testing/synctest.
package pipes

import (
	"context"
	"net"
	"net/http"
)

// A Listener hands over connections that synctest sees wait.
type Listener struct {
	net.Listener // nil: of its methods those below alone are called
	conns        chan net.Conn
	closed       context.Context
	close        context.CancelFunc
}

// Listen serves a handler until the server is closed, and returns a client for it: any
// host of an http:// or ws:// address is that server.
func Listen(handler http.Handler) (*http.Server, *http.Client) {
	l := &Listener{conns: make(chan net.Conn)}
	l.closed, l.close = context.WithCancel(context.Background())
	server := &http.Server{Handler: handler}
	go server.Serve(l)
	return server, &http.Client{Transport: &http.Transport{DialContext: l.dial}}
}

// Accept returns the server's end of the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more.
func (l *Listener) Close() error { l.close(); return nil }

func (l *Listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
