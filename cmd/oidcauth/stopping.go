package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A server that stops has stopLimit for it, as the help says. What is under way
// has stopGrace of that, everything at the same time: requests, and WebSockets
// whose clients have to answer that they are closed. The rest is for cutting off
// what remains, on a machine that may be busy.
const (
	stopLimit = 10 * time.Second
	stopGrace = 8 * time.Second
)

// A gate counts the requests under way, and lets none in after it was shut. The
// zero gate is open. It is safe for concurrent use, and takes no lock.
type gate struct {
	state atomic.Int64 // the requests under way, and shut
	once  sync.Once    // closes left
	left  chan struct{}
}

// shut is more than the requests that a machine can have under way.
const shut = 1 << 62

// enter reports whether a request may begin. Every call needs one of leave,
// whatever it reports.
func (g *gate) enter() bool { return g.state.Add(1) < shut }

func (g *gate) leave() {
	if g.state.Add(-1) == shut {
		g.once.Do(func() { close(g.left) })
	}
}

// close shuts the gate. The channel is closed when the last request has left. It
// may be called once.
func (g *gate) close() <-chan struct{} {
	g.left = make(chan struct{})
	g.state.Add(shut + 1)
	g.leave()
	return g.left
}

// untilStopped lets requests pass to next until the server stops. Those that come
// later, on a connection that was open before, are told to go elsewhere.
func (s *server) untilStopped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.gate.leave()
		if !s.gate.enter() {
			w.Header().Set("Connection", "close")
			s.auth.Refuse(w, r, oidcauth.ErrClosed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// stop accepts no more connections, refuses requests on those that are open, and
// finishes what is under way, up to the grace. The server is shut down only then:
// one that is shutting down answers nothing at all.
func (s *server) stop(srv *http.Server, ln net.Listener, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	left := s.gate.close()
	ln.Close()
	s.log.Info("shutting down", "limit", stopLimit)
	tellSystemd(s.log, "STOPPING=1")
	sockets := make(chan error, 1)
	go func() { sockets <- s.local.close(grace) }() // ends with the grace
	select {
	case <-left:
	case <-ctx.Done():
	}
	err := shutDown(ctx, srv, grace)
	return errors.Join(err, s.admin.stop(ctx, grace), <-sockets)
}

// shutDown waits for the answers under way until ctx ends, which has that limit,
// and then cuts off those that remain. That the listener is closed already is no
// error: the server may not have noticed yet.
func shutDown(ctx context.Context, srv *http.Server, limit time.Duration) error {
	err := srv.Shutdown(ctx)
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return errors.Join(fmt.Errorf("requests still under way after %s were cut off: %w", limit, err), srv.Close())
}
