// Package authtest is what the tests of the packages above the root share: an
// issuer with its description, an Authenticator that ends with the test, what a
// token must be answered with, and a log that may be read while it is written.
package authtest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Audience is whom the tests' tokens are for.
const Audience = "my-db"

// NewIssuer starts an issuer in memory, whose tokens are alice's for [Audience]
// unless cfg says otherwise, and describes it.
func NewIssuer(t testing.TB, cfg oidctest.Config) (*oidctest.Issuer, oidcauth.Issuer) {
	t.Helper()
	if cfg.Claims == nil {
		cfg.Claims = map[string]any{"sub": "alice", "aud": Audience}
	}
	issuer := oidctest.NewIssuer(t, cfg)
	return issuer, oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{Audience}}
}

// NewAuthenticator makes an Authenticator that ends with the test.
func NewAuthenticator(t testing.TB, cfg oidcauth.Config) *oidcauth.Authenticator {
	t.Helper()
	if cfg.Logger == nil && said.Kept() {
		cfg.Logger = slog.New(slog.NewJSONHandler(said.Writer{}, &slog.HandlerOptions{Level: slog.LevelDebug - 100, AddSource: true}))
	}
	a, err := oidcauth.New(cfg)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// Wants fails the test unless the token is refused for the reason want, or
// accepted if want is nil. It returns the claims.
func Wants(t testing.TB, a *oidcauth.Authenticator, token string, want error) *oidcauth.Claims {
	t.Helper()
	c, err := a.Authenticate(t.Context(), token)
	said.Error(err)
	if !errors.Is(err, want) {
		t.Errorf("Authenticate() error = %v, want %v", err, want)
	}
	return c
}

// Authenticate returns the claims of a token that must be accepted.
func Authenticate(t testing.TB, a *oidcauth.Authenticator, token string) *oidcauth.Claims {
	t.Helper()
	c, err := a.Authenticate(context.Background(), token)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	return c
}

// Revoke makes a revocation that must be accepted.
func Revoke(t testing.TB, a *oidcauth.Authenticator, r oidcauth.Revocation) {
	t.Helper()
	if err := a.Revoke(t.Context(), r); err != nil {
		t.Fatalf("Revoke() error = %v", err)
	}
}

// ExpectEnd fails the test unless the session has ended for the reason that
// Authenticate gives for a token, or lives if that accepts it. It is for use in a
// bubble of synctest.
func ExpectEnd(t testing.TB, s *oidcauth.Session, want error) {
	t.Helper()
	synctest.Wait()
	cause := context.Cause(s.Context())
	if !errors.Is(cause, want) {
		t.Errorf("session ended with %v, want %v", cause, want)
	}
	if _, ok := errors.AsType[*oidcauth.Refusal](cause); want != nil && !ok {
		t.Errorf("cause is a %T, want a *Refusal", cause)
	}
}

// NewRequest makes a request as a row of a table writes it: a line of method and
// address, then headers.
func NewRequest(t testing.TB, line string, headers ...string) *http.Request {
	t.Helper()
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// A Transport is a network that exists in memory only.
type Transport func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f Transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FailedStep returns what a report says of a check, which must have failed.
func FailedStep(t testing.TB, r explain.Report, check string) explain.Step {
	t.Helper()
	for _, s := range r.Steps {
		if s.Check == check && s.Verdict == explain.Failed {
			return s
		}
	}
	t.Fatalf("check %q did not fail:\n%s", check, r)
	return explain.Step{}
}
