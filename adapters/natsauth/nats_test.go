package natsauth_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/internal/ports"
)

// patience is how long a test waits for what must happen. It decides nothing but
// how long a test that fails takes.
const patience = time.Minute

// longPatience is for what many followers do at once, each by reading all there is.
const longPatience = 3 * patience

// A natsServer is a NATS server in this process that can be stopped and started
// again at the same address with what it stored.
type natsServer struct {
	t       testing.TB
	options server.Options
	running *server.Server
}

// newNATS returns a server that is not running yet, at an address that is the test's
// also while it is stopped.
func newNATS(t testing.TB) *natsServer {
	t.Helper()
	n := &natsServer{t: t, options: server.Options{
		Host: "127.0.0.1", Port: ports.ReserveFor(t).Number, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}}
	t.Cleanup(n.stop)
	return n
}

func startNATS(t testing.TB) *natsServer {
	t.Helper()
	n := newNATS(t)
	n.start()
	return n
}

func (n *natsServer) start() {
	n.t.Helper()
	options := n.options
	s, err := server.NewServer(&options)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		n.t.Fatal("the NATS server does not start")
	}
	n.running = s
}

func (n *natsServer) stop() {
	if n.running != nil {
		n.running.Shutdown()
		n.running.WaitForShutdown()
		n.running = nil
	}
}

func (n *natsServer) url() string {
	return "nats://" + net.JoinHostPort(n.options.Host, strconv.Itoa(n.options.Port))
}

// connect returns the JetStream context of a connection of its own.
func (n *natsServer) connect(options ...nats.Option) jetstream.JetStream {
	n.t.Helper()
	options = append([]nats.Option{
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // else it writes to standard error
	}, options...)
	conn, err := nats.Connect(n.url(), options...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		n.t.Fatal(err)
	}
	return js
}

// newLog makes a log on a connection of its own, which gives a busy machine time
// unless the test says how much.
func newLog(t testing.TB, n *natsServer, cfg natsauth.Config, options ...nats.Option) *natsauth.Log {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = patience / 4
	}
	cfg.JetStream = n.connect(options...)
	l, err := natsauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A gate is the network between one client and NATS. It is a [nats.CustomDialer].
type gate struct {
	mu      sync.Mutex // guards what follows
	closed  bool
	silence chan struct{} // not nil: nothing passes until it is closed
	conns   []net.Conn
}

var errGateClosed = errors.New("the network is cut")

func (g *gate) Dial(network, address string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errGateClosed
	}
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	gated := &gatedConn{Conn: c, gate: g, closed: make(chan struct{})}
	g.conns = append(g.conns, gated)
	return gated, nil
}

// cut ends the connection and lets no other through.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, c := range g.conns {
		c.Close()
	}
	g.conns = nil
}

// mute lets nothing arrive any longer, and says so to nobody.
func (g *gate) mute() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silence == nil {
		g.silence = make(chan struct{})
	}
}

// unmute lets arrive what would have, and what comes.
func (g *gate) unmute() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silence != nil {
		close(g.silence)
		g.silence = nil
	}
}

// uncut lets connections through again.
func (g *gate) uncut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

func (g *gate) restore() {
	g.uncut()
	g.unmute()
}

// A gatedConn is one connection through a gate. In a silence its reads end as
// those of any connection do: by its deadline, or when it is closed.
type gatedConn struct {
	net.Conn
	gate   *gate
	once   sync.Once
	closed chan struct{}

	mu       sync.Mutex // guards deadline
	deadline time.Time
}

func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gate.mu.Lock()
	silence := c.gate.silence
	c.gate.mu.Unlock()
	if silence == nil {
		return n, err
	}
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-silence:
		return n, err
	case <-late:
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *gatedConn) SetDeadline(t time.Time) error {
	c.noteDeadline(t)
	return c.Conn.SetDeadline(t)
}

func (c *gatedConn) SetReadDeadline(t time.Time) error {
	c.noteDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *gatedConn) noteDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A reader follows a log and remembers what it is told.
type reader struct {
	t       testing.TB
	mu      sync.Mutex // guards what follows
	got     map[string]int
	current []bool
	told    time.Time     // when that changed last
	changed chan struct{} // closed and replaced at each change
	done    chan error
	hasAll  func(*reader) // called when it is told so, with mu held; may be nil
}

func follow(t testing.TB, l *natsauth.Log) *reader {
	t.Helper()
	return followWith(t, l, nil)
}

func followWith(t testing.TB, l *natsauth.Log, hasAll func(*reader)) *reader {
	t.Helper()
	r := &reader{t: t, hasAll: hasAll, got: map[string]int{}, changed: make(chan struct{}), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { r.done <- l.Follow(ctx, r.apply, r.caughtUp) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.done:
		case <-time.After(patience):
			t.Error("Follow() does not return")
		}
	})
	return r
}

func (r *reader) apply(v oidcauth.Revocation) {
	r.note(func() { r.got[v.TokenID]++ })
}

func (r *reader) caughtUp(current bool) {
	r.note(func() {
		if current && r.hasAll != nil {
			r.hasAll(r)
		}
		if n := len(r.current); n == 0 || r.current[n-1] != current {
			r.current, r.told = append(r.current, current), time.Now()
		}
	})
}

func (r *reader) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

// await waits until what is told of the reader is so.
func (r *reader) await(what string, so func(got map[string]int, current bool) bool) {
	r.t.Helper()
	limit := time.After(longPatience)
	for {
		r.mu.Lock()
		current := len(r.current) > 0 && r.current[len(r.current)-1]
		ok, changed := so(r.got, current), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("timed out waiting: %s; got %v, current %v", what, r.got, r.current)
		}
	}
}

func (r *reader) awaitCurrent(want bool) {
	r.t.Helper()
	r.await("to be current, or not", func(_ map[string]int, current bool) bool { return current == want && len(r.current) > 0 })
}

func (r *reader) awaitTokens(ids ...string) {
	r.t.Helper()
	r.await("for revocations", func(got map[string]int, _ bool) bool {
		for _, id := range ids {
			if got[id] == 0 {
				return false
			}
		}
		return true
	})
}

// appendTokens revokes tokens by their IDs and expects that each is new.
func appendTokens(t testing.TB, l *natsauth.Log, ids ...string) {
	t.Helper()
	for _, id := range ids {
		added, err := l.Append(t.Context(), revocation(id))
		if err != nil || !added {
			t.Fatalf("Append(%q) = %v, %v, want true", id, added, err)
		}
	}
}

// appendInVain tries to revoke a token where that cannot succeed. It need not
// wait for the log's own timeout to see that.
func appendInVain(t testing.TB, l *natsauth.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if added, err := l.Append(ctx, revocation("unsent")); added || err == nil {
		t.Errorf("Append() = %v, %v, want an error", added, err)
	}
}

// revocation is of one token, for the time of the tests.
func revocation(tokenID string) oidcauth.Revocation {
	return oidcauth.Revocation{TokenID: tokenID, Until: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
}
