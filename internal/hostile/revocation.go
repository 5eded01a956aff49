package hostile

import (
	"context"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
)

// revocationRows are tokens that were good until they were revoked, or of which
// it is not known whether they were, and tokens that would change the identity of
// a session.
func revocationRows(t testing.TB, w *World) []Row {
	with := func(name, value string) string {
		return w.Of("other", func(h, c Members) (Members, Members) { return h, c.Set(name, `"`+value+`"`) })
	}
	var rows []Row
	for claim, r := range map[string]oidcauth.Revocation{
		"jti": {TokenID: "revoked"}, "sid": {SessionID: "revoked"}, "sub": {Subject: "revoked", Issuer: "https://other.test"},
	} {
		authtest.Revoke(t, w.Auth, r)
		rows = append(rows, w.Row("revocation: "+claim, oidcauth.ErrRevoked, with(claim, "revoked"), with(claim, "Revoked")))
	}

	log := memorylog.New[oidcauth.Revocation]()
	log.SetDown(true)
	uncertain := authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{authtest.Audience}}}, Client: w.By["other"].Client(),
		Revocations: log, RequireRevocations: true,
	})
	good := w.Of("other", nil)
	rows = append(rows, Row{
		Name: "revocation: log down", Want: oidcauth.ErrRevocationsUnavailable,
		Bad:  func() (*oidcauth.Claims, error) { return uncertain.Authenticate(context.Background(), good) },
		Good: w.Authenticate(good),
	})

	session := w.Auth.NewSession(t.Context(), authtest.Authenticate(t, w.Auth, good))
	renew := func(token string) func() (*oidcauth.Claims, error) {
		return func() (*oidcauth.Claims, error) { return session.Renew(context.Background(), token) }
	}
	return append(rows, Row{
		Name: "session: renewed by another's token", Want: oidcauth.ErrIdentityMismatch,
		Bad: renew(with("sub", "mallory")), Good: renew(good),
	})
}
