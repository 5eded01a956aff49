package oidcauth_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A customer whose tokens are taken back as Config.FindIssuer says stays away while the
// program's table cannot be asked, and by what its issuer goes on issuing, too: by the time
// that the revocation is of no token any more, the last answer counts no longer.
func TestFindIssuer_TakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		before := issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		authenticate(t, a, before)

		// The table loses the customer, and cannot be asked from then on.
		c.change(func() { c.table, c.fail = nil, errors.New("the table cannot be read") })
		revoke(t, a, oidcauth.Revocation{Issuer: described.URL, IssuedBefore: time.Now().Add(11 * time.Minute)})
		for since := time.Duration(0); since < 30*time.Minute; since += 10 * time.Second {
			for what, token := range map[string]string{"of before": before, "of now": issuer.Token(nil)} {
				_, err := a.Authenticate(t.Context(), token)
				if !errors.Is(err, oidcauth.ErrRevoked) && !errors.Is(err, oidcauth.ErrKeysUnavailable) {
					t.Fatalf("a token %s after %v: error = %v, want %v, or %v", what, since, err, oidcauth.ErrRevoked, oidcauth.ErrKeysUnavailable)
				}
			}
			time.Sleep(10 * time.Second)
		}
	})
}
