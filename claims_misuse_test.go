package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Claims that no token gave, nil ones and the zero value, are nobody's: they are granted
// nothing, and hold nothing.
func TestClaims_Nobodys(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	absent, err := oidcauth.ClaimRule{Claim: oidcauth.Path{"x"}, Absent: true}.Rule()
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]oidcauth.Rule{
		"All of none": oidcauth.All(), "All": oidcauth.All(absent), "Any": oidcauth.Any(oidcauth.All()), "Any of the program's": oidcauth.Any(func(*oidcauth.Claims) error { return nil }), "HasRole": oidcauth.HasRole(""),
		"HasScope": oidcauth.HasScope(""), "HasIssuer": oidcauth.HasIssuer(""), "HasAudience": oidcauth.HasAudience(""), "ClaimRule": absent,
	}
	for name, c := range map[string]*oidcauth.Claims{"nil": nil, "zero": new(oidcauth.Claims)} {
		t.Run(name, func(t *testing.T) {
			for rule, satisfied := range rules {
				if satisfied(c) == nil {
					t.Errorf("%s is satisfied", rule)
				}
			}
			ctx := oidcauth.NewContext(t.Context(), c)
			if got, ok := oidcauth.FromContext(ctx); ok || got != nil {
				t.Errorf("FromContext() = %v, %t", got, ok)
			}
			if err := oidcauth.Require(ctx); !errors.Is(err, oidcauth.ErrNoToken) {
				t.Errorf("Require() error = %v, want %v", err, oidcauth.ErrNoToken)
			}
			s := a.NewSession(t.Context(), c)
			if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrNoToken) && !errors.Is(cause, oidcauth.ErrSignature) {
				t.Errorf("the session: %v", cause)
			}
			if c.HasRole("") || c.HasScope("") || c.HasAudience("") {
				t.Error("nobody has a role, a scope or an audience")
			}
			n := len(slices.Collect(c.Roles())) + len(slices.Collect(c.Scopes())) + len(slices.Collect(c.Audience())) + len(c.Payload()) + len(c.Supplement())
			_, found := c.Lookup()
			_, foundText := c.LookupString("sub")
			texts := c.Description() + c.KeyID() + c.SessionID() + c.TokenID() + c.Type()
			if n != 0 || found || foundText || texts != "" || c.Decode(new(any)) == nil || !c.Expiry().IsZero() || !c.IssuedAt().IsZero() || !c.NotBefore().IsZero() {
				t.Errorf("%d values, found %t and %t, texts %q", n, found, foundText, texts)
			}
		})
	}
	var none *oidcauth.Claims
	for name, ask := range map[string]func(){"Identity": func() { none.Identity() }, "Issuer": func() { none.Issuer() }, "Subject": func() { none.Subject() }} {
		if why, _ := panicOf(ask).(string); !strings.Contains(why, "of nil claims") {
			t.Errorf("%s() of nil claims panics with %q, want what to do", name, why)
		}
	}
}

// Behind Optional a caller without a token is nobody, whatever the handler forgets.
func TestOptional_Nobody(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	served := 0
	h := a.Optional(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		served++
		c, _ := oidcauth.FromContext(r.Context())
		if c.HasRole("admin") || oidcauth.All()(c) == nil {
			t.Error("nobody is granted something")
		}
		for _, err := range []error{oidcauth.Require(r.Context()), oidcauth.Require(oidcauth.NewContext(r.Context(), c)), context.Cause(a.NewSession(r.Context(), c).Context())} {
			if !errors.Is(err, oidcauth.ErrNoToken) {
				t.Errorf("error = %v, want %v", err, oidcauth.ErrNoToken)
			}
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if served != 1 {
		t.Errorf("served %d times", served)
	}
}

// A rule that panics says nothing of the caller: the call is refused, and the process
// lives.
func TestRequire_RulePanics(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	ctx := oidcauth.NewContext(t.Context(), authenticate(t, a, issuer.Token(nil)))
	bad := oidcauth.Rule(func(*oidcauth.Claims) error { panic("of the rule") })
	own := errors.New("a rule's own")
	broken := oidcauth.Rule(func(*oidcauth.Claims) error { return own })
	for _, tt := range []struct {
		name string
		rule oidcauth.Rule
		want error
	}{
		{"one that panics", bad, oidcauth.ErrAnswerUnavailable},
		{"all, one of which panics", oidcauth.All(oidcauth.All(), bad), oidcauth.ErrAnswerUnavailable},
		{"any, all of which panic", oidcauth.Any(bad, bad), oidcauth.ErrAnswerUnavailable},
		{"any, of a broken one and one that panics", oidcauth.Any(broken, bad), oidcauth.ErrAnswerUnavailable},
		{"any, of one that panics and a satisfied one", oidcauth.Any(bad, oidcauth.All()), nil},
		{"any, of broken ones", oidcauth.Any(broken, oidcauth.HasRole("x")), oidcauth.ErrForbidden},
		{"any, of broken ones, and its cause", oidcauth.Any(broken, oidcauth.HasRole("x")), own},
		{"a nil one", nil, oidcauth.ErrForbidden},
	} {
		if err := oidcauth.Require(ctx, tt.rule); !errors.Is(err, tt.want) {
			t.Errorf("%s: Require() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// An error that somebody made by hand, and badly, is a fault of the program's.
func TestRefuse_MadeByHand(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for name, err := range map[string]error{"nil": nil, "a nil refusal": (*oidcauth.Refusal)(nil), "a zero refusal": new(oidcauth.Refusal)} {
		w := httptest.NewRecorder()
		a.Refuse(w, httptest.NewRequest(http.MethodGet, "/", nil), err)
		status, _, _ := oidcauth.Answer(err)
		code, _ := oidcauth.CloseCode(err)
		if w.Code != http.StatusInternalServerError || status != w.Code || code != 1011 {
			t.Errorf("%s: Refuse() answers %d, Answer() = %d, CloseCode() = %d, want 500, 500 and 1011", name, w.Code, status, code)
		}
	}
}

// An ownError is an error whose nil pointer is no nil error, and cannot be told.
type ownError struct{ text string }

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return errors.New(e.text) }

// A rule that returns a nil pointer of a type of errors returns an error, and one that
// panics when it is told: the call is refused, and whoever logs it lives.
func TestRule_NilPointerError(t *testing.T) {
	t.Parallel()
	rule := func(*oidcauth.Claims) error {
		var e *ownError
		return e
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	plain := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	ctx := oidcauth.NewContext(t.Context(), authenticate(t, plain, issuer.Token(nil)))
	trusted.Rules = []oidcauth.Rule{rule}
	ruled := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	_, refused := ruled.Authenticate(t.Context(), issuer.Token(nil))
	for name, err := range map[string]error{
		"Authenticate": refused, "Require": oidcauth.Require(ctx, rule),
		"Require of any": oidcauth.Require(ctx, oidcauth.Any(rule, oidcauth.HasRole("x"))),
	} {
		if !errors.Is(err, oidcauth.ErrAnswerUnavailable) || !strings.Contains(err.Error(), "claims_misuse_test.go:") {
			t.Errorf("%s: error = %v, want %v and where", name, err, oidcauth.ErrAnswerUnavailable)
		}
	}
	if err := oidcauth.Require(ctx, func(*oidcauth.Claims) error { return &ownError{"not today"} }); !errors.Is(err, oidcauth.ErrForbidden) {
		t.Errorf("Require() error = %v for an error that can be told, want %v", err, oidcauth.ErrForbidden)
	}
}

// Claims in a text or a log are whose they are, by every verb, and nothing that only the
// payload says.
func TestClaims_InLogs(t *testing.T) {
	t.Parallel()
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice\n","exp":1,"email":"alice@example.com","roles":["admin"]}`)
	want := `issuer "https://issuer.test", subject "alice\n", identity ` + c.Identity().String()
	for _, tt := range []struct {
		claims *oidcauth.Claims
		want   string
	}{{c, want}, {nil, "nobody"}, {&oidcauth.Claims{}, "nobody"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%20.3v"} {
			if got := fmt.Sprintf(verb, tt.claims); got != tt.want {
				t.Errorf("%s: got %s, want %s", verb, got, tt.want)
			}
		}
	}
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		`caller.issuer=https://issuer.test caller.subject="alice\n" caller.identity=` + c.Identity().String() + " none=nobody":     func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		`"caller":{"issuer":"https://issuer.test","subject":"alice\n","identity":"` + c.Identity().String() + `"},"none":"nobody"`: func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var log logBuffer
		slog.New(handler(&log)).Info("call", "caller", c, "none", (*oidcauth.Claims)(nil))
		if got := log.String(); !strings.Contains(got, name) || strings.Contains(got, "example.com") {
			t.Errorf("got %s, want %s", got, name)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, oidcauth.NewContext(t.Context(), c)); strings.Contains(text, "example.com") {
			t.Errorf("%s of a context: %s", verb, text)
		}
	}
	if text, err := json.Marshal([]any{c}); string(text) != "[{}]" || err != nil {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}
