package streams_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/examples/guide/streams"
	"github.com/oidcauth/oidcauth/guard"
	"github.com/oidcauth/oidcauth/oidctest"
)

// newAuth returns an Authenticator and the issuer whose tokens it takes.
func newAuth(t *testing.T) (*oidcauth.Authenticator, *oidctest.Issuer) {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth, issuer
}

// A listener has the one connection, in memory, of a test inside testing/synctest.
type listener struct {
	net.Listener // nil: of its methods those below alone are called
	conns        chan net.Conn
}

func (l listener) Accept() (net.Conn, error) {
	if conn, more := <-l.conns; more {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l listener) Close() error { close(l.conns); return nil }

// listen serves HTTP/2 with time limits, which pipes.Listen does not.
func listen(handler http.Handler) (*http.Server, *http.Client) {
	l, two := listener{conns: make(chan net.Conn, 1)}, new(http.Protocols)
	two.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: two, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go server.Serve(l)
	return server, &http.Client{Transport: &http.Transport{Protocols: two, DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		l.conns <- far
		return near, nil
	}}}
}

// request opens a stream as the bearer of a token. Close its body.
func request(t *testing.T, client *http.Client, method, token string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://db.test/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// TestWithSession_Reads: a stream that waits for its client outlives the server's time limits
// and a renewal, and ends when its token is revoked, with the handler's last words.
func TestWithSession_Reads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth, issuer := newAuth(t)
		server, client := listen(streams.WithSession(auth, t.Context(), echo(t, issuer)))
		defer server.Close()
		defer client.CloseIdleConnections()
		body, send := io.Pipe()
		defer send.Close()
		response := request(t, client, "POST", issuer.Token(map[string]any{"sub": "alice"}), body)
		defer response.Body.Close()
		for _, message := range []string{"hello", "renew", "again"} {
			time.Sleep(20 * time.Minute) // the first token lives for an hour
			io.WriteString(send, message)
			got := make([]byte, len(message))
			if _, err := io.ReadFull(response.Body, got); string(got) != message {
				t.Fatalf("got %q, %v, want %q", got, err, message)
			}
		}
		time.Sleep(time.Minute)
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		if last, err := io.ReadAll(response.Body); string(last) != "the token was revoked" {
			t.Errorf("the last words are %q, error %v", last, err)
		}
	})
}

// echo answers each message with itself, and takes "renew" for a wish for another token.
func echo(t *testing.T, issuer *oidctest.Issuer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, message := streams.SessionOf(r.Context()), make([]byte, 5)
		for http.NewResponseController(w).Flush() == nil {
			if _, err := io.ReadFull(r.Body, message); err != nil {
				cause := context.Cause(session.Context())
				if of := context.Cause(r.Context()); !errors.Is(cause, oidcauth.ErrRevoked) || !errors.Is(of, oidcauth.ErrRevoked) {
					t.Errorf("read error = %v, the session's end %v, the context's %v", err, cause, of)
				}
				_, _, description := oidcauth.Answer(cause)
				io.WriteString(w, description)
				return
			}
			if string(message) == "renew" {
				if _, err := session.Renew(r.Context(), issuer.Token(map[string]any{"sub": "alice"})); err != nil {
					t.Errorf("Renew() error = %v", err)
				}
			}
			if err := oidcauth.Require(session.CallContext()); err != nil {
				t.Errorf("Require() error = %v", err)
			}
			w.Write(message)
		}
	})
}

// TestWithSession_Writes: a client that takes nothing does not hold a stream whose token was
// revoked.
func TestWithSession_Writes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth, issuer := newAuth(t)
		ended := make(chan error, 1)
		server, client := pipes.Listen(streams.WithSession(auth, t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					ended <- context.Cause(streams.SessionOf(r.Context()).Context())
					return
				}
			}
		})))
		defer server.Close()
		defer client.CloseIdleConnections()
		response := request(t, client, "GET", issuer.Token(map[string]any{"sub": "alice"}), nil)
		defer response.Body.Close()
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		select {
		case cause := <-ended:
			if !errors.Is(cause, oidcauth.ErrRevoked) {
				t.Errorf("the session ended with %v", cause)
			}
		default:
			t.Error("the handler waits for room")
		}
	})
}

// TestWithSession_Left: what is done for a client ends when it has left, or the server stops.
func TestWithSession_Left(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{true, false} {
		stopping, stop := context.WithCancel(t.Context())
		ctx, leave := context.WithCancel(t.Context())
		defer stop()
		defer leave()
		if leaves {
			testLeft(ctx, t, stopping, leave)
		} else {
			testLeft(ctx, t, stopping, stop)
		}
	}
}

func testLeft(ctx context.Context, t *testing.T, stopping context.Context, end func()) {
	auth, issuer := newAuth(t)
	left := make(chan error, 1)
	server := httptest.NewServer(streams.WithSession(auth, stopping, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		call := streams.SessionOf(r.Context()).CallContext()
		<-call.Done()
		left <- oidcauth.Require(call)
	})))
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+issuer.Token(nil))
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	end()
	if err := <-left; !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Require() error = %v, want ErrClosed", err)
	}
	response.Body.Close()
}

// TestWithSession_Connection: the connection of a stream that has ended serves others, where
// no time limit for its body could end them.
func TestWithSession_Connection(t *testing.T) {
	t.Parallel()
	for _, at := range []struct{ http2, body, kept bool }{{kept: true}, {body: true}, {http2: true, body: true, kept: true}} {
		auth, issuer := newAuth(t)
		begun := make(chan bool, 1)
		server := httptest.NewUnstartedServer(streams.WithSession(auth, t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/next" {
				if err := r.Context().Err(); err != nil {
					t.Errorf("%+v: the next request has ended as it begins: %v", at, err)
				}
				return
			}
			http.NewResponseController(w).Flush()
			begun <- true
			<-r.Context().Done()
		})))
		server.EnableHTTP2 = at.http2
		server.StartTLS()
		defer server.Close()
		get := func(path, subject string) (response *http.Response, reused bool) {
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
			r, err := http.NewRequestWithContext(ctx, "POST", server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if at.body {
				r.Body = io.NopCloser(strings.NewReader("what is it?")) // of a length that nobody knows
			}
			r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": subject}))
			if response, err = server.Client().Do(r); err != nil {
				t.Fatal(err)
			}
			return response, reused
		}
		stream, _ := get("/", "alice")
		<-begun
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(stream.Body); err != nil {
			t.Errorf("%+v: the stream ends with %v", at, err)
		}
		stream.Body.Close()
		next, reused := get("/next", "bob")
		if next.Body.Close(); next.StatusCode != http.StatusOK || reused != at.kept {
			t.Errorf("%+v: the next request: %d, by the same connection %v", at, next.StatusCode, reused)
		}
	}
}

// TestWithSession_Guarded: a guard around it hears what a handler asks by the session.
func TestWithSession_Guarded(t *testing.T) {
	t.Parallel()
	auth, issuer := newAuth(t)
	for role, want := range map[string]int{"writer": http.StatusOK, "reader": http.StatusForbidden} {
		h := guard.Handler(auth, nil, streams.WithSession(auth, t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			oidcauth.Require(streams.SessionOf(r.Context()).CallContext(), oidcauth.HasRole("writer"))
			io.WriteString(w, "rows")
		})))
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"roles": role}))
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d, want %d", role, w.Code, want)
		}
	}
}

// TestWithSession_Proxied: a WebSocket to a server behind a proxy ends with its token, at
// both ends.
func TestWithSession_Proxied(t *testing.T) {
	t.Parallel()
	auth, issuer := newAuth(t)
	gone := make(chan error, 1)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("Accept() error = %v", err)
			return
		}
		_, _, err = conn.Read(t.Context())
		gone <- err
	}))
	defer behind.Close()
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(streams.WithSession(auth, t.Context(), proxy))
	defer server.Close()
	options := &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + issuer.Token(map[string]any{"sub": "alice"})}}}
	conn, _, err := websocket.Dial(t.Context(), server.URL, options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	if err := <-gone; err == nil {
		t.Error("the server behind got a message, want the end")
	}
	if _, _, err := conn.Read(t.Context()); err == nil {
		t.Error("the client got a message, want the end")
	}
}
