package oidcauth_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// What an issuer and the program have answered does not count for longer because the
// machine slept. The clocks are the system's: those of bubbles have no monotonic part.
func TestIntrospect_Sleep(t *testing.T) {
	t.Parallel()
	d := newInspector(t, func(cfg *oidcauth.Config) {
		cfg.Issuers[0].AnswerAge = time.Hour
		cfg.Issuers[0].Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
	})
	for _, tt := range []struct {
		slept time.Duration
		same  bool
	}{{0, true}, {30 * time.Minute, true}, {-8 * time.Hour, true}, {8 * time.Hour, false}} {
		c := authenticate(t, d.auth, opaqueToken)
		oidcauth.Sleep(c, tt.slept)
		if same := authenticate(t, d.auth, opaqueToken) == c; same != tt.same {
			t.Errorf("after a sleep of %v the answers count: %t, want %t", tt.slept, same, tt.same)
		}
		oidcauth.Sleep(c, -tt.slept)
	}
}
