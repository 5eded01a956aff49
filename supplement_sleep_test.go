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
		issuers bool // the answer that is over, of the issuer or of the program
		slept   time.Duration
		same    bool
	}{
		{true, 0, true}, {true, 30 * time.Minute, true}, {true, -8 * time.Hour, true}, {true, 8 * time.Hour, false},
		{false, 30 * time.Minute, true}, {false, -8 * time.Hour, true}, {false, 8 * time.Hour, false},
	} {
		c := authenticate(t, d.auth, opaqueToken)
		oidcauth.Sleep(c, tt.issuers, tt.slept)
		if same := authenticate(t, d.auth, opaqueToken) == c; same != tt.same {
			t.Errorf("after a sleep of %v, of the issuer's %t: the answers count: %t, want %t", tt.slept, tt.issuers, same, tt.same)
		}
		oidcauth.Sleep(c, tt.issuers, -tt.slept)
	}
}
