package hostile

import (
	"context"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

const boundURL = "https://db.example.com/v1/call"

// boundRows are good tokens that are bound to a key or a certificate, without what
// proves that whoever presents them has it.
func boundRows(t testing.TB, w *World) []Row {
	proofs, err := dpop.New(dpop.Config{PublicURL: "https://db.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	auth := authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{authtest.Audience}}}, Client: w.By["other"].Client(), DPoP: proofs,
	})
	client, thief := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
	token := w.Of("other", func(h, c Members) (Members, Members) { return h, c.Set("cnf", `{"jkt":"`+client.Thumbprint()+`"}`) })
	bearer := w.Of("other", nil)
	present := func(token string, make func() possession.Proof) func() (*oidcauth.Claims, error) {
		return func() (*oidcauth.Claims, error) {
			p := make()
			p.Method, p.URL = "POST", boundURL
			return auth.Authenticate(possession.NewContext(context.Background(), p), token)
		}
	}
	by := func(p *oidctest.Prover, token string, claims map[string]any) func() possession.Proof {
		return func() possession.Proof { return possession.Proof{DPoP: p.Proof("POST", boundURL, token, claims)} }
	}
	good := present(token, by(client, token, nil))
	replayed := client.Proof("POST", boundURL, token, nil)
	if _, err := present(token, func() possession.Proof { return possession.Proof{DPoP: replayed} })(); err != nil {
		t.Fatal(err)
	}
	row := func(name, token string, make func() possession.Proof) Row {
		return Row{Name: "possession: " + name, Want: oidcauth.ErrProof, Bad: present(token, make), Good: good}
	}
	all := []Row{
		row("none", token, func() possession.Proof { return possession.Proof{} }),
		row("an empty proof", token, func() possession.Proof { return possession.Proof{Scheme: "DPoP"} }),
		row("as a bearer token, with proof", token, func() possession.Proof {
			return possession.Proof{Scheme: "Bearer", DPoP: client.Proof("POST", boundURL, token, nil)}
		}),
		row("a bearer token under DPoP", bearer, by(client, bearer, nil)),
		row("by another key", token, by(thief, token, nil)),
		row("a proof that was used", token, func() possession.Proof { return possession.Proof{DPoP: replayed} }),
		row("the token as proof", token, func() possession.Proof { return possession.Proof{DPoP: token} }),
		row("a proof for another token", token, by(client, bearer, nil)),
	}
	for name, claims := range map[string]map[string]any{
		"for another method": {"htm": "GET"}, "for another address": {"htu": boundURL + "/x"}, "stale": {"iat": time.Now().Add(-time.Hour)},
		"from the future": {"iat": time.Now().Add(time.Hour)}, "without ID": {"jti": nil}, "without token": {"ath": nil},
	} {
		all = append(all, row("a proof "+name, token, by(client, token, claims)))
	}
	certified := w.Of("other", func(h, c Members) (Members, Members) {
		return h, c.Set("cnf", `{"jkt":"`+client.Thumbprint()+`","x5t#S256":"`+client.Thumbprint()+`"}`)
	})
	both := row("bound to a certificate, too", certified, by(client, certified, nil))
	both.Want = oidcauth.ErrTokenType // no Config.Certificate
	return append(all, both)
}
