package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/client"
	"github.com/oidcauth/oidcauth/examples/guide/gorilla"
	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A provider gives out tokens for an hour.
type provider struct {
	*oidctest.Issuer
	given atomic.Int32
	down  atomic.Bool
}

func (p *provider) Token() (*oauth2.Token, error) {
	if p.down.Load() {
		return nil, errors.New("the provider is down")
	}
	p.given.Add(1)
	return &oauth2.Token{AccessToken: p.Issuer.Token(nil), Expiry: time.Now().Add(oidctest.TokenLifetime)}, nil
}

func (p *provider) source() oauth2.TokenSource { return oauth2.ReuseTokenSource(nil, p) }

// A client stays on one connection for days, comes back with another token after a
// revocation, waits for a provider that is down, and goes when it is told that it may not.
func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := &provider{Issuer: oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})}
		auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client()})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		var tried, served atomic.Int32
		var forbidden atomic.Bool
		subscribe := auth.Middleware(gorilla.Subscribe(auth, func(context.Context, string) string { return "" }))
		server, http1 := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tried.Add(1)
			if forbidden.Load() {
				auth.Refuse(w, r, oidcauth.ErrForbidden)
				return
			}
			served.Add(1)
			defer served.Add(-1)
			subscribe.ServeHTTP(w, r)
		}))
		defer server.Close()
		defer http1.CloseIdleConnections()
		c := &client.Client{Address: "ws://db.test/", HTTP: http1, Source: idp.source, Receive: func(string) {}}
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }()
		wants := func(when string, connections, tokens int32) {
			t.Helper()
			synctest.Wait()
			if tried.Load() != connections || served.Load() != 1 || idp.given.Load() != tokens {
				t.Errorf("%s: %d connections, %d of which live, and %d tokens; want %d, 1 and %d", when, tried.Load(), served.Load(), idp.given.Load(), connections, tokens)
			}
		}
		time.Sleep(72*time.Hour + 30*time.Minute)
		wants("after three days", 1, 73)
		revoke := func() {
			t.Helper()
			if err := auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: idp.URL(), Subject: oidctest.DefaultSubject, IssuedBefore: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		revoke()
		time.Sleep(time.Minute)
		wants("after a revocation", 2, 74)

		idp.down.Store(true)
		time.Sleep(3 * time.Hour)
		idp.down.Store(false)
		time.Sleep(2 * time.Minute)
		wants("after an outage of the provider", 3, 75)

		forbidden.Store(true)
		revoke()
		time.Sleep(time.Minute)
		select {
		case err := <-ended:
			if err == nil || tried.Load() != 4 {
				t.Errorf("Run() = %v after %d connections, want an error after 4", err, tried.Load())
			}
		default:
			t.Error("comes back though it may not")
		}
	})
}

// A hanging source never answers.
type hanging chan struct{}

func (h hanging) Token() (*oauth2.Token, error) { <-h; return nil, errors.New("late") }

// A provider that takes a question and never answers it keeps nobody from asking again, and
// a client that is told to end ends.
func TestClient_SourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(hanging)
		defer close(hangs)
		idp := &provider{Issuer: oidctest.NewIssuer(t, oidctest.Config{})}
		var asked, connected atomic.Int32
		server, http1 := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			connected.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		defer server.Close()
		defer http1.CloseIdleConnections()
		source := func() oauth2.TokenSource {
			if asked.Add(1) == 2 {
				return idp
			}
			return hangs
		}
		c := &client.Client{Address: "ws://db.test/", HTTP: http1, Source: source, Receive: func(string) {}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Second)
		if asked.Load() != 1 || connected.Load() != 0 {
			t.Errorf("%d sources and %d connections, want one that hangs", asked.Load(), connected.Load())
		}
		time.Sleep(time.Minute)
		if asked.Load() != 2 || connected.Load() == 0 {
			t.Errorf("%d sources and %d connections, want another source that serves", asked.Load(), connected.Load())
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want %v", err, context.Canceled)
		}
	})
}

// A client that waits for its source ends when it is told to.
func TestClient_EndsWhileSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(hanging)
		defer close(hangs)
		c := &client.Client{Source: func() oauth2.TokenSource { return hangs }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := c.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("Run() = %v after %v, want an end after a second", err, time.Since(begun))
		}
	})
}

// A renewal that is refused is tried with another token, when the server asks again.
func TestClient_RenewalRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := &provider{Issuer: oidctest.NewIssuer(t, oidctest.Config{})}
		var got []string
		done := make(chan error, 1)
		server, http1 := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				done <- err
				return
			}
			defer conn.CloseNow()
			got = append(got, "token "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			for range 2 {
				conn.Write(r.Context(), websocket.MessageText, []byte("send a new token"))
				_, message, err := conn.Read(r.Context())
				if err != nil {
					done <- err
					return
				}
				got = append(got, string(message))
				conn.Write(r.Context(), websocket.MessageText, []byte("token error 401: the token was revoked"))
			}
			conn.Close(3003, "")
			done <- nil
		}))
		defer server.Close()
		defer http1.CloseIdleConnections()
		c := &client.Client{Address: "ws://db.test/", HTTP: http1, Source: idp.source, Receive: func(string) {}}
		if err := c.Run(t.Context()); err == nil {
			t.Error("Run() = nil, want why it may not come again")
		}
		if err := <-done; err != nil || len(got) != 3 || got[1] != got[0] || got[2] == got[1] {
			t.Errorf("%v; got %q, want the same token and then another one", err, got)
		}
	})
}
