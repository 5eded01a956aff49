package oidcauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// whoami answers with the subject that the context names.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if c, ok := oidcauth.FromContext(r.Context()); ok {
		io.WriteString(w, c.Subject())
		return
	}
	io.WriteString(w, "nobody")
})

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestMiddleware(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://down.test"})
	down.Fail(oidctest.JWKS, oidctest.Fault{Status: 503})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, {URL: down.URL(), Audiences: []string{testAudience}}},
		Client:  oidctest.Client(issuer, down),
	})
	good := "Authorization: Bearer " + issuer.Token(nil)
	expired := "Authorization: Bearer " + issuer.Token(map[string]any{"exp": 1})
	unreachable := "Authorization: Bearer " + down.Token(map[string]any{"sub": "bob", "aud": testAudience})
	tests := []struct {
		name      string
		handler   http.Handler
		headers   []string
		status    int
		body      string // of a good answer, or the error code
		challenge string
	}{
		{"good token", a.Middleware(whoami), []string{good}, 200, "alice", ""},
		{"no token", a.Middleware(whoami), nil, 401, "unauthorized", `Bearer realm="api"`},
		{"expired token", a.Middleware(whoami), []string{expired}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="the token has expired"`},
		{"the same token twice", a.Middleware(whoami), []string{good, good}, 200, "alice", ""},
		{"two tokens", a.Middleware(whoami), []string{good, expired}, 400, "invalid_request",
			`Bearer error="invalid_request", error_description="the request is malformed or carries more than one token"`},
		{"keys unavailable", a.Middleware(whoami), []string{unreachable}, 503, "temporarily_unavailable", ""},
		{"optional, good token", a.Optional(whoami), []string{good}, 200, "alice", ""},
		{"optional, no token", a.Optional(whoami), nil, 200, "nobody", ""},
		{"optional, expired token", a.Optional(whoami), []string{expired}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="the token has expired"`},
		{"optional, malformed header", a.Optional(whoami), []string{"Authorization: Bearer"}, 400, "invalid_request",
			`Bearer error="invalid_request", error_description="the request is malformed or carries more than one token"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := serve(tt.handler, newRequest(t, "GET /", tt.headers...))
			body := bodyOf(t, resp)
			if resp.StatusCode != tt.status {
				t.Fatalf("status = %d, want %d: %s", resp.StatusCode, tt.status, body)
			}
			if got := resp.Header.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge = %q, want %q", got, tt.challenge)
			}
			if (resp.Header.Get("Retry-After") != "") != (tt.status == 503) {
				t.Errorf("Retry-After = %q with status %d", resp.Header.Get("Retry-After"), tt.status)
			}
			if tt.status == 200 {
				if body != tt.body {
					t.Errorf("body = %q, want %q", body, tt.body)
				}
				return
			}
			var refusal map[string]string
			if err := json.Unmarshal([]byte(body), &refusal); err != nil || refusal["error"] != tt.body || refusal["error_description"] == "" {
				t.Errorf("body = %s, want the error %q and its description", body, tt.body)
			}
		})
	}
}

// A caller that an outer handler put into the context does not survive a
// request without token.
func TestOptional_ReplacesCaller(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	r := newRequest(t, "GET /")
	r = r.WithContext(oidcauth.NewInternalContext(r.Context()))
	a.Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := oidcauth.Require(r.Context()); !errors.Is(err, oidcauth.ErrNoToken) {
			t.Errorf("Require() error = %v, want %v", err, oidcauth.ErrNoToken)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestRefuse(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
		ResourceMetadataURL: "https://db.test/.well-known/oauth-protected-resource",
	})
	metadata := `resource_metadata="https://db.test/.well-known/oauth-protected-resource"`
	tests := []struct {
		err       error
		status    int
		challenge string
	}{
		{oidcauth.ErrNoToken, 401, "Bearer " + metadata},
		{oidcauth.ErrSignature, 401, `Bearer error="invalid_token", error_description="the token is not accepted", ` + metadata},
		{fmt.Errorf("wrapped: %w", oidcauth.ErrForbidden), 403, `Bearer error="insufficient_scope", error_description="the caller may not do this", ` + metadata},
		{oidcauth.ErrOrigin, 403, `Bearer error="access_denied", error_description="the origin is not allowed", ` + metadata},
		{oidcauth.ErrKeysUnavailable, 503, ""},
		{oidcauth.ErrClosed, 503, ""},
		{errors.New("disk full"), 500, ""},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		a.Refuse(w, newRequest(t, "GET /"), tt.err)
		if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge {
			t.Errorf("Refuse(%v) = %d %q, want %d %q", tt.err, w.Code, w.Header().Get("WWW-Authenticate"), tt.status, tt.challenge)
		}
		if strings.Contains(w.Body.String(), "disk") {
			t.Errorf("Refuse(%v) tells the caller: %s", tt.err, w.Body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("Refuse(%v) Cache-Control = %q, want no-store", tt.err, got)
		}
	}
}

func TestAnswer(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{oidcauth.ErrNoToken, 401, "unauthorized"},
		{fmt.Errorf("wrapped: %w", oidcauth.ErrExpired), 401, "invalid_token"},
		{oidcauth.ErrForbidden, 403, "insufficient_scope"},
		{oidcauth.ErrKeysUnavailable, 503, "temporarily_unavailable"},
		{errors.New("disk full"), 500, "server_error"},
	}
	for _, tt := range tests {
		status, code, description := oidcauth.Answer(tt.err)
		if status != tt.status || code != tt.code || description == "" || strings.Contains(description, "disk") {
			t.Errorf("Answer(%v) = %d %q %q, want %d %q", tt.err, status, code, description, tt.status, tt.code)
		}
	}
}

func TestRefuse_Head(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	resp := serve(a.Middleware(whoami), newRequest(t, "HEAD /"))
	if body := bodyOf(t, resp); resp.StatusCode != 401 || body != "" {
		t.Errorf("HEAD = %d %q, want 401 without body", resp.StatusCode, body)
	}
}

// One line a refusal, which says what was got and wanted, and no token.
func TestMiddleware_Log(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var log logBuffer
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.QueryToken("access_token")),
	})
	token := issuer.Token(map[string]any{"aud": "other-db"})
	serve(a.Middleware(whoami), newRequest(t, "GET /", "Authorization: Bearer "+token))
	for _, want := range []string{"other-db", testAudience, "status=401"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log = %s, want %q in it", &log, want)
		}
	}
	if n := strings.Count(log.String(), "request refused"); n != 1 {
		t.Errorf("%d lines for one refusal", n)
	}
	serve(a.Middleware(whoami), newRequest(t, "GET /?access_token="+token))
	serve(a.Middleware(whoami), newRequest(t, "GET /?access_token="+token, "Authorization: Bearer "+token))
	serve(a.Middleware(whoami), newRequest(t, "GET /", "Authorization: Bearer "+token+"x"))
	for part := range strings.SplitSeq(token, ".") {
		if strings.Contains(log.String(), part) {
			t.Errorf("a part of the token is in the log: %s", &log)
		}
	}
}

func ExampleAuthenticator_Middleware() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{}) // your provider
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(), // only since the issuer of this example is not on the network
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()

	handler := auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := oidcauth.FromContext(r.Context())
		fmt.Fprintln(w, "hello", caller.Subject())
	}))

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": "alice", "aud": "my-db"}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output: hello alice
}
