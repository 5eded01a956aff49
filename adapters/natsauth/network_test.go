package natsauth_test

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/oidcauth/oidcauth/internal/ports"
)

// A wire is the way from one NATS server to another, as a proxy of the test's: it
// can be cut, slowed down, and made to swallow what passes in a direction, which
// nobody is told. What it swallowed arrives when it is healed, as with TCP.
type wire struct {
	listener net.Listener
	target   string

	mu    sync.Mutex // guards what follows
	cut   bool
	there traffic // from who dials
	back  traffic
	conns map[net.Conn]struct{}
}

// Traffic is what passes in one direction.
type traffic struct {
	held  chan struct{} // nil: it passes; else closed when it does again
	delay time.Duration // of each piece
}

func newWire(t testing.TB, target string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	go w.run()
	t.Cleanup(func() {
		w.heal()
		w.change(func() { w.cut = true })
		l.Close()
	})
	return w
}

func (w *wire) run() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.serve(near)
	}
}

func (w *wire) serve(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !w.admit(near, far) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.copy(far, near, &w.there) })
	wg.Go(func() { w.copy(near, far, &w.back) })
	wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, near)
	delete(w.conns, far)
}

// admit notes a connection, unless the wire is cut.
func (w *wire) admit(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	for _, c := range conns {
		w.conns[c] = struct{}{}
	}
	return true
}

// copy passes on what comes in one direction, until either end is closed.
func (w *wire) copy(to, from net.Conn, way *traffic) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		held, delay := way.held, way.delay
		w.mu.Unlock()
		time.Sleep(delay)
		for held != nil {
			<-held
			w.mu.Lock()
			held = way.held
			w.mu.Unlock()
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// change changes the wire. One that is cut loses its connections.
func (w *wire) change(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	if w.cut {
		for c := range w.conns {
			c.Close()
		}
	}
}

func (w *wire) heal() {
	w.change(func() {
		w.cut = false
		w.there.heal()
		w.back.heal()
	})
}

// hold swallows what passes from now on. The wire's mu must be held.
func (y *traffic) hold() {
	if y.held == nil {
		y.held = make(chan struct{})
	}
}

func (y *traffic) heal() {
	if y.held != nil {
		close(y.held)
	}
	*y = traffic{}
}

// A cluster is three NATS servers that reach each other by wires alone.
type cluster struct {
	t       testing.TB
	members [3]*natsServer
	wires   [3][3]*wire // from the first to the second; nil to itself
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var routes [3]*ports.Port
	for i := range routes {
		routes[i] = ports.ReserveFor(t)
	}
	for i := range c.members {
		n := newNATS(t)
		n.options.ServerName = fmt.Sprintf("nats-%d", i)
		n.options.Cluster = server.ClusterOpts{
			Name: "cluster", Host: "127.0.0.1", Port: routes[i].Number, PoolSize: -1,
			// Servers tell each other of the others: nobody is at this address.
			Advertise: "127.0.0.1:1", NoAdvertise: true,
		}
		for j := range c.members {
			if j != i {
				c.wires[i][j] = newWire(t, routes[j].Address())
				n.options.Routes = append(n.options.Routes, &url.URL{Scheme: "nats", Host: c.wires[i][j].listener.Addr().String()})
			}
		}
		c.members[i] = n
	}
	for _, n := range c.members {
		n.start()
	}
	return c
}

// hold swallows what one member sends to another.
func (c *cluster) hold(from, to int) {
	c.wires[from][to].change(func() { c.wires[from][to].there.hold() })
	c.wires[to][from].change(func() { c.wires[to][from].back.hold() })
}

// slow delays what one member sends to another.
func (c *cluster) slow(from, to int, delay time.Duration) {
	c.wires[from][to].change(func() { c.wires[from][to].there.delay = delay })
	c.wires[to][from].change(func() { c.wires[to][from].back.delay = delay })
}

// cut ends the connections between two members and lets no other through.
func (c *cluster) cut(a, b int) {
	c.wires[a][b].change(func() { c.wires[a][b].cut = true })
	c.wires[b][a].change(func() { c.wires[b][a].cut = true })
}

func (c *cluster) heal() {
	for _, row := range c.wires {
		for _, w := range row {
			if w != nil {
				w.heal()
			}
		}
	}
}

// isolate swallows all that passes between a member and the others.
func (c *cluster) isolate(member int) {
	for other := range c.members {
		if other != member {
			c.hold(member, other)
			c.hold(other, member)
		}
	}
}

// leader returns which member leads a stream, as soon as one does.
func (c *cluster) leader(stream string) int {
	c.t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		for i, n := range c.members {
			if n.running != nil && n.running.JetStreamIsStreamLeader("$G", stream) {
				return i
			}
		}
	}
	c.t.Fatalf("nobody leads stream %q", stream)
	return -1
}
