package oidctest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

// Client returns an HTTP client that reaches the issuers, in memory, under
// the host of their URLs, and no other host. Both https and http reach them;
// [Fetches].PlainHTTP counts the requests by http. Issuers that share a host are
// told apart by the paths of their URLs.
//
// Each request has a connection of its own and leaves no goroutine behind once
// its body is closed; a body left open is a leak, which a testing/synctest
// bubble reports. Inside a bubble, a client that waits for the issuer is
// durably blocked.
func Client(issuers ...*Issuer) *http.Client {
	return &http.Client{Transport: &transport{issuers: slices.Clone(issuers)}}
}

// Client returns an HTTP client that reaches this issuer alone. See [Client].
func (i *Issuer) Client() *http.Client {
	return Client(i)
}

// transport is net/http at both ends of an in-memory connection, so that a
// client sees what it would see of a real server.
type transport struct {
	issuers []*Issuer
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	i := t.find(r.URL)
	if i == nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, dialError(&net.DNSError{Err: "no such issuer", Name: r.URL.Hostname(), IsNotFound: true})
	}
	admitted := i.admit(r, r.URL.Scheme != "https")
	dial := func(context.Context, string, string) (net.Conn, error) { return i.dial(admitted) }
	// A transport per request, because one that outlives a synctest bubble
	// must not carry the bubble's channels into the next.
	once := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       dial,
		DialTLSContext:    dial, // the transport takes it to have done TLS
	}
	return once.RoundTrip(r)
}

// find returns the issuer that answers for a URL: of those on the host, the
// one whose path goes furthest with the URL's.
func (t *transport) find(u *url.URL) *Issuer {
	var found *Issuer
	longest := -1
	for _, i := range t.issuers {
		own, err := url.Parse(i.base())
		if err != nil || hostPort(own) != hostPort(u) {
			continue
		}
		length := 0
		if u.Path == own.Path || strings.HasPrefix(u.Path, own.Path+"/") {
			length = 1 + len(own.Path)
		}
		if length > longest {
			found, longest = i, length
		}
	}
	return found
}

// hostPort names a host for comparison: http and https have one default port,
// so that a redirect from one to the other arrives.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "80" || port == "443" {
		port = ""
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// dial connects to the issuer. Its server runs in the caller's bubble and ends
// with the connection.
func (i *Issuer) dial(t *ticket) (net.Conn, error) {
	if t.fetch.Refused {
		return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	near, far := net.Pipe()
	reset := new(atomic.Bool)
	client := &clientConn{Conn: near, reset: reset}
	server := &serverConn{Conn: far, issuer: i, reset: reset, ticket: t}
	if !i.track(server) {
		return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	s := &http.Server{
		Handler:     i.Handler(),
		ErrorLog:    log.New(io.Discard, "", 0),
		Protocols:   new(http.Protocols),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	s.Protocols.SetHTTP1(true)
	go s.Serve(&oneConnListener{conn: server})
	return client, nil
}

// track keeps a connection for Close, unless the issuer is closed.
func (i *Issuer) track(c net.Conn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.conns[c] = struct{}{}
	return true
}

// connKey is the context key of a request's serverConn.
type connKey struct{}

// ticketOf returns the ticket of a request that came through memory, and
// admits one that came over a socket.
func (i *Issuer) ticketOf(r *http.Request) *ticket {
	if c, ok := r.Context().Value(connKey{}).(*serverConn); ok {
		return c.ticket
	}
	return i.admit(r, r.TLS == nil)
}

// clientConn is the client's end of an in-memory connection.
type clientConn struct {
	net.Conn
	reset *atomic.Bool
}

func (c *clientConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.reset.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return n, err
}

// serverConn is the issuer's end of an in-memory connection.
type serverConn struct {
	net.Conn
	issuer *Issuer
	reset  *atomic.Bool
	ticket *ticket // of the one request that the connection is for
}

// Reset closes the connection so that the client sees a reset.
func (c *serverConn) Reset() error {
	c.reset.Store(true)
	return c.Close()
}

func (c *serverConn) Close() error {
	c.issuer.mu.Lock()
	delete(c.issuer.conns, c)
	c.issuer.mu.Unlock()
	return c.Conn.Close()
}

// oneConnListener accepts one connection.
type oneConnListener struct {
	conn net.Conn
}

func (l *oneConnListener) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

func (l *oneConnListener) Close() error { return nil }

func (l *oneConnListener) Addr() net.Addr { return memoryAddr{} }

// memoryAddr is the address of all in-memory connections.
type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "oidctest" }

// reset breaks off the connection of a request.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if errors.Is(err, http.ErrNotSupported) { // HTTP/2 resets the stream.
			panic(http.ErrAbortHandler)
		}
		return
	}
	if s, ok := c.(*serverConn); ok {
		s.Reset()
		return
	}
	under := c
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		under = t.NetConn()
	}
	if t, ok := under.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	under.Close()
}

func dialError(err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}
