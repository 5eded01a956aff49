package dpop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A Verifier that New did not make accepts no proof.
func TestVerifier_NotMade(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "ES256")
	use := dpop.Use{Proof: p.Proof("GET", "https://a.test/x", "token", nil), Method: "GET", URL: "https://a.test/x", Token: "token", Thumbprint: p.Thumbprint()}
	for name, v := range map[string]*dpop.Verifier{"zero": new(dpop.Verifier), "nil": nil} {
		if err := verify(t, v, use); !errors.Is(err, refusal.ErrAnswerUnavailable) {
			t.Errorf("%s: Verify() error = %v, want %v", name, err, refusal.ErrAnswerUnavailable)
		}
		if v.Nonce() != "" || len(v.Algorithms()) > 0 {
			t.Errorf("%s: nonce %q, algorithms %q", name, v.Nonce(), v.Algorithms())
		}
	}
}

type panicking struct{}

func (panicking) FirstUse(context.Context, [32]byte, time.Time) (bool, error) { panic("of the store") }

// failing is a store whose error panics when it is asked what it wraps.
type failing struct{}

func (failing) FirstUse(context.Context, [32]byte, time.Time) (bool, error) {
	return true, (*nilError)(nil)
}

type nilError struct{ cause error }

func (e *nilError) Error() string { return e.cause.Error() }
func (e *nilError) Unwrap() error { return e.cause }

// A store that panics, or whose error does, does not know whether the proof was used.
func TestVerify_ReplaysPanic(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "ES256")
	for replays, want := range map[dpop.Replays]error{nil: nil, panicking{}: refusal.ErrAnswerUnavailable, failing{}: refusal.ErrAnswerUnavailable} {
		v, err := dpop.New(dpop.Config{PublicURL: "https://a.test", Replays: replays})
		if err != nil {
			t.Fatal(err)
		}
		use := dpop.Use{Proof: p.Proof("GET", "https://a.test/x", "token", nil), Method: "GET", URL: "https://a.test/x", Token: "token", Thumbprint: p.Thumbprint()}
		err = verify(t, v, use)
		if !errors.Is(err, want) || errors.Is(err, context.Canceled) { // which asks all that it wraps
			t.Errorf("Verify() error = %v, want %v", err, want)
		}
	}
}
