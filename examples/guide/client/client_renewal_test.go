package client_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/client"
	"github.com/oidcauth/oidcauth/examples/guide/gorilla"
	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A provider that has no token just when the server asks for the next one costs no
// connection: the server asks once, and the client tries until the token that it has ends.
func TestClient_ProviderBlinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := &provider{Issuer: oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})}
		auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client()})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		var connections atomic.Int32
		subscribe := auth.Middleware(gorilla.Subscribe(auth, func(context.Context, string) string { return "" }))
		server, http1 := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			connections.Add(1)
			subscribe.ServeHTTP(w, r)
		}))
		defer server.Close()
		defer http1.CloseIdleConnections()
		c := &client.Client{Address: "ws://db.test/", HTTP: http1, Source: idp.source, Receive: func(string) {}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		for range 3 {
			time.Sleep(oidctest.TokenLifetime - 15*time.Second)
			idp.down.Store(true)
			time.Sleep(30 * time.Second)
			idp.down.Store(false)
			time.Sleep(5 * time.Minute)
		}
		if connections.Load() != 1 {
			t.Errorf("got %d connections, want 1", connections.Load())
		}
		cancel()
		<-ended
	})
}

// A renewal that the server could not judge is sent again, with the same token, and one that
// it has refused with another: the server does not ask for it.
func TestClient_RenewalAgain(t *testing.T) {
	for answer, same := range map[string]bool{"token error 503: try again": true, "token error 401: the token was revoked": false} {
		synctest.Test(t, func(t *testing.T) {
			idp := &provider{Issuer: oidctest.NewIssuer(t, oidctest.Config{})}
			var got []string
			var pause time.Duration
			server, http1 := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer conn.CloseNow()
				ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
				defer cancel()
				conn.Write(ctx, websocket.MessageText, []byte("send a new token"))
				for range 2 {
					begun := time.Now()
					_, message, err := conn.Read(ctx)
					if err != nil {
						return
					}
					pause = time.Since(begun)
					got = append(got, strings.TrimPrefix(string(message), "token "))
					conn.Write(ctx, websocket.MessageText, []byte(answer))
				}
				conn.Close(3003, "")
			}))
			defer server.Close()
			defer http1.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			c := &client.Client{Address: "ws://db.test/", HTTP: http1, Source: idp.source, Receive: func(string) {}}
			c.Run(ctx)
			if len(got) != 2 || (got[0] == got[1]) != same {
				t.Errorf("%s: got renewals by %q, want two, by the same token: %v", answer, got, same)
			}
			if pause < time.Second {
				t.Errorf("%s: after %v, want a pause", answer, pause)
			}
		})
	}
}

// TestClient_OthersErrors: what a call is answered is the program's to hear, also where it
// looks like the answer to a renewal, and has no token sent. However often a renewal is to be
// sent again, there is one at a time.
func TestClient_OthersErrors(t *testing.T) {
	for message, renewals := range map[string]int{"error 503: try again": 0, "error 401: the token was revoked": 0, "token error 503: try again": 2} {
		synctest.Test(t, func(t *testing.T) {
			idp := &provider{Issuer: oidctest.NewIssuer(t, oidctest.Config{})}
			var sent, received int
			server, http1 := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer conn.CloseNow()
				for range 20 {
					conn.Write(r.Context(), websocket.MessageText, []byte(message))
				}
				defer time.AfterFunc(time.Minute, func() { conn.Close(3003, "") }).Stop()
				for {
					if _, _, err := conn.Read(r.Context()); err != nil {
						return
					}
					sent++
				}
			}))
			defer server.Close()
			defer http1.CloseIdleConnections()
			c := &client.Client{Address: "ws://db.test/", HTTP: http1, Source: idp.source, Receive: func(string) { received++ }}
			c.Run(t.Context())
			synctest.Wait()
			want := 20
			if renewals > 0 {
				want = 0
			}
			if sent > renewals || received != want {
				t.Errorf("%s: got %d renewals and %d messages, want %d at most and %d", message, sent, received, renewals, want)
			}
		})
	}
}
