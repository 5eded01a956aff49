package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

const audience = "my-db"

// A node is one server of the cluster: it authenticates WebSockets, and its way
// to NATS can be cut.
type node struct {
	auth    *oidcauth.Authenticator
	network *gate
	lines   *lockedBuffer
	server  *httptest.Server
}

func newNode(t testing.TB, n *natsServer, issuer *oidctest.Issuer, required bool) *node {
	t.Helper()
	network := &gate{}
	v := newNodeWith(t, newLog(t, n, natsauth.Config{}, nats.SetCustomDialer(network)), issuer, required)
	v.network = network
	return v
}

func newNodeWith(t testing.TB, log oidcauth.RevocationLog, issuer *oidctest.Issuer, required bool) *node {
	t.Helper()
	v := &node{lines: &lockedBuffer{}}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{audience}}}, Client: issuer.Client(),
		Revocations: log, RequireRevocations: required, Logger: slog.New(slog.NewTextHandler(v.lines, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	v.auth = auth
	v.server = httptest.NewServer(auth.Middleware(http.HandlerFunc(v.serve)))
	t.Cleanup(v.server.Close)
	return v
}

// serve answers each message with the subject, until the session ends.
func (v *node) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	claims, _ := oidcauth.FromContext(r.Context())
	session := v.auth.NewSession(r.Context(), claims)
	defer session.Close()
	stop := context.AfterFunc(session.Context(), func() {
		code, reason := oidcauth.CloseCode(context.Cause(session.Context()))
		conn.Close(websocket.StatusCode(code), reason)
	})
	defer stop()
	for {
		if _, _, err := conn.Read(context.Background()); err != nil {
			return
		}
		if err := conn.Write(context.Background(), websocket.MessageText, []byte(session.Claims().Subject())); err != nil {
			return
		}
	}
}

// awaitReady waits until Ready says what it must.
func (v *node) awaitReady(t testing.TB, want error) {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := v.auth.Ready(t.Context())
		if errors.Is(err, want) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("Ready() error = %v, want %v; log:\n%s", err, want, v.lines)
		}
	}
}

// A socket is a client's end of a connection.
type socket struct {
	*websocket.Conn
	subject string
	closed  chan struct{} // closed with the connection
	at      time.Time
	err     error
	echo    chan string
}

func (v *node) dial(ctx context.Context, token, subject string) (*socket, error) {
	conn, _, err := websocket.Dial(ctx, strings.Replace(v.server.URL, "http", "ws", 1), &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: conn, subject: subject, closed: make(chan struct{}), echo: make(chan string, 1)}
	go s.listen()
	return s, s.ask()
}

// listen reads until the connection ends, and notes when and why.
func (s *socket) listen() {
	defer close(s.closed)
	for {
		_, message, err := s.Read(context.Background())
		if err != nil {
			s.at, s.err = time.Now(), err
			return
		}
		s.echo <- string(message)
	}
}

// ask gets an answer over the connection.
func (s *socket) ask() error {
	if err := s.Write(context.Background(), websocket.MessageText, []byte("who am I?")); err != nil {
		return err
	}
	select {
	case got := <-s.echo:
		if got != s.subject {
			return fmt.Errorf("got subject %q, want %q", got, s.subject)
		}
		return nil
	case <-s.closed:
		return s.err
	case <-time.After(patience):
		return errors.New("no answer")
	}
}

// awaitRevoked waits until the socket is closed as it must be.
func (s *socket) awaitRevoked(t testing.TB) {
	t.Helper()
	select {
	case <-s.closed:
		if got := websocket.CloseStatus(s.err); got != 3000 {
			t.Errorf("socket of %q closed with %v, want status 3000", s.subject, s.err)
		}
	case <-time.After(patience):
		t.Fatalf("socket of %q stays open", s.subject)
	}
}

// dialMany opens sockets at each node; every second one is the subject's, and the
// others are alice's.
func dialMany(t testing.TB, issuer *oidctest.Issuer, nodes []*node, each int, subject string) (subjects, others []*socket) {
	t.Helper()
	var mu sync.Mutex // guards the results
	var wg sync.WaitGroup
	for _, v := range nodes {
		for worker := range 8 {
			wg.Go(func() {
				for i := worker; i < each; i += 8 {
					name := []string{subject, "alice"}[i%2]
					token := issuer.Token(map[string]any{"sub": name, "aud": audience, "jti": fmt.Sprintf("%p-%d", v, i)})
					s, err := v.dial(context.Background(), token, name)
					if err != nil {
						t.Errorf("dial: %v", err)
						return
					}
					mu.Lock()
					if i%2 == 0 {
						subjects = append(subjects, s)
					} else {
						others = append(others, s)
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, s := range slices.Concat(subjects, others) {
			s.CloseNow()
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return subjects, others
}

func newIssuer(t testing.TB) *oidctest.Issuer {
	t.Helper()
	return oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}})
}

// Revoking a subject at one server closes its sockets at all, and leaves the
// others open. How soon that is, BenchmarkCluster_Revoke says.
func TestCluster(t *testing.T) {
	t.Parallel()
	n, issuer := startNATS(t), newIssuer(t)
	nodes := []*node{newNode(t, n, issuer, true), newNode(t, n, issuer, true), newNode(t, n, issuer, true)}
	for _, v := range nodes {
		v.awaitReady(t, nil)
	}
	revokeOne(t, issuer, nodes, 100, "mallory")

	// One that joins later refuses what was revoked before it was there.
	late := newNode(t, n, issuer, true)
	late.awaitReady(t, nil)
	refused(t, late, issuer, "mallory", oidcauth.ErrRevoked)
	refused(t, late, issuer, "alice", nil)
}

// revokeOne opens sockets at all nodes, so many at each, revokes the subject of
// half of them at the first node, and returns how long it took until the last was
// closed.
func revokeOne(t testing.TB, issuer *oidctest.Issuer, nodes []*node, each int, subject string) time.Duration {
	t.Helper()
	revoked, others := dialMany(t, issuer, nodes, each, subject)
	began := time.Now()
	if err := nodes[0].auth.Revoke(t.Context(), oidcauth.Revocation{Subject: subject}); err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	for _, s := range revoked {
		s.awaitRevoked(t)
		last = max(last, s.at.Sub(began))
	}
	for _, s := range others {
		if err := s.ask(); err != nil {
			t.Fatalf("socket of %q: %v", s.subject, err)
		}
		s.CloseNow()
	}
	return last
}

// refused checks what a node says to a new token of the subject.
func refused(t testing.TB, v *node, issuer *oidctest.Issuer, subject string, want error) {
	t.Helper()
	_, err := v.auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": subject}))
	if !errors.Is(err, want) {
		t.Errorf("Authenticate(token of %q) error = %v, want %v", subject, err, want)
	}
}

// A server that is cut off goes on by what it knows, says so, and catches up.
func TestCluster_CutOff(t *testing.T) {
	t.Parallel()
	n, issuer := startNATS(t), newIssuer(t)
	a, b := newNode(t, n, issuer, false), newNode(t, n, issuer, false)
	a.awaitReady(t, nil)
	b.awaitReady(t, nil)
	if err := a.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "known"}); err != nil {
		t.Fatal(err)
	}
	sockets, _ := dialMany(t, issuer, []*node{b}, 1, "mallory")
	for refusal := error(nil); !errors.Is(refusal, oidcauth.ErrRevoked); {
		_, refusal = b.auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": "known"}))
	}

	b.network.cut()
	b.awaitReady(t, oidcauth.ErrRevocationsUnavailable)
	if !strings.Contains(b.lines.String(), "revocation log lost") {
		t.Errorf("the log does not say so:\n%s", b.lines)
	}
	if err := a.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "mallory"}); err != nil {
		t.Fatal(err)
	}
	refused(t, b, issuer, "known", oidcauth.ErrRevoked)
	refused(t, b, issuer, "mallory", nil)
	if err := sockets[0].ask(); err != nil {
		t.Errorf("socket of %q while cut off: %v", sockets[0].subject, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.auth.Revoke(ctx, oidcauth.Revocation{Subject: "local"}); !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
		t.Errorf("Revoke() while cut off: error = %v, want %v", err, oidcauth.ErrRevocationsUnavailable)
	}
	refused(t, b, issuer, "local", oidcauth.ErrRevoked)

	b.network.restore()
	sockets[0].awaitRevoked(t)
	b.awaitReady(t, nil)
	refused(t, b, issuer, "mallory", oidcauth.ErrRevoked)
	refused(t, b, issuer, "alice", nil)
}

// Where revocations are required, a server that is cut off refuses everything,
// and ends what is open.
func TestCluster_Required(t *testing.T) {
	t.Parallel()
	n, issuer := startNATS(t), newIssuer(t)
	v := newNode(t, n, issuer, true)
	v.awaitReady(t, nil)
	s, err := v.dial(t.Context(), issuer.Token(nil), "alice")
	if err != nil {
		t.Fatal(err)
	}
	n.stop()
	select {
	case <-s.closed:
		if got := websocket.CloseStatus(s.err); got != 1013 {
			t.Errorf("socket closed with %v, want status 1013", s.err)
		}
	case <-time.After(patience):
		t.Fatal("the socket stays open")
	}
	refused(t, v, issuer, "alice", oidcauth.ErrRevocationsUnavailable)
	n.start()
	v.awaitReady(t, nil)
	refused(t, v, issuer, "alice", nil)
}

// A logout token works once in the whole cluster, and a server that never
// reached NATS accepts none.
func TestCluster_Logout(t *testing.T) {
	t.Parallel()
	n, issuer := startNATS(t), newIssuer(t)
	nodes := []*node{newNode(t, n, issuer, false), newNode(t, n, issuer, false), newNode(t, n, issuer, false)}
	for _, v := range nodes {
		v.awaitReady(t, nil)
	}
	logout := issuer.Sign(map[string]any{"typ": "logout+jwt"}, map[string]any{
		"iss": issuer.URL(), "aud": audience, "sub": "alice", "jti": "logout-1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	post := func(ctx context.Context, v *node) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/logout", strings.NewReader("logout_token="+logout))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		v.auth.LogoutHandler().ServeHTTP(w, r)
		return w.Code
	}
	nodes[2].network.cut()
	nodes[2].awaitReady(t, oidcauth.ErrRevocationsUnavailable)
	brief, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got := post(brief, nodes[2]); got != http.StatusServiceUnavailable {
		t.Errorf("at a server that is cut off: got status %d, want 503", got)
	}
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for _, v := range nodes[:2] {
		for range 4 {
			wg.Go(func() {
				status := post(t.Context(), v)
				mu.Lock()
				defer mu.Unlock()
				got[status]++
			})
		}
	}
	wg.Wait()
	if got[http.StatusOK] != 1 || got[http.StatusBadRequest] != 7 {
		t.Errorf("8 posts of one logout token: got statuses %v, want 200 once and 400 seven times", got)
	}
}
