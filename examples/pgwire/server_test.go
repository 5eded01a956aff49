package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oauthbearer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A world is an issuer and a server that trusts it.
type world struct {
	t      *testing.T
	issuer *oidctest.Issuer
	auth   *oidcauth.Authenticator
	addr   *net.TCPAddr
	tls    *tls.Config // what a client needs for TLS
	log    *logBuffer
	stop   func()
}

// newWorld starts a server; wrap, unless nil, changes its connections.
func newWorld(t *testing.T, wrap func(net.Conn) net.Conn) *world {
	t.Helper()
	return newWorldAsking(t, wrap, nil)
}

// newWorldAsking starts a server that asks for tokens by OAUTHBEARER, unless nil.
func newWorldAsking(t *testing.T, wrap func(net.Conn) net.Conn, challenge *oauthbearer.Challenge) *world {
	t.Helper()
	return newWorldAt(t, func(l net.Listener) net.Listener {
		if wrap == nil {
			return l
		}
		return wrappedListener{l, wrap}
	}, challenge)
}

// newWorldAt starts a server at a listener that is made of another.
func newWorldAt(t *testing.T, at func(net.Listener) net.Listener, challenge *oauthbearer.Challenge) *world {
	t.Helper()
	w := &world{t: t, issuer: oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db"}})}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: w.issuer.URL(), Audiences: []string{"my-db"}}}, Client: w.issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	w.auth = auth
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	w.tls = &tls.Config{RootCAs: roots, ServerName: "example.com"}
	w.log = &logBuffer{}
	s := &server{auth: auth, challenge: challenge, logger: slog.New(slog.NewTextHandler(w.log, nil))}
	if challenge == nil {
		s.tls = &tls.Config{Certificates: certified.TLS.Certificates}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().(*net.TCPAddr)
	l = at(l)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, l) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve() error = %v", err)
		}
		done <- nil
	}
	t.Cleanup(w.stop)
	return w
}

type wrappedListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrappedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		c = l.wrap(c)
	}
	return c, err
}

// A crowdedListener has no descriptor left for the first that come.
type crowdedListener struct {
	net.Listener
	refuses atomic.Int32
}

func (l *crowdedListener) Accept() (net.Conn, error) {
	if l.refuses.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// TestServe_NoDescriptorLeft: whoever opens very many connections does not end the
// server, which goes on once some are gone.
func TestServe_NoDescriptorLeft(t *testing.T) {
	crowded := &crowdedListener{}
	crowded.refuses.Store(3)
	w := newWorldAt(t, func(l net.Listener) net.Listener {
		crowded.Listener = l
		return crowded
	}, nil)
	if _, err := w.connect(w.issuer.Token(nil)); err != nil {
		t.Errorf("connect() error = %v, want none", err)
	}
	if left := crowded.refuses.Load(); left >= 0 {
		t.Errorf("%d refusals are left, want none", left)
	}
}

// A farConn says that its client is elsewhere.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// config describes a client with the password.
func (w *world) config(password string, encrypted bool) *pgx.ConnConfig {
	w.t.Helper()
	cfg, err := pgx.ParseConfig("sslmode=disable user=anybody database=db")
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Host, cfg.Port, cfg.Password = "127.0.0.1", uint16(w.addr.Port), password
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	if encrypted {
		cfg.TLSConfig = w.tls
	}
	return cfg
}

func (w *world) connect(password string) (*pgx.Conn, error) {
	w.t.Helper()
	conn, err := pgx.ConnectConfig(w.t.Context(), w.config(password, false))
	if err == nil {
		w.t.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

// ask runs a query of one row and one column.
func ask(conn interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, query string) (answer string, err error) {
	err = conn.QueryRow(context.Background(), query).Scan(&answer)
	return answer, err
}

// expect checks the error that the server sent.
func expect(t *testing.T, err error, severity, code, message string) {
	t.Helper()
	sent, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || sent.Severity != severity || sent.Code != code || !strings.Contains(sent.Message, message) {
		t.Errorf("got error %v, want %s %s: %s", err, severity, code, message)
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, encrypted := range []bool{false, true} {
		conn, err := pgx.ConnectConfig(t.Context(), w.config(w.issuer.Token(nil), encrypted))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		for query, want := range map[string]string{
			"select current_user": "alice", "SELECT current_user;": "alice",
			"select identity": identity.New(w.issuer.URL(), "alice").String(),
		} {
			if got, err := ask(conn, query); got != want || err != nil {
				t.Errorf("TLS %v: %s = %q, %v, want %q", encrypted, query, got, err, want)
			}
		}
		_, err = ask(conn, "select secret")
		expect(t, err, "ERROR", insufficient, "may not")
		_, err = ask(conn, "drop table x")
		expect(t, err, "ERROR", syntaxError, "try")
		var answer string
		err = conn.QueryRow(t.Context(), "select current_user", pgx.QueryExecModeDescribeExec).Scan(&answer)
		expect(t, err, "ERROR", featureNotSupported, "extended")
		if got, err := ask(conn, "select current_user"); got != "alice" {
			t.Errorf("after errors: %q, %v", got, err)
		}
	}
	conn, err := w.connect(w.issuer.Token(map[string]any{"roles": []string{"operator"}}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(conn, "select secret"); got != "42" {
		t.Errorf("select secret = %q, %v", got, err)
	}
}

func TestServer_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, tt := range []struct{ name, password, code, message string }{
		{"none", "", invalidAuth, "malformed"},
		{"a password", "secret", invalidAuth, "malformed"},
		{"expired", w.issuer.Token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), invalidAuth, "expired"},
		{"for another audience", w.issuer.Token(map[string]any{"aud": "other"}), invalidAuth, "audience"},
		{"longer than a token may be", strings.Repeat("x", 20<<10), invalidAuth, "malformed"},
		{"longer than a message may be", strings.Repeat("x", maxMessage+1), protocolViolation, "too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.connect(tt.password)
			expect(t, err, "FATAL", tt.code, tt.message)
		})
	}
	w = newWorld(t, nil)
	w.issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: 503})
	_, err := w.connect(w.issuer.Token(nil))
	expect(t, err, "FATAL", cannotConnectNow, "keys are unavailable")
}

// Over a network a token is only taken in TLS.
func TestServer_InTheClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c net.Conn) net.Conn { return farConn{c} })
	_, err := w.connect(w.issuer.Token(nil))
	expect(t, err, "FATAL", invalidAuth, "only taken over TLS")
	conn, err := pgx.ConnectConfig(t.Context(), w.config(w.issuer.Token(nil), true))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
}

// A connection ends with its session, and says why.
func TestServer_SessionEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		do            func(*world) error
		code, message string
	}{
		{"revoked", func(w *world) error {
			return w.auth.Revoke(context.Background(), oidcauth.Revocation{Subject: "alice"})
		}, invalidAuth, "the token was revoked"},
		{"key withdrawn", func(w *world) error {
			w.issuer.Replace()
			_, err := w.auth.Authenticate(context.Background(), w.issuer.Token(nil))
			return err
		}, invalidAuth, "not accepted"},
		{"server stopped", func(w *world) error { w.stop(); return nil }, adminShutdown, "shutting down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			conn, err := w.connect(w.issuer.Token(nil))
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.do(w); err != nil {
				t.Fatal(err)
			}
			// The connection was idle: what it was told waits to be read.
			message, err := conn.PgConn().ReceiveMessage(t.Context())
			if sent, ok := message.(*pgproto3.ErrorResponse); ok {
				err = pgconn.ErrorResponseToPgError(sent)
			}
			expect(t, err, "FATAL", tt.code, tt.message)
			if _, err := ask(conn, "select current_user"); err == nil {
				t.Error("the connection goes on")
			}
		})
	}
}

// Expiry is noticed by a connection that is busy. If the machine is too busy to
// connect within the token's life, the next token lives for twice as long.
func TestServer_Expires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for life := 2 * time.Second; ; life *= 2 {
		end := time.Now().Add(life).Truncate(time.Second) // with the leeway
		conn, err := w.connect(w.issuer.Token(map[string]any{"exp": end.Add(-30 * time.Second).Unix()}))
		if err != nil && time.Now().After(end) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = ask(conn, "select current_user")
		}
		expect(t, err, "FATAL", invalidAuth, "the token has expired")
		if early := time.Until(end); early > 0 {
			t.Errorf("ended %v before the token", early)
		}
		return
	}
}

// A pool asks for a token at each connection that it makes.
func TestServer_Pool(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	cfg, err := pgxpool.ParseConfig("sslmode=disable user=anybody database=db")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig = w.config("", false)
	tokens := 0
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		tokens++
		c.Password = w.issuer.Token(nil)
		return nil
	}
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for range 3 {
		if got, err := ask(pool, "select current_user"); got != "alice" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	pool.Reset()
	if got, err := ask(pool, "select current_user"); got != "alice" || tokens != 2 {
		t.Errorf("%q, %v after %d tokens, want 2", got, err, tokens)
	}
}

// Clients that do not keep to the protocol are left, and harm nobody.
func TestServer_Strangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	startup, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "x"}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel, _ := (&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}}).Encode(nil)
	for name, bytes := range map[string][]byte{
		"HTTP": []byte("GET / HTTP/1.1\r\n\r\n"), "nothing": nil, "zeros": make([]byte, 100), "cancel": cancel,
		"a query for a password": append(startup, "Q\x00\x00\x00\x0dselect 1\x00"...), "TLS twice": []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x08\x04\xd2\x16\x2f"),
	} {
		conn, err := net.Dial("tcp", w.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(bytes)
		conn.(*net.TCPConn).CloseWrite()
		conn.SetDeadline(time.Now().Add(handshakeTime))
		if got, err := io.ReadAll(bufio.NewReader(conn)); errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(got), "server_version") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		conn.Close()
	}
	if _, err := w.connect(w.issuer.Token(nil)); err != nil {
		t.Error(err)
	}
}

// psql takes a long token from a file and from the environment.
func TestServer_Psql(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("psql is missing")
		}
		t.Skip("psql is missing: apt-get install postgresql-client")
	}
	out := new(strings.Builder)
	w := newWorld(t, nil)
	token := w.issuer.Token(map[string]any{"padding": strings.Repeat("x", 6000)})
	cleanup, err := invite(out, w.addr, token)
	if err != nil {
		t.Fatal(err)
	}
	defer cleanup()
	if strings.Contains(out.String(), token) {
		t.Error("the token is printed")
	}
	passfile, _, _ := strings.Cut(strings.TrimPrefix(out.String(), "try: PGPASSFILE='"), "'")
	for _, env := range []string{"PGPASSFILE=" + passfile, "PGPASSWORD=" + token} {
		cmd := exec.CommandContext(t.Context(), psql, "-X", "-w", "-At", "-h", "127.0.0.1", "-p", portOf(w.addr), "-U", "anybody", "-d", "db", "-c", "select current_user")
		cmd.Env = append(os.Environ(), env)
		if got, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(got)) != "alice" {
			t.Errorf("psql with %.11s…: %q, %v", env, got, err)
		}
	}
}

func portOf(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	return port
}

func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-addr", "127.0.0.1:0"}, writer, io.Discard) }()
	lines := bufio.NewScanner(reader)
	for _, want := range []string{"listening at 127.0.0.1:", "try: PGPASSFILE="} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("got line %q, want %q", lines.Text(), want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run() error = %v", err)
	}
}
