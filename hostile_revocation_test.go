package oidcauth_test

import (
	"context"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// revocationRows are tokens that were good until they were revoked, or of which
// it is not known whether they were, and tokens that would change the identity of
// a session.
func revocationRows(t *testing.T, w *world) []hostile {
	with := func(name, value string) string {
		return w.of("other", func(h, c members) (members, members) { return h, c.set(name, `"`+value+`"`) })
	}
	var rows []hostile
	for claim, r := range map[string]oidcauth.Revocation{
		"jti": {TokenID: "revoked"}, "sid": {SessionID: "revoked"}, "sub": {Subject: "revoked", Issuer: "https://other.test"},
	} {
		revoke(t, w.auth, r)
		rows = append(rows, w.row("revocation: "+claim, oidcauth.ErrRevoked, with(claim, "revoked"), with(claim, "Revoked")))
	}

	log := newMemoryLog()
	log.setDown(true)
	uncertain := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{testAudience}}}, Client: w.by["other"].Client(),
		Revocations: log, RequireRevocations: true,
	})
	good := w.of("other", nil)
	rows = append(rows, hostile{
		name: "revocation: log down", want: oidcauth.ErrRevocationsUnavailable,
		bad:  func() (*oidcauth.Claims, error) { return uncertain.Authenticate(context.Background(), good) },
		good: w.authenticate(good),
	})

	session := w.auth.NewSession(t.Context(), authenticate(t, w.auth, good))
	renew := func(token string) func() (*oidcauth.Claims, error) {
		return func() (*oidcauth.Claims, error) { return session.Renew(context.Background(), token) }
	}
	return append(rows, hostile{
		name: "session: renewed by another's token", want: oidcauth.ErrIdentityMismatch,
		bad: renew(with("sub", "mallory")), good: renew(good),
	})
}
