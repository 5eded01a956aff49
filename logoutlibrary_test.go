package oidcauth_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// go-oidc is the second opinion on logout tokens: what is accepted here with an
// expiry, it accepts and reads the same. It refuses every token without one.
func TestVerifyLogout_Library(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), issuer.Client()), issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	library := provider.VerifierContext(oidc.ClientContext(t.Context(), issuer.Client()), &oidc.Config{
		ClientID: testAudience, Now: func() time.Time { return time.Now().Add(-30 * time.Second) }, // as the leeway
	})
	at := func(after time.Duration) int64 { return now.Add(after).Unix() }
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	event := map[string]any{logoutEvent: map[string]any{}}
	variants := []struct {
		claim  string
		values []any // of which the first is good; nil means that the claim is missing
	}{
		{"iss", []any{issuer.URL(), issuer.URL() + "/", "https://other.test", nil}},
		{"aud", []any{testAudience, []string{"x", testAudience}, "x", []string{}, nil}},
		{"sub", []any{"alice", "", raw("null"), 1, nil}},
		{"sid", []any{"login-1", nil, "", raw("null"), raw("[]")}},
		{"jti", []any{"logout-1", "", raw("null"), nil}},
		{"iat", []any{at(0), raw("1.5e9"), at(-time.Hour), at(time.Hour), raw("null"), nil}},
		{"exp", []any{at(time.Minute), raw("4102444800.5"), at(-time.Minute), raw("null"), raw(`"4102444800"`), nil}},
		{"events", []any{event, map[string]any{}, map[string]any{logoutEvent: raw("null")}, map[string]any{logoutEvent: true}, raw("[]"), nil}},
		{"nonce", []any{nil, "n", raw("null")}},
	}
	random := rand.New(rand.NewPCG(1, 2))
	both, ours, without := 0, 0, 0
	for range 1500 {
		claims := map[string]any{}
		for _, v := range variants {
			value := v.values[0]
			if random.IntN(4) == 0 { // most claims of a token are good
				value = v.values[random.IntN(len(v.values))]
			}
			if value != nil {
				claims[v.claim] = value
			}
		}
		token := issuer.Sign(map[string]any{"typ": "logout+jwt"}, claims)
		tokenID, sessionID, subject, err := a.VerifyLogout(t.Context(), token)
		if err != nil {
			continue
		}
		ours++
		got, err := library.VerifyLogout(t.Context(), token)
		if _, expires := claims["exp"]; !expires {
			without++
			if err == nil {
				t.Errorf("%v: go-oidc accepts a token without expiry: the reason for a check of our own is gone", claims)
			}
			continue
		}
		both++
		if err != nil {
			t.Errorf("%v: go-oidc refuses it: %v", claims, err)
		} else if got.TokenID != tokenID || got.SessionID != sessionID || got.Subject != subject {
			t.Errorf("%v: got %q, %q, %q, go-oidc %q, %q, %q", claims, tokenID, sessionID, subject, got.TokenID, got.SessionID, got.Subject)
		}
	}
	if both < 100 || without < 5 || ours > 1000 {
		t.Errorf("%d of 1500 tokens accepted, %d with an expiry, %d without: the test says too little", ours, both, without)
	}
}
