package spacetime_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A client that is told that its connection ends cannot hold it open.
func TestSubscribe_ClientStays(t *testing.T) {
	revoke := func(t *testing.T, w *world) {
		if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{SessionID: "s1"}); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name  string
		serve func(context.Context, *spacetime.Conn)
		end   func(*testing.T, *world)
	}{
		{"at one that reads", nil, revoke},
		{"once the server is closed", func(ctx context.Context, c *spacetime.Conn) { <-ctx.Done() },
			func(t *testing.T, w *world) { go w.server.Close(t.Context()) }},
		{"once Serve has returned", func(context.Context, *spacetime.Conn) {}, nil},
		{"at a program that closes", func(_ context.Context, c *spacetime.Conn) { c.Close(4000, "enough") }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, spacetime.Config{Serve: tt.serve}, func(t *testing.T, w *world, p pipes) {
				client, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				answers := w.subscribeBy(t, client, w.issuer.Token(map[string]any{"sid": "s1"}))
				readFrame(t, answers)
				began := time.Now()
				if tt.end != nil {
					tt.end(t, w)
				}
				if kind, _ := readFrame(t, answers); kind != 8 {
					t.Errorf("got a frame %d, want one that closes", kind)
				}
				held := time.AfterFunc(time.Hour, func() { client.Close() })
				defer held.Stop()
				io.Copy(io.Discard, answers)
				if after := time.Since(began); after > 4*time.Second {
					t.Errorf("the connection was closed after %v, want 4s at most, and less than the library waits", after)
				}
			})
		})
	}
}

// Clients that take nothing, and have sent what nobody reads, hold the server up for no
// longer than others.
func TestServer_CloseDeafClients(t *testing.T) {
	busy := func(ctx context.Context, _ *spacetime.Conn) { <-ctx.Done() }
	inBubble(t, spacetime.Config{Serve: busy}, func(t *testing.T, w *world, p pipes) {
		for range 16 { // a wrong way of breaking them off goes well each second time
			client, err := p.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			readFrame(t, w.subscribeBy(t, client, w.issuer.Token(nil)))
			go client.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'}) // a text, masked
		}
		began := time.Now()
		if err := w.server.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("Close() took %v, want 4s at most", took)
		}
	})
}

// What is written once a session has ended is not for its client, though the connection is
// still there.
func TestConn_WriteAfterTheEnd(t *testing.T) {
	var err error
	cfg := spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
		c.Session.Close()
		err = c.Write(ctx, []byte("too late"))
	}}
	inBubble(t, cfg, func(t *testing.T, w *world, p pipes) {
		client, dialErr := p.dial(t.Context(), "", "")
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		defer client.Close()
		answers := w.subscribeBy(t, client, w.issuer.Token(nil))
		readFrame(t, answers)
		if kind, payload := readFrame(t, answers); kind != 8 {
			t.Errorf("got a frame %d, %q, want one that closes", kind, payload)
		}
		client.Close()
		synctest.Wait()
		if !errors.Is(err, oidcauth.ErrClosed) {
			t.Errorf("Write() error = %v, want what ended the session", err)
		}
	})
}
