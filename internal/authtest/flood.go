package authtest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// CoolDown is how long unknown key IDs are refused without a fetch after one that
// was in vain.
const CoolDown = 10 * time.Second

// RefusedInFlood fails the test unless a token is refused for the reason want or,
// while the issuer may not be asked about it, told to come back within a
// cool-down.
func RefusedInFlood(t testing.TB, a *oidcauth.Authenticator, token string, want error) {
	t.Helper()
	_, err := a.Authenticate(t.Context(), token)
	refusal, ok := errors.AsType[*oidcauth.Refusal](err)
	switch {
	case ok && errors.Is(err, want):
	case ok && errors.Is(err, oidcauth.ErrKeysUnavailable) && refusal.RetryAfter() > 0 && refusal.RetryAfter() <= CoolDown:
	default:
		t.Errorf("Authenticate() error = %v, want %v, or %v for at most %v", err, want, oidcauth.ErrKeysUnavailable, CoolDown)
	}
}

// InParallel has each token looked at, by so many workers.
func InParallel(tokens []string, workers int, look func(token string)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := next.Add(1); int(n) <= len(tokens); n = next.Add(1) {
				look(tokens[n-1])
			}
		})
	}
	wg.Wait()
}
