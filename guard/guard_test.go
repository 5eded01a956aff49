package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/fips140"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/guard"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A server is a guarded one, with real connections.
type server struct {
	*httptest.Server
	log   *authtest.Log
	token string
}

// newServer serves routes of one mux, over HTTP/1.1 or HTTP/2, with the guard around
// the mux.
func newServer(t *testing.T, http2 bool, routes map[string]http.HandlerFunc) *server {
	return newServerOf(t, http2, routes, func(auth *oidcauth.Authenticator, log *slog.Logger, mux http.Handler) http.Handler {
		return auth.Optional(guard.Handler(auth, log, mux))
	})
}

func newServerOf(t *testing.T, http2 bool, routes map[string]http.HandlerFunc, of func(*oidcauth.Authenticator, *slog.Logger, http.Handler) http.Handler) *server {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": "my-db", "roles": "reader"}})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	s := &server{log: new(authtest.Log), token: issuer.Token(nil)}
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	guarded := of(auth, slog.New(slog.NewTextHandler(s.log, nil)), mux)
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "1")
		w.Header().Set("Date", "now")
		guarded.ServeHTTP(w, r)
	})
	s.Server = httptest.NewUnstartedServer(outer)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.EnableHTTP2 = http2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// get asks for a path with the token, or without.
func (s *server) get(t *testing.T, path, token string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

var (
	reader = oidcauth.HasRole("reader")
	writer = oidcauth.HasRole("writer")
)

// Nothing leaves the server before somebody said who may, by whatever method a
// handler writes; once somebody has, everything does.
func TestHandler(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	writes := map[string]func(w http.ResponseWriter, r *http.Request){
		"body":        func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("secret")) },
		"string":      func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret") },
		"header":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"early hints": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); io.WriteString(w, "secret") },
		"error":       func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", 500) },
		"not found":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", 404) },
		"redirect":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/secret", http.StatusFound) },
		"flush":       func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "secret") },
		"flush by unwrapping": func(w http.ResponseWriter, _ *http.Request) {
			http.NewResponseController(w).Flush()
			io.WriteString(w, "secret")
		},
		"file": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		"copy": func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, bytes.NewReader([]byte("secret"))) },
		"trailer": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "secret")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "secret")
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
	}
	for _, http2 := range []bool{false, true} {
		for name, write := range writes {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", name, http2), func(t *testing.T) {
				t.Parallel()
				cookie := func(w http.ResponseWriter) { w.Header().Set("Set-Cookie", "secret=1"); w.Header().Del("X-Outer") }
				s := newServer(t, http2, map[string]http.HandlerFunc{
					"GET /forgets/{id}": func(w http.ResponseWriter, r *http.Request) { cookie(w); write(w, r) },
					"/late": func(w http.ResponseWriter, r *http.Request) {
						cookie(w)
						write(w, r)
						oidcauth.Require(r.Context(), reader)
						io.WriteString(w, "secret")
					},
					"/deaf": func(w http.ResponseWriter, r *http.Request) {
						cookie(w)
						oidcauth.Require(r.Context(), writer)
						write(w, r)
					},
					"/asks": func(w http.ResponseWriter, r *http.Request) {
						cookie(w)
						if oidcauth.Require(r.Context(), reader) == nil {
							write(w, r)
						}
					},
					"/public": func(w http.ResponseWriter, r *http.Request) { cookie(w); guard.Public(r.Context()); write(w, r) },
					"/plain":  write,
				})
				s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				for _, path := range []string{"/forgets/7", "/late", "/deaf"} {
					if path == "/late" && name == "nothing" || path == "/deaf" && (name == "error" || name == "not found") {
						continue // asks in time; refuses the caller, who was refused
					}
					answer, body := s.get(t, path, s.token)
					if answer.StatusCode != http.StatusForbidden || strings.Contains(fmt.Sprint(body, answer.Header, answer.Trailer), "secret") {
						t.Errorf("%s: %d %v %q", path, answer.StatusCode, answer.Header, body)
					}
					if !strings.Contains(body, "insufficient_scope") || answer.Header.Get("X-Outer") != "1" {
						t.Errorf("%s: header %v, body %q", path, answer.Header, body)
					}
				}
				if !strings.Contains(s.log.String(), `GET /forgets/{id}`) || strings.Contains(s.log.String(), "asks\"") {
					t.Errorf("logged %s", s.log)
				}
				wrote, body := s.get(t, "/asks", s.token)
				open, openBody := s.get(t, "/public", "")
				if wrote.StatusCode == http.StatusForbidden || wrote.StatusCode != open.StatusCode || body != openBody || wrote.Header.Get("Set-Cookie") == "" || wrote.Header.Get("X-Outer") != "" {
					t.Errorf("asks: %d %q %v; public: %d %q", wrote.StatusCode, body, wrote.Header, open.StatusCode, openBody)
				}
				if name == "trailer" && wrote.Trailer.Get("X-Sum") != "secret" {
					t.Errorf("trailer %v", wrote.Trailer)
				}
				if name != "nothing" && name != "header" && name != "redirect" && !strings.Contains(body, "secret") {
					t.Errorf("asks: body %q", body)
				}
			})
		}
	}
}

// Whoever was refused gets the refusal that the handler writes, and not more.
func TestHandler_Refused(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := newServerOf(t, http2, map[string]http.HandlerFunc{
			"/own": func(w http.ResponseWriter, r *http.Request) {
				if err := oidcauth.Require(r.Context(), writer); err != nil {
					http.Error(w, "own words", http.StatusTeapot)
				}
			},
			"/400": func(w http.ResponseWriter, r *http.Request) {
				oidcauth.Require(r.Context(), writer)
				http.Error(w, "own words", http.StatusBadRequest)
			},
			"/399": func(w http.ResponseWriter, r *http.Request) {
				oidcauth.Require(r.Context(), writer)
				w.WriteHeader(399)
			},
			"/ends": func(_ http.ResponseWriter, r *http.Request) { oidcauth.Require(r.Context(), writer) },
			"/both": func(w http.ResponseWriter, r *http.Request) {
				if oidcauth.Require(r.Context()) == nil && oidcauth.Require(r.Context(), writer) != nil {
					io.WriteString(w, "a reader's page")
				}
			},
		}, func(auth *oidcauth.Authenticator, log *slog.Logger, mux http.Handler) http.Handler {
			return guard.Handler(auth, log, auth.Optional(mux))
		})
		for _, tt := range []struct {
			path, token string
			status      int
			body        string
		}{
			{"/own", s.token, http.StatusTeapot, "own words"},
			{"/own", "", http.StatusTeapot, "own words"},
			{"/own", "x", http.StatusUnauthorized, "invalid_token"}, // by the middleware inside
			{"/400", s.token, http.StatusBadRequest, "own words"},
			{"/399", s.token, http.StatusForbidden, "insufficient_scope"},
			{"/ends", s.token, http.StatusForbidden, "insufficient_scope"},
			{"/both", s.token, http.StatusOK, "a reader's page"},
			{"/both", "", http.StatusForbidden, "insufficient_scope"},
			{"/missing", s.token, http.StatusForbidden, "insufficient_scope"},
		} {
			answer, body := s.get(t, tt.path, tt.token)
			if answer.StatusCode != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("%s with %d bytes of token: %d %q, want %d %q", tt.path, len(tt.token), answer.StatusCode, body, tt.status, tt.body)
			}
		}
		if !strings.Contains(s.log.String(), `GET /ends`) {
			t.Errorf("logged %s, want the route by its method and path", s.log)
		}
		const deaf, mute = "answers a caller whom it has refused", "asks neither Require nor Public"
		for path, want := range map[string]string{"/399": deaf, "/ends": deaf, "/missing": mute} {
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, "GET "+path) && strings.Contains(line, "did=") && !strings.Contains(line, want) {
					t.Errorf("%s: logged %s, want %q", path, line, want)
				}
			}
		}
	}
}

// An upgrade before anybody said who may is refused, and the connection stays the
// server's.
func TestHandler_WebSocket(t *testing.T) {
	accept := func(w http.ResponseWriter, r *http.Request) {
		var conn *websocket.Conn
		var err error
		fips140.WithoutEnforcement(func() { conn, err = websocket.Accept(w, r, nil) })
		if err != nil {
			return
		}
		conn.Write(r.Context(), websocket.MessageText, []byte("secret"))
		conn.Close(websocket.StatusNormalClosure, "")
	}
	s := newServer(t, false, map[string]http.HandlerFunc{
		"/forgets": accept,
		"/deaf":    func(w http.ResponseWriter, r *http.Request) { oidcauth.Require(r.Context(), writer); accept(w, r) },
		"/asks": func(w http.ResponseWriter, r *http.Request) {
			if oidcauth.Require(r.Context(), reader) == nil {
				accept(w, r)
			}
		},
		"/public": guard.PublicHandler(http.HandlerFunc(accept)).ServeHTTP,
	})
	for path, want := range map[string]int{"/forgets": 403, "/deaf": 403, "/asks": 101, "/public": 101} {
		options := &websocket.DialOptions{HTTPClient: s.Client(), HTTPHeader: http.Header{"Authorization": {"Bearer " + s.token}}}
		var conn *websocket.Conn
		var answer *http.Response
		var err error
		fips140.WithoutEnforcement(func() { conn, answer, err = websocket.Dial(t.Context(), s.URL+path, options) })
		if answer == nil || answer.StatusCode != want {
			t.Fatalf("%s: Dial() = %v, error %v, want %d", path, answer, err, want)
		}
		if want != 101 {
			continue
		}
		if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "secret" {
			t.Errorf("%s: Read() = %q, error %v", path, text, err)
		}
		conn.CloseNow()
	}
}

// The bare interface of a hijacker is held back too, by whatever way it is reached.
func TestHandler_Hijack(t *testing.T) {
	results := make(chan error, 1)
	hijack := func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		results <- err
		if err != nil {
			http.Error(w, "no connection", http.StatusNotImplemented)
			return
		}
		rw.WriteString("HTTP/1.1 299 Mine\r\nContent-Length: 6\r\n\r\nsecret")
		rw.Flush()
		conn.Close()
	}
	routes := map[string]http.HandlerFunc{
		"/forgets": hijack,
		"/public":  guard.PublicHandler(http.HandlerFunc(hijack)).ServeHTTP,
	}
	one, two := newServer(t, false, routes), newServer(t, true, routes)
	for _, tt := range []struct {
		s      *server
		path   string
		status int
	}{
		{one, "/forgets", 403}, {one, "/public", 299}, {two, "/forgets", 403}, {two, "/public", 501},
	} {
		answer, body := tt.s.get(t, tt.path, tt.s.token)
		if err := <-results; answer.StatusCode != tt.status || (err == nil) != (tt.status == 299) {
			t.Errorf("%s: %d %q, Hijack() error %v, want %d", tt.path, answer.StatusCode, body, err, tt.status)
		}
		if tt.status == 501 && answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: header %v, want that of the answer", tt.path, answer.Header)
		}
	}
}

// A stream that is allowed arrives as it is written.
func TestHandler_Streams(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		more := make(chan struct{})
		s := newServer(t, http2, map[string]http.HandlerFunc{
			"/events": func(w http.ResponseWriter, r *http.Request) {
				if err := oidcauth.Require(r.Context(), reader); err != nil {
					return
				}
				rc := http.NewResponseController(w)
				if err := rc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Errorf("SetWriteDeadline() error = %v", err)
				}
				io.WriteString(w, "first\n")
				if err := rc.Flush(); err != nil {
					t.Errorf("Flush() error = %v", err)
				}
				<-more
				io.WriteString(w, "second\n")
			},
		})
		r, _ := http.NewRequest("GET", s.URL+"/events", nil)
		r.Header.Set("Authorization", "Bearer "+s.token)
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(answer.Body)
		if line, err := lines.ReadString('\n'); line != "first\n" {
			t.Errorf("first line %q, error %v", line, err)
		}
		close(more)
		if line, err := lines.ReadString('\n'); line != "second\n" {
			t.Errorf("second line %q, error %v", line, err)
		}
		answer.Body.Close()
	}
}

// What is written in vain says so, and a handler that panics answers nothing.
func TestHandler_InVain(t *testing.T) {
	errs := make(chan error, 2)
	s := newServer(t, false, map[string]http.HandlerFunc{
		"/writes": func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write([]byte("secret"))
			errs <- err
			errs <- http.NewResponseController(w).Flush()
		},
		"/panics": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	})
	s.get(t, "/writes", s.token)
	for range 2 {
		if err := <-errs; err == nil {
			t.Error("a write in vain without an error")
		}
	}
	r, _ := http.NewRequest("GET", s.URL+"/panics", nil)
	if answer, err := s.Client().Do(r); err == nil {
		t.Errorf("a panic is answered with %d", answer.StatusCode)
	}
}

// A guard inside a guard, and a context outside of any, change nothing.
func TestHandler_Nested(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/public" {
			guard.Public(r.Context())
		}
		io.WriteString(w, "secret")
	})
	h := guard.Handler(auth, nil, guard.Handler(auth, nil, inner))
	for path, want := range map[string]int{"/public": 200, "/else": 403} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	guard.Public(context.Background())
	if err := oidcauth.Require(oidcauth.NewInternalContext(context.Background())); err != nil {
		t.Errorf("Require() error = %v", err)
	}
}

// Without a handler there is nothing to guard, and an Authenticator that was not made
// refuses all the same.
func TestHandler_Misuse(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(){"Handler": func() { guard.Handler(new(oidcauth.Authenticator), nil, nil) }, "PublicHandler": func() { guard.PublicHandler(nil) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s says nothing of a nil handler while the server is set up", name)
				}
			}()
			set()
		}()
	}
	var none context.Context
	guard.Public(none)
	for name, auth := range map[string]*oidcauth.Authenticator{"zero": new(oidcauth.Authenticator), "nil": nil} {
		w := httptest.NewRecorder()
		h := guard.Handler(auth, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret") }))
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: answered with %d, %q", name, w.Code, w.Body)
		}
	}
}
