package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

var errForeign = errors.New("the program's own")

// A foreignError is of a type that only the program knows.
type foreignError struct{ err error }

func (e *foreignError) Error() string { return "foreign: " + e.err.Error() }

func (e *foreignError) Unwrap() error { return e.err }

// foreign returns errors of the program that wrap the sentinel.
func foreign(sentinel error) map[string]error {
	return map[string]error{
		"itself":         &foreignError{errors.Join(errForeign, sentinel)},
		"in a list":      &foreignError{fmt.Errorf("%w: %w", sentinel, errForeign)},
		"in a refusal":   &foreignError{errors.Join(&oidcauth.Refusal{Err: sentinel}, errForeign)},
		"in a long text": &foreignError{fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.Join(errForeign, sentinel)))},
	}
}

// wantsCause fails the test unless err is, of all sentinels, want alone, is
// answered with the status, and tells the program's own error.
func wantsCause(t *testing.T, err, want error, status int) {
	t.Helper()
	for _, s := range sentinels {
		if got := errors.Is(err, s); got != (s == want) {
			t.Errorf("errors.Is(%q, %q) = %v", err, s, got)
		}
	}
	if got, _, _ := oidcauth.Answer(err); got != status {
		t.Errorf("Answer(%q) has status %d, want %d", err, got, status)
	}
	if !errors.Is(err, errForeign) {
		t.Errorf("errors.Is(%q, %q) = false", err, errForeign)
	}
	if _, ok := errors.AsType[*foreignError](err); !ok {
		t.Errorf("%q has lost the program's error", err)
	}
}

// Whatever error a rule of the program's returns, the refusal is that of a rule.
func TestRule_WrapsAnotherSentinel(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var broken error
	trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { return broken }}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	caller := oidcauth.NewContext(t.Context(), wants(t, a, token, nil))
	if err := oidcauth.Require(caller); err != nil {
		t.Fatal(err)
	}
	for _, s := range sentinels {
		for name, err := range foreign(s) {
			t.Run(fmt.Sprintf("%v %s", s, name), func(t *testing.T) {
				broken = err
				_, refusal := a.Authenticate(t.Context(), token)
				wantsCause(t, refusal, oidcauth.ErrRule, 401)
				wantsCause(t, a.Explain(t.Context(), token).Err, oidcauth.ErrRule, 401)
				rule := func(*oidcauth.Claims) error { return err }
				wantsCause(t, oidcauth.Require(caller, rule), oidcauth.ErrForbidden, 403)
				if code, _ := oidcauth.CloseCode(refusal); code != 3000 {
					t.Errorf("CloseCode() = %d, want 3000", code)
				}
			})
		}
	}
}

// A log's error says why a revocation is not shared, and nothing else.
func TestRevoke_LogWrapsAnotherSentinel(t *testing.T) {
	t.Parallel()
	for _, s := range sentinels {
		for _, cause := range foreign(s) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: refusingLog{newMemoryLog(), cause},
				})
				wantsCause(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "bob"}), oidcauth.ErrRevocationsUnavailable, 503)
				a.Close()
			})
		}
	}
}

// A refusingLog takes nothing.
type refusingLog struct {
	*memoryLog
	err error
}

func (l refusingLog) Append(context.Context, oidcauth.Revocation) (bool, error) { return false, l.err }

// An error of the program's transport says why the keys are not there, and
// nothing else. Ready tells of everything that is missing.
func TestReady_TransportWrapsAnotherSentinel(t *testing.T) {
	t.Parallel()
	for _, s := range sentinels {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			client := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, s })}
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: client})
			_, err := a.Authenticate(t.Context(), issuer.Token(nil))
			_, keysErr := a.Keys(t.Context(), issuer.URL())
			for what, err := range map[string]error{"Authenticate": err, "Keys": keysErr, "Ready": a.Ready(t.Context())} {
				for _, other := range sentinels {
					if got := errors.Is(err, other); got != (other == oidcauth.ErrKeysUnavailable) {
						t.Errorf("%s: errors.Is(%q, %q) = %v", what, err, other, got)
					}
				}
			}
			a.Close()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		log := newMemoryLog()
		log.SetDown(true)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
		err := a.Ready(t.Context())
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
			t.Errorf("Ready() error = %v, want both that keys and that revocations are missing", err)
		}
		a.Close()
	})
}

func TestRefuse(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	resp := serve(a.Middleware(whoami), newRequest(t, "HEAD /"))
	if body := bodyOf(t, resp); resp.StatusCode != 401 || body != "" {
		t.Errorf("HEAD = %d %q, want 401 without body", resp.StatusCode, body)
	}
}
