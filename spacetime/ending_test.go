package spacetime_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A served is what a connection was served with.
type served struct {
	ctx     context.Context
	session *oidcauth.Session
	conn    weak.Pointer[spacetime.Conn]
}

// Nothing stays of a connection that has ended, whichever way: not the socket, what acts
// for the caller or whoever waits for that, nor the memory.
func TestSubscribe_LeavesNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(context.Context, *spacetime.Conn)
		end   func(*testing.T, *world)
		want  error
		told  bool // the client is, that it ends
	}{
		{"served to its end", func(context.Context, *spacetime.Conn) {}, nil, oidcauth.ErrClosed, true},
		{"broken off by the program", func(context.Context, *spacetime.Conn) { panic(http.ErrAbortHandler) }, nil, oidcauth.ErrClosed, false},
		{"revoked", func(ctx context.Context, c *spacetime.Conn) { c.Read(ctx) }, func(t *testing.T, w *world) {
			if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{SessionID: "s1"}); err != nil {
				t.Error(err)
			}
		}, oidcauth.ErrRevoked, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen chan served
			cfg := spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
				seen <- served{ctx, c.Session, weak.Make(c)}
				tt.serve(ctx, c)
			}}
			inBubble(t, cfg, func(t *testing.T, w *world, p pipes) {
				seen = make(chan served, 1) // of the bubble
				client, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				answers := w.subscribeBy(t, client, w.issuer.Token(map[string]any{"sid": "s1"}))
				readFrame(t, answers)
				if tt.end != nil {
					tt.end(t, w)
				}
				if rest, err := io.ReadAll(answers); err != nil || (len(rest) > 0) != tt.told {
					t.Errorf("then came %q, %v, want it to be told why: %t", rest, err, tt.told)
				}
				synctest.Wait()
				got := <-seen
				if got.ctx.Err() == nil {
					t.Error("what Serve was given goes on")
				}
				if cause := context.Cause(got.session.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("the session ended with %v, want %v", cause, tt.want)
				}
				runtime.GC()
				if got.conn.Value() != nil {
					t.Error("the server holds on to the connection")
				}
			})
		})
	}
}

// Whoever reads slowly is told, too, why the connection ends, though nobody serves it
// any more and something still reads.
func TestSubscribe_TellsWhy(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *world)
		want uint16
	}{
		{"revoked", func(t *testing.T, w *world) {
			if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{SessionID: "s1"}); err != nil {
				t.Error(err)
			}
		}, 3000},
		{"the server is closed", func(t *testing.T, w *world) { go w.server.Close(t.Context()) }, 1001},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var leave chan struct{}
			cfg := spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
				go c.Read(ctx)
				<-leave
			}}
			inBubble(t, cfg, func(t *testing.T, w *world, p pipes) {
				leave = make(chan struct{}) // of the bubble
				client, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				answers := w.subscribeBy(t, client, w.issuer.Token(map[string]any{"sid": "s1"}))
				readFrame(t, answers)
				tt.end(t, w)
				synctest.Wait()
				close(leave)
				time.Sleep(time.Second)
				if kind, payload := readFrame(t, answers); kind != 8 || len(payload) < 2 || binary.BigEndian.Uint16(payload) != tt.want {
					t.Errorf("got a frame %d, %q, want one that closes with %d", kind, payload, tt.want)
				}
				client.Close()
			})
		})
	}
}

// readFrame reads a frame of at most 64 KiB of a server's (RFC 6455, section 5.2).
func readFrame(t *testing.T, r *bufio.Reader) (kind byte, payload []byte) {
	t.Helper()
	head := make([]byte, 2)
	_, err := io.ReadFull(r, head)
	size := int(head[1])
	if size == 126 {
		long := make([]byte, 2)
		_, err = io.ReadFull(r, long)
		size = int(binary.BigEndian.Uint16(long))
	}
	payload = make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(r, payload)
	}
	if err != nil {
		t.Fatalf("no frame: %v", err)
	}
	return head[0] & 15, payload
}

// A context for one call ends with it, or after its time.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		var given context.Context
		err := spacetime.Within(t.Context(), time.Second, func(ctx context.Context) error {
			given = ctx
			return failed
		})
		if !errors.Is(err, failed) || !errors.Is(given.Err(), context.Canceled) {
			t.Errorf("error = %v, the context ended with %v", err, given.Err())
		}
		began := time.Now()
		err = spacetime.Within(t.Context(), time.Second, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if after := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || after != time.Second {
			t.Errorf("error = %v after %v, want the end of its time after a second", err, after)
		}
	})
}

// Once a client has left, and something reads, what Serve was given ends, also where Serve
// waits for nothing else.
func TestSubscribe_ClientLeaves(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"at once":          func(conn net.Conn) { conn.Close() },
		"with its goodbye": func(conn net.Conn) { conn.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}) }, // masked, code 1000
	} {
		t.Run(name, func(t *testing.T) {
			var ended time.Time
			cfg := spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
				go func() {
					for {
						if _, err := c.Read(ctx); err != nil {
							return
						}
					}
				}()
				<-ctx.Done()
				ended = time.Now()
			}}
			inBubble(t, cfg, func(t *testing.T, w *world, p pipes) {
				client, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				answers := w.subscribeBy(t, client, w.issuer.Token(nil))
				readFrame(t, answers)
				go io.Copy(io.Discard, answers)
				left := time.Now()
				leave(client)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if !ended.Equal(left) {
					t.Errorf("the client left at %v, and what Serve was given ended at %v", left, ended)
				}
			})
		})
	}
}
