package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
