package verify_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A key that is published and of no use here is named with the reason, wherever a
// token under it is judged, and nobody is sent for another token.
func TestSkippedKey(t *testing.T) {
	t.Parallel()
	rows := []struct {
		reason string
		jwk    map[string]any // changes to the key as it is published
	}{
		{"not for signatures", map[string]any{"use": "enc"}},
		{"not for signatures", map[string]any{"use": nil, "key_ops": []string{"sign"}}},
		{"algorithm not supported for this key", map[string]any{"alg": "ES256K"}},
		{"unknown curve", map[string]any{"crv": "secp256k1", "alg": nil}},
		{"unknown key type", map[string]any{"kty": "XYZ"}},
		{"malformed key material", map[string]any{"x": "AQAB"}},
		{"malformed key material", map[string]any{"x": "A==="}},
		{"symmetric key", map[string]any{"kty": "oct", "k": "AAAA"}},
		{"private key published", map[string]any{"d": "AAAA"}},
		{"not a JSON object with string members", map[string]any{"key_ops": "verify"}},
	}
	for _, row := range rows {
		for _, others := range []int{1, 0} {
			name := row.reason + ", beside a good one"
			want := oidcauth.ErrUnknownKey
			if others == 0 {
				name, want = row.reason+", alone", oidcauth.ErrKeysUnavailable
			}
			t.Run(name, func(t *testing.T) {
				issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
				issuer.RemoveKeys()
				odd := issuer.NewKey(oidctest.KeyConfig{ID: "odd", JWK: row.jwk})
				issuer.Publish(odd)
				for range others {
					issuer.AddKey("EdDSA")
				}
				a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				_, err := a.Authenticate(t.Context(), odd.Token(nil))
				if !errors.Is(err, want) || !strings.Contains(err.Error(), `"odd", published, not usable here, because: `+row.reason) {
					t.Errorf("Authenticate() error = %v, want %v and the reason", err, want)
				}
				step := authtest.FailedStep(t, a.Explain(t.Context(), odd.Token(nil)), "key")
				if !strings.Contains(step.Got, row.reason) || strings.Contains(step.Advice, "resh token") || !strings.Contains(step.Advice, "cannot be used here") {
					t.Errorf("step = %+v, want the reason and what to do", step)
				}
				report, err := a.Keys(t.Context(), issuer.URL())
				if (err != nil) != (others == 0) {
					t.Errorf("Keys() error = %v with %d usable keys", err, others)
				}
				if !slices.ContainsFunc(report.Skipped, func(k explain.Key) bool { return k.ID == "odd" && k.Skipped == row.reason }) {
					t.Errorf("Keys() skipped = %+v, want odd because: %s", report.Skipped, row.reason)
				}
			})
		}
	}
}

// A key that is not published is not said to be.
func TestSkippedKey_Others(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	issuer.Publish(issuer.NewKey(oidctest.KeyConfig{ID: "odd", JWK: map[string]any{"use": "enc"}}))
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	_, err := a.Authenticate(t.Context(), issuer.NewKey(oidctest.KeyConfig{ID: "none"}).Token(nil))
	if !errors.Is(err, oidcauth.ErrUnknownKey) || strings.Contains(err.Error(), "published") {
		t.Errorf("Authenticate() error = %v, want %v without a reason", err, oidcauth.ErrUnknownKey)
	}
	authtest.Wants(t, a, issuer.Token(nil), nil)
}

// Of two keys with one key ID, the one that is skipped may have made the signature.
func TestSkippedKey_SharedID(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	odd := issuer.NewKey(oidctest.KeyConfig{ID: issuer.Key().ID(), JWK: map[string]any{"use": "enc"}})
	issuer.Publish(odd)
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	_, err := a.Authenticate(t.Context(), odd.Token(nil))
	if !errors.Is(err, oidcauth.ErrSignature) || !strings.Contains(err.Error(), "another key with this ID is published, not usable here, because: not for signatures (enc)") {
		t.Errorf("Authenticate() error = %v, want %v and the other key's reason", err, oidcauth.ErrSignature)
	}
	authtest.Wants(t, a, issuer.Token(nil), nil)
}

// What an issuer says of its key is told in one line, and whatever else is not to be seen
// is written so that it is.
func TestAuthenticate_SkippedKeyIsQuoted(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	odd := issuer.NewKey(oidctest.KeyConfig{ID: "odd", JWK: map[string]any{"use": "enc\x1b[2J\n\u202elevel=INFO"}})
	issuer.Publish(odd)
	a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	_, err := a.Authenticate(t.Context(), odd.Token(nil))
	if !errors.Is(err, oidcauth.ErrUnknownKey) || !strings.Contains(err.Error(), "enc") || strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
		t.Errorf("Authenticate() error = %q, want %v and the use in one line", err, oidcauth.ErrUnknownKey)
	}
}
