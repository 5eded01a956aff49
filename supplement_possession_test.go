package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What a token is bound to is proved at each use, and checked last: who supplies more is
// asked about a bound token, and its rules see that, before anybody wants the proof.
func TestSupplement_BeforeTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var answer string
		var failure error
		trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
			return json.RawMessage(answer), failure
		}
		trusted.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"team"}, Supplement: true, In: []string{"blue"}}}
		proofs, err := dpop.New(dpop.Config{PublicURL: "https://db.test"})
		if err != nil {
			t.Fatal(err)
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), DPoP: proofs})
		owner := oidctest.NewProver(t, "")
		token := issuer.Token(map[string]any{"cnf": map[string]any{"jkt": owner.Thumbprint()}})
		for _, tt := range []struct {
			answer  string
			failure error
			want    error
		}{
			{"", errors.New("down"), oidcauth.ErrAnswerUnavailable},
			{`{"team":"red"}`, nil, oidcauth.ErrRule},
			{`{"team":"blue"}`, nil, oidcauth.ErrProof},
		} {
			answer, failure = tt.answer, tt.failure
			wants(t, a, token, tt.want)
			time.Sleep(2 * time.Minute) // for which no answer counts
		}
	})
}
