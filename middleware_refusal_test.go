package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/asked"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The line about a refusal says which request it was, and whose token, if its signature
// held.
func TestRefuse_Line(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://i.test"})
	second := trusted
	second.Name, second.Audiences, trusted.Name = "second", []string{"another"}, "first"
	past := time.Now().Add(-time.Hour).Unix()
	good := issuer.Token(nil)
	forged := good[:len(good)-8] + "AAAAAAAA"
	other := map[string]string{"status": "401", "method": "GET", "path": "/a", "client": "203.0.113.9", "request_id": "r1"}
	with := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for k, v := range other {
			m[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, issuers := range [][]oidcauth.Issuer{{trusted}, {trusted, second}} {
		for _, tt := range []struct {
			name, token string
			want        map[string]string
		}{
			{"no token", "", with()},
			{"forged", forged, with()},
			{"another issuer", madeUp("https://nobody.test"), with()},
			{"expired", issuer.Token(map[string]any{"exp": past}), with("issuer", "https://i.test", "subject", "alice")},
			{"expired, of a subject with a line break", issuer.Token(map[string]any{"exp": past, "sub": "a\nb"}), with("issuer", "https://i.test", "subject", `a\nb`)},
			{"another audience", issuer.Token(map[string]any{"aud": "shop"}), with("issuer", "https://i.test", "subject", "alice")},
			{"no subject", issuer.Token(map[string]any{"sub": nil}), with("issuer", "https://i.test")},
			{"accepted, and forbidden", good, with("status", "403", "issuer", "https://i.test", "subject", "alice")},
		} {
			var log logBuffer
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: issuers, Client: issuer.Client(), Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
				Logger: slog.New(slog.NewJSONHandler(&log, nil)),
			})
			handler := a.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a.Refuse(w, r, oidcauth.Require(r.Context(), oidcauth.HasRole("admin")))
			}))
			r := newRequest(t, "GET /a?x=secret", "X-Forwarded-For: 203.0.113.9", "X-Request-Id: r1")
			r.RemoteAddr = "192.0.2.1:1"
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			line := map[string]any{}
			for text := range strings.Lines(log.String()) {
				if err := json.Unmarshal([]byte(text), &line); err != nil {
					t.Fatalf("%s: the log has %s: %v", tt.name, &log, err)
				}
				if line["msg"] == "request refused" {
					break
				}
				clear(line) // of the issuer's keys
			}
			if line["level"] != "INFO" || line["reason"] == nil || strings.Contains(log.String(), "secret") {
				t.Errorf("%s: the log has %s", tt.name, &log)
			}
			for _, name := range []string{"msg", "level", "reason", "time"} {
				delete(line, name)
			}
			got := map[string]string{}
			for name, value := range line {
				got[name] = fmt.Sprint(value)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s (%d descriptions): the log has %v, want %v", tt.name, len(issuers), got, tt.want)
			}
		}
	}
}

// Claims that nobody verified are nobody's in the log either.
func TestRefuse_LineOfUnverified(t *testing.T) {
	t.Parallel()
	var log authtest.Log
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c, err := oidcauth.UnverifiedClaims([]byte(`{"iss":"https://i.test","sub":"mallory","exp":4e9}`), oidcauth.Issuer{URL: "https://i.test", InsecureAnyAudience: true})
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t, "GET /")
	a.Refuse(httptest.NewRecorder(), r.WithContext(oidcauth.NewContext(r.Context(), c)), oidcauth.ErrForbidden)
	if !strings.Contains(log.String(), "request refused") || strings.Contains(log.String(), "mallory") {
		t.Errorf("the log has %s", &log)
	}
}

// A program's own failure is not called a refusal.
func TestRefuse_OwnFault(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, tt := range []struct {
		err   error
		level string
		text  string
	}{
		{errors.New("disk full"), "ERROR", "request failed"},
		{nil, "ERROR", "request failed"},
		{fmt.Errorf("in a handler: %w", oidcauth.ErrForbidden), "INFO", "request refused"},
		{oidcauth.ErrKeysUnavailable, "INFO", "request refused"},
		{(*nilError)(nil), "ERROR", "request failed"},
		{(*oidcauth.Refusal)(nil), "ERROR", "request failed"},
	} {
		var log authtest.Log
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		a.Refuse(httptest.NewRecorder(), newRequest(t, "GET /"), tt.err)
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level="+tt.level) || !strings.Contains(text, fmt.Sprintf("msg=%q", tt.text)) {
			t.Errorf("%v: the log has %s, want %s, %q", tt.err, text, tt.level, tt.text)
		}
	}
}

// The program writes the answer in its own words, and cannot grant anything by it.
func TestConfig_WriteRefusal(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	problem := func(w http.ResponseWriter, _ *http.Request, err error) {
		_, code, description := oidcauth.Answer(err)
		w.Header().Set("Content-Type", "application/problem+json")
		fmt.Fprintf(w, `{"type":"about:blank","title":%q,"detail":%q}`, code, description)
	}
	const asProblem = `{"type":"about:blank","title":"unauthorized","detail":"a bearer token is required"}`
	for _, tt := range []struct {
		name  string
		write func(http.ResponseWriter, *http.Request, error)
		want  int
		typ   string
		body  string
	}{
		{"nil", nil, 401, "application/json", `{"error":"unauthorized","error_description":"a bearer token is required"}` + "\n"},
		{"problem details", problem, 401, "application/problem+json", asProblem},
		{"nothing", func(http.ResponseWriter, *http.Request, error) {}, 401, "", ""},
		{"200", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(200); io.WriteString(w, "in") }, 401, "", "in"},
		{"a page to sign in at", func(w http.ResponseWriter, r *http.Request, _ error) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		}, 303, "text/html; charset=utf-8", "<a href=\"/login\">See Other</a>.\n\n"},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), WriteRefusal: tt.write})
		served := false
		handler := a.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, newRequest(t, "GET /"))
		h := w.Result().Header
		if served || w.Code != tt.want || w.Body.String() != tt.body || tt.typ != "" && h.Get("Content-Type") != tt.typ {
			t.Errorf("%s: %d, %q of type %q, want %d, %q of type %q", tt.name, w.Code, w.Body, h.Get("Content-Type"), tt.want, tt.body, tt.typ)
		}
		if h.Get("WWW-Authenticate") == "" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", tt.name, h)
		}
		w = httptest.NewRecorder()
		handler.ServeHTTP(w, newRequest(t, "GET /", "Authorization: Bearer "+issuer.Token(nil)))
		if !served || w.Code != 200 {
			t.Errorf("%s: the good twin: %d", tt.name, w.Code)
		}
	}
}

// A panic of the program's answer goes on, as a handler's does, to whoever serves the
// request: net/http tells of it, with its stack, unless it is the one by which handlers
// break off. Either way nothing is granted, also where somebody further out recovers and
// says nothing.
func TestConfig_WriteRefusalPanics(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, tt := range []struct {
		name      string
		write     func(http.ResponseWriter)
		value     any
		recovered bool
		want      int    // the status; 0 for none
		logged    string // by net/http, empty for nothing
	}{
		{"before it wrote", func(http.ResponseWriter) {}, "no template", false, 0, "no template"},
		{"before it wrote, recovered", func(http.ResponseWriter) {}, "no template", true, 401, ""},
		{"after it granted, recovered", func(w http.ResponseWriter) { w.WriteHeader(200) }, "no template", true, 401, ""},
		{"after it granted", func(w http.ResponseWriter) { io.WriteString(w, "ok") }, "no template", false, 0, "no template"},
		{"to break off", func(http.ResponseWriter) {}, http.ErrAbortHandler, false, 0, ""},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
			WriteRefusal: func(w http.ResponseWriter, _ *http.Request, _ error) { tt.write(w); panic(tt.value) }})
		var recovered any
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.recovered {
				defer func() { recovered = recover() }()
			}
			a.Middleware(http.NotFoundHandler()).ServeHTTP(w, r)
		}))
		var log logBuffer
		server.Config.ErrorLog = stdlog.New(&log, "", 0)
		server.Start()
		status := 0
		if response, err := server.Client().Get(server.URL); err == nil {
			status = response.StatusCode
			response.Body.Close()
		}
		server.Close()
		if status != tt.want || tt.recovered && recovered != tt.value {
			t.Errorf("%s: status %d, recovered %v; want %d and the panic", tt.name, status, recovered, tt.want)
		}
		if text := log.String(); (text == "") != (tt.logged == "") || !strings.Contains(text, tt.logged) || tt.logged != "" && !strings.Contains(text, "middleware_refusal_test.go") {
			t.Errorf("%s: net/http says %q, want %q and the stack", tt.name, text, tt.logged)
		}
	}
}

// A token that is sent where nobody looks is pointed out, and neither accepted nor told.
func TestRefuse_TokenElsewhere(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	token := issuer.Token(nil)
	for _, tt := range []struct{ name, line, header, want string }{
		{"none", "GET /", "", ""},
		{"query", "GET /?access_token=" + token, "", "query parameter"},
		{"cookie", "GET /", "Cookie: session=" + token, "the cookie"},
		{"subprotocol", "GET /", "Sec-WebSocket-Protocol: v1, " + token, "a subprotocol"},
	} {
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		r := newRequest(t, tt.line)
		if name, value, found := strings.Cut(tt.header, ": "); found {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		a.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: passed", tt.name) })).ServeHTTP(w, r)
		text := log.String()
		if hinted := strings.Contains(text, "hint="); w.Code != 401 || hinted != (tt.want != "") || !strings.Contains(text, tt.want) ||
			hinted && !strings.Contains(text, "Config.Extract") || strings.Contains(text, "eyJ") {
			t.Errorf("%s: status %d, the log has %s, want %q", tt.name, w.Code, text, tt.want)
		}
	}
}

// An error in which a Refusal is a nil pointer is no reason to panic.
func TestRefuse_NilRefusal(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	w := httptest.NewRecorder()
	a.Refuse(w, newRequest(t, "GET /?t="+issuer.Token(nil)), errors.Join((*oidcauth.Refusal)(nil), oidcauth.ErrNoToken))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", w.Code)
	}
}

// A handler that was mounted without Middleware refuses everybody. Its log says so, and
// does not blame the caller, who sent a good token where it belongs.
func TestRefuse_HandlerWithoutMiddleware(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var log logBuffer
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := oidcauth.Require(r.Context()); err != nil {
			a.Refuse(w, r, err)
		}
	})
	for _, tt := range []struct {
		name    string
		handler http.Handler
		status  int
		hinted  bool
	}{
		{"behind Middleware", a.Middleware(handler), 200, false},
		{"behind Optional", a.Optional(handler), 200, false},
		{"behind neither", handler, 401, true},
	} {
		w := httptest.NewRecorder()
		tt.handler.ServeHTTP(w, newRequest(t, "GET /", "Authorization: Bearer "+issuer.Token(nil)))
		text := log.String()
		if w.Code != tt.status || strings.Contains(text, "behind Middleware or Optional") != tt.hinted || strings.Contains(text, "another scheme") {
			t.Errorf("%s: status %d, the log has %s", tt.name, w.Code, text)
		}
	}
}

// That a client has left is nothing that the program failed at.
func TestRefuse_ClientLeft(t *testing.T) {
	t.Parallel()
	_, trusted := newIssuer(t, oidctest.Config{})
	left, leave := context.WithCancel(t.Context())
	leave()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want string
	}{
		{"the client left", left, fmt.Errorf("query: %w", context.Canceled), ""},
		{"the program canceled", t.Context(), context.Canceled, "level=ERROR"},
		{"the client left, and something failed", left, errors.New("disk full"), "level=ERROR"},
		{"the client left, and was refused", left, oidcauth.ErrForbidden, "level=INFO"},
	} {
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		a.Refuse(httptest.NewRecorder(), newRequest(t, "GET /").WithContext(tt.ctx), tt.err)
		if text := log.String(); (text == "") != (tt.want == "") || !strings.Contains(text, tt.want) {
			t.Errorf("%s: the log has %q, want %q", tt.name, text, tt.want)
		}
	}
}

// A route that is guarded twice refuses everybody whom the outer guard has let pass. Its
// log says so, and does not of a caller without token.
func TestRefuse_GuardedTwice(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
	other := newAuthenticator(t, cfg)
	var log logBuffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	a := newAuthenticator(t, cfg)
	logged := 0
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, tt := range []struct {
		name    string
		handler http.Handler
		token   string
		hinted  bool
	}{
		{"Middleware in Optional", a.Optional(a.Middleware(handler)), issuer.Token(nil), true},
		{"Middleware twice", a.Middleware(a.Middleware(handler)), issuer.Token(nil), true},
		{"without token", a.Optional(a.Middleware(handler)), "", false},
		{"in another's", other.Optional(a.Middleware(handler)), issuer.Token(nil), false},
	} {
		r := newRequest(t, "GET /")
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		w := httptest.NewRecorder()
		tt.handler.ServeHTTP(w, r)
		text := log.String()[logged:]
		logged += len(text)
		if w.Code != 401 || strings.Contains(text, "guard a route once") != tt.hinted {
			t.Errorf("%s: status %d, the log has %s", tt.name, w.Code, text)
		}
	}
}

// An answer that says to come back says when, in whole seconds and never at once.
func TestRefuse_RetryAfter(t *testing.T) {
	t.Parallel()
	a := new(oidcauth.Authenticator)
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"not known", oidcauth.ErrKeysUnavailable, "1"},
		{"a refusal that does not say", refusal.New(refusal.Key, oidcauth.ErrKeysUnavailable, "", ""), "1"},
		{"half a second", refusal.New(refusal.Key, oidcauth.ErrKeysUnavailable, "", "").After(time.Second / 2), "1"},
		{"a minute and a bit", refusal.New(refusal.Key, oidcauth.ErrKeysUnavailable, "", "").After(time.Minute + 1), "61"},
		{"not to come back", refusal.New(refusal.Key, oidcauth.ErrUnknownKey, "", "").After(time.Minute), ""},
	} {
		w := httptest.NewRecorder()
		a.Refuse(w, httptest.NewRequest(http.MethodGet, "/", nil), tt.err)
		if got := w.Header().Get("Retry-After"); got != tt.want {
			t.Errorf("%s: Retry-After %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whoever watches whether handlers ask who may learns of a refusal that one has written.
func TestRefuse_IsNoted(t *testing.T) {
	t.Parallel()
	var note asked.Note
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(asked.NewContext(r.Context(), &note))
	if note.Refused() {
		t.Error("noted too early")
	}
	new(oidcauth.Authenticator).Refuse(httptest.NewRecorder(), r, oidcauth.ErrForbidden)
	if !note.Refused() || note.Granted() {
		t.Error("the refusal is not noted")
	}
}

// A logout that is refused says where it came from, too.
func TestRefuse_LineOfLogout(t *testing.T) {
	t.Parallel()
	var log logBuffer
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	r := httptest.NewRequest(http.MethodPost, "/logout?logout_token=secret", nil)
	a.LogoutHandler().ServeHTTP(httptest.NewRecorder(), r)
	text := log.String()
	if !strings.Contains(text, "logout refused") || !strings.Contains(text, "method=POST path=/logout client=192.0.2.1") || strings.Contains(text, "secret") {
		t.Errorf("the log has %s", text)
	}
}
