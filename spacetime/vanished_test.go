package spacetime_test

import (
	"bufio"
	"context"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// pipes are connections in memory, on which time passes as the test wants.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, more := <-p
	if !more {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p <- server
	return client, nil
}

// inBubble runs a test with a server on connections in memory.
func inBubble(t *testing.T, cfg spacetime.Config, test func(t *testing.T, w *world, p pipes)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, p := newServer(t, cfg, localissuer.Config{Signer: authtest.NewKey(t)}, -1), make(pipes)
		served := make(chan error)
		server := &http.Server{Handler: w.server}
		go func() { served <- server.Serve(p) }()
		test(t, w, p)
		w.close(t)
		close(p)
		server.Close()
		<-served
	})
}

// subscribeBy asks for a WebSocket on a connection as a client does that goes its own
// way, and returns what reads the answers.
func (w *world) subscribeBy(t *testing.T, conn net.Conn, token string) *bufio.Reader {
	t.Helper()
	h := handshake()
	h.Set("Authorization", "Bearer "+token)
	go io.WriteString(conn, strings.ReplaceAll(written("GET", "/v1/database/chat/subscribe", h), "\n", "\r\n")+"\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("got %v, %v, want status 101", resp, err)
	}
	return r
}

// A client that has vanished is noticed: one that answers no ping within a minute, and
// one that does not even take the first message within ten seconds. One that answers
// stays, whatever it does otherwise.
func TestSubscribe_Vanished(t *testing.T) {
	inBubble(t, spacetime.Config{}, func(t *testing.T, w *world, p pipes) {
		token := w.issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		client := &http.Client{Transport: &http.Transport{DialContext: p.dial}}
		var there *websocket.Conn
		var err error
		fips140.WithoutEnforcement(func() { // as in dial
			there, _, err = websocket.Dial(t.Context(), "ws://memory/v1/database/chat/subscribe",
				&websocket.DialOptions{HTTPClient: client, HTTPHeader: header(authorization("Bearer " + token)), Subprotocols: v3})
		})
		if err != nil {
			t.Fatal(err)
		}
		gone := make(chan error, 1)
		go func() {
			for {
				if _, _, err := there.Read(context.Background()); err != nil {
					gone <- err
					return
				}
			}
		}()

		mute, err := p.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		answers := w.subscribeBy(t, mute, token)
		if _, err := io.Copy(io.Discard, answers); err != nil {
			t.Errorf("a client without pongs: Read() error = %v, want the end", err)
		}
		if after := time.Since(began); after != time.Minute {
			t.Errorf("a client without pongs was noticed after %v, want half a minute after the ping, half a minute after it came", after)
		}

		deaf, err := p.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		w.subscribeBy(t, deaf, token)
		before := strings.Count(w.log.String(), "first message not sent")
		time.Sleep(10*time.Second - 1)
		if n := strings.Count(w.log.String(), "first message not sent"); n != before {
			t.Errorf("a slow client was given up after less than ten seconds")
		}
		time.Sleep(time.Millisecond)
		if n := strings.Count(w.log.String(), "first message not sent"); n != before+1 {
			t.Errorf("a client that takes nothing was not noticed:\n%s", w.log)
		}

		time.Sleep(time.Hour)
		select {
		case err := <-gone:
			t.Errorf("a client that answers: Read() error = %v", err)
		default:
		}
		there.CloseNow()
		client.CloseIdleConnections()
	})
}

// Who serves a connection, and how, makes a client that answers no ping stay or not: it
// counts as gone only if its answer would have been read.
func TestConn_Vanished(t *testing.T) {
	read := func(ctx context.Context, c *spacetime.Conn, pause time.Duration) {
		for {
			if _, err := c.Read(ctx); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
	for _, tt := range []struct {
		name  string
		serve func(context.Context, *spacetime.Conn)
		says  []time.Duration // when the client sends a message
		takes time.Duration   // when it begins to take what it is sent
		gone  time.Duration   // when the connection is broken off
	}{
		{"the program waits for it", func(ctx context.Context, c *spacetime.Conn) { read(ctx, c, 0) }, nil, 0, time.Minute},
		{"it says something before it is asked", func(ctx context.Context, c *spacetime.Conn) { read(ctx, c, 0) },
			[]time.Duration{20 * time.Second}, 0, time.Minute},
		{"it says something when it is asked", func(ctx context.Context, c *spacetime.Conn) { read(ctx, c, 0) },
			[]time.Duration{40 * time.Second}, 0, 2 * time.Minute},
		{"its message is being answered", func(ctx context.Context, c *spacetime.Conn) { read(ctx, c, 55*time.Second) },
			[]time.Duration{20 * time.Second}, 0, 2 * time.Minute},
		{"a message is on its way to it", func(ctx context.Context, c *spacetime.Conn) {
			time.AfterFunc(20*time.Second, func() { c.Write(ctx, make([]byte, 1<<16)) })
			read(ctx, c, 0)
		}, nil, 80 * time.Second, 2 * time.Minute},
		{"its message comes when it is asked, and is being answered", func(ctx context.Context, c *spacetime.Conn) { read(ctx, c, 55*time.Second) },
			[]time.Duration{40 * time.Second}, 0, 150 * time.Second},
		{"the program stops reading after an hour", func(ctx context.Context, c *spacetime.Conn) {
			time.Sleep(time.Hour)
		}, nil, 0, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, spacetime.Config{Serve: tt.serve}, func(t *testing.T, w *world, p pipes) {
				conn, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				answers := w.subscribeBy(t, conn, w.issuer.Token(map[string]any{"exp": began.Add(24 * time.Hour).Unix()}))
				for _, at := range tt.says {
					time.AfterFunc(at, func() { conn.Write([]byte{0x82, 0x80, 0, 0, 0, 0}) }) // binary, empty, masked
				}
				if tt.takes > 0 {
					readFrame(t, answers) // the first message
					time.Sleep(tt.takes)
				}
				io.Copy(io.Discard, answers)
				if after := time.Since(began); after < tt.gone || after > tt.gone+5*time.Second { // to close it
					t.Errorf("the connection ended after %v, want %v", after, tt.gone)
				}
			})
		})
	}
}

// A client whose message takes minutes to arrive is there, and one that has sent a part of
// a message is not there for ever.
func TestConn_SlowMessage(t *testing.T) {
	const pieces, piece = 200, 1000
	for _, tt := range []struct {
		name string
		sent int           // pieces, one a second
		gone time.Duration // when the connection is broken off
	}{
		{"all of it", pieces, 4 * time.Minute},
		{"a part of it", 45, 2 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got int
			cfg := spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
				c.SetReadLimit(pieces * piece)
				for {
					message, err := c.Read(ctx)
					if err != nil {
						return
					}
					got = len(message)
				}
			}}
			inBubble(t, cfg, func(t *testing.T, w *world, p pipes) {
				conn, err := p.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				answers := w.subscribeBy(t, conn, w.issuer.Token(map[string]any{"exp": began.Add(24 * time.Hour).Unix()}))
				go func() {
					head := binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, pieces*piece) // binary, masked
					conn.Write(append(head, 0, 0, 0, 0))
					for range tt.sent {
						time.Sleep(time.Second)
						conn.Write(make([]byte, piece))
					}
				}()
				io.Copy(io.Discard, answers)
				if after := time.Since(began); after != tt.gone {
					t.Errorf("the connection ended after %v, want %v", after, tt.gone)
				}
				synctest.Wait()
				if whole := tt.sent == pieces; (got == pieces*piece) != whole {
					t.Errorf("the program got %d bytes, want all: %t", got, whole)
				}
			})
		})
	}
}

// A program closes a connection with a code and a reason of its own.
func TestConn_Close(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true, Serve: func(_ context.Context, c *spacetime.Conn) {
		c.Close(4029, "too many")
	}})
	socket, _, err := w.dial(t, "", v3)
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, socket)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err = socket.Read(ctx)
	if closed, _ := errors.AsType[websocket.CloseError](err); closed.Code != 4029 || closed.Reason != "too many" {
		t.Errorf("Read() error = %v, want code 4029 and the reason", err)
	}
}

// A message may be as long as the limit says, and no longer.
func TestConn_SetReadLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit int64 // 0 leaves it as it is
		size  int
		want  websocket.StatusCode // -1 for the message
	}{
		{"as long as it is at first", 0, 32 << 10, -1},
		{"longer than that", 0, 32<<10 + 1, websocket.StatusMessageTooBig},
		{"as long as was set", 100, 100, -1},
		{"longer than was set", 100, 101, websocket.StatusMessageTooBig},
		{"as long as a higher limit", 100 << 10, 100 << 10, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, spacetime.Config{Anonymous: true, Serve: func(ctx context.Context, c *spacetime.Conn) {
				if tt.limit != 0 {
					c.SetReadLimit(tt.limit)
				}
				for {
					message, err := c.Read(ctx)
					if err != nil || c.Write(ctx, message[:1]) != nil {
						return
					}
				}
			}})
			socket, _, err := w.dial(t, "", v3)
			if err != nil {
				t.Fatal(err)
			}
			greeted(t, socket)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := socket.Write(ctx, websocket.MessageBinary, make([]byte, tt.size)); err != nil {
				t.Fatal(err)
			}
			_, _, err = socket.Read(ctx)
			if got := websocket.CloseStatus(err); got != tt.want || (err == nil) != (tt.want == -1) {
				t.Errorf("Read() error = %v, want status %d", err, tt.want)
			}
		})
	}
}
