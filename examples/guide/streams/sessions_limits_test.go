package streams_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/streams"
)

// serve serves both protocols with time limits, and returns the client's end of a connection.
func serve(t *testing.T, handler http.Handler) net.Conn {
	l, both := listener{conns: make(chan net.Conn, 1)}, new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: both, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close() })
	l.conns <- far
	return near
}

// TestWithSession_Upload: over HTTP/1.1, too, a handler that waits for its client outlives the
// server's time limits, and is woken when the token is revoked, with time to say why.
func TestWithSession_Upload(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
		synctest.Test(t, func(t *testing.T) {
			auth, issuer := newAuth(t)
			conn := serve(t, streams.WithSession(auth, t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				_, _, why := oidcauth.Answer(context.Cause(r.Context()))
				io.WriteString(w, why)
			})))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: db.test\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n",
				issuer.Token(map[string]any{"sub": "alice"}), length)
			answer := make(chan string, 1)
			go func() {
				all, _ := io.ReadAll(conn)
				answer <- string(all)
			}()
			time.Sleep(20 * time.Minute)
			synctest.Wait()
			select {
			case early := <-answer:
				t.Fatalf("%s: the stream ended before its token: %s", length, early)
			default:
			}
			if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			select {
			case last := <-answer:
				if !bytes.HasSuffix([]byte(last), []byte("the token was revoked")) {
					t.Errorf("%s: the answer is %q", length, last)
				}
			default:
				t.Errorf("%s: the handler waits for its client", length)
			}
		})
	}
}

// TestWithSession_Deaf: what a handler has left behind is not kept for a client that takes
// nothing, although the server's own time limit was taken away.
func TestWithSession_Deaf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth, issuer := newAuth(t)
		conn := serve(t, streams.WithSession(auth, t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "rows")
		})))
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: db.test\r\nAuthorization: Bearer %s\r\n\r\n", issuer.Token(nil))
		time.Sleep(11 * time.Second)
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("the server has waited with %d bytes", n)
		}
	})
}

// TestLimits_Behind: a time limit that is set as a stream ends does not go off behind it over
// HTTP/2, where nginx takes that for the end of the stream that follows.
func TestLimits_Behind(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*oidcauth.Authenticator, context.Context) http.Handler{
		"Events": func(auth *oidcauth.Authenticator, stopping context.Context) http.Handler {
			return streams.Events(auth, stopping, nil)
		},
		"WithSession": func(auth *oidcauth.Authenticator, stopping context.Context) http.Handler {
			return streams.WithSession(auth, stopping, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
		},
		"WithSession of a call": func(auth *oidcauth.Authenticator, stopping context.Context) http.Handler {
			return streams.WithSession(auth, stopping, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "rows")
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testBehind(t, handler) })
		})
	}
}

func testBehind(t *testing.T, handler func(*oidcauth.Authenticator, context.Context) http.Handler) {
	auth, issuer := newAuth(t)
	stopping, stop := context.WithCancel(t.Context())
	defer stop()
	conn := serve(t, handler(auth, stopping))
	defer conn.Close()
	ended, reset := 0, make(chan string, 1000)
	frames := http2.NewFramer(conn, conn)
	go func() {
		open := map[uint32]bool{}
		for {
			frame, err := frames.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.HeadersFrame:
				open[frame.StreamID] = true
			case *http2.DataFrame:
				if frame.StreamEnded() {
					delete(open, frame.StreamID)
					ended++
				}
			case *http2.RSTStreamFrame:
				if !open[frame.StreamID] {
					reset <- frame.String()
				}
			}
		}
	}()
	io.WriteString(conn, http2.ClientPreface)
	frames.WriteSettings()
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	token := issuer.Token(nil)
	const n = 200
	for i := range n {
		block.Reset()
		for _, field := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"},
			{Name: ":authority", Value: "db.test"}, {Name: ":path", Value: "/"}, {Name: "authorization", Value: "Bearer " + token}} {
			fields.WriteField(field)
		}
		frames.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
	synctest.Wait()
	stop()
	time.Sleep(time.Minute)
	synctest.Wait()
	if ended != n || len(reset) > 0 {
		t.Errorf("%d of %d streams have ended, %d were reset behind that", ended, n, len(reset))
	}
}

// A slowWriter takes its time to take time limits.
type slowWriter struct {
	*httptest.ResponseRecorder
	taken int
}

func (w *slowWriter) SetWriteDeadline(time.Time) error {
	time.Sleep(time.Second)
	w.taken++
	return nil
}

// TestWithSession_Over: behind the handler, also where it panics, nothing touches the writer,
// whose connection is the next request's by then.
func TestWithSession_Over(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			auth, issuer := newAuth(t)
			h := streams.WithSession(auth, t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				auth.Revoke(r.Context(), oidcauth.Revocation{Subject: "alice"})
				<-r.Context().Done()
				if panics {
					panic(http.ErrAbortHandler)
				}
			}))
			r, w := httptest.NewRequest("GET", "/", nil), &slowWriter{ResponseRecorder: httptest.NewRecorder()}
			r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": "alice"}))
			func() {
				defer func() { recover() }()
				h.ServeHTTP(w, r)
			}()
			taken := w.taken
			time.Sleep(time.Minute)
			synctest.Wait()
			if taken != w.taken {
				t.Errorf("panics %v: a time limit was set behind the handler", panics)
			}
		})
	}
}
