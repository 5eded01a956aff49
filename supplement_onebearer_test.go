package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// One caller about whom the function fails, with however many tokens, is no reason to put
// fewer questions about others: tokens without the scope that userinfo wants are to be had
// by anybody.
func TestSupplement_OneCallerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Supplement = func(_ context.Context, c *oidcauth.Claims, _ string) (json.RawMessage, error) {
			if c.Subject() == "mallory" {
				return nil, errors.New("got status 403")
			}
			return nil, nil
		}
		auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		for n := range 50 {
			_, err := auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": "mallory", "jti": fmt.Sprint(n)}))
			if !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
				t.Fatalf("Authenticate() error = %v", err)
			}
			if _, err := auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": "alice", "jti": fmt.Sprint(n)})); n == 49 && err != nil {
				t.Errorf("Authenticate() error = %v for another caller", err)
			}
		}
		for n := range 50 {
			_, _ = auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": "mallory", "jti": fmt.Sprint("more ", n)}))
		}
		if _, err := auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": "bob"})); err != nil {
			t.Errorf("Authenticate() error = %v for somebody who comes behind", err)
		}
		auth.Close()
	})
}
