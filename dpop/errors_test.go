package dpop_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Each refusal of a proof names the rule that it breaks, and no other that comes later.
func TestVerify_Says(t *testing.T) {
	t.Parallel()
	p, v := oidctest.NewProver(t, ""), newVerifier(t, dpop.Config{})
	const bad = " that is missing, empty, no string or longer than "
	for _, tt := range []struct {
		claim string
		value any
		said  string
	}{
		{"jti", nil, `"jti"` + bad + "256 bytes"}, {"jti", "", `"jti"` + bad}, {"jti", strings.Repeat("x", 257), `"jti"` + bad},
		{"htm", nil, `"htm"` + bad + "8192 bytes"}, {"htm", 1, `"htm"` + bad}, {"htm", "GET", `"htm" "GET"`},
		{"htu", nil, `"htu"` + bad}, {"htu", "", `"htu"` + bad},
		{"ath", nil, `"ath" of another token, or none`}, {"ath", 1, `"ath"` + bad},
		{"nonce", 1, `"nonce"` + bad + "256 bytes"}, {"nonce", "", `"nonce"` + bad},
		{"iat", nil, `"iat" that is missing or no time`}, {"iat", "1", `"iat" that is missing or no time`},
	} {
		err := verify(t, v, use(p, p.Proof("POST", target, token, map[string]any{tt.claim: tt.value})))
		if !errors.Is(err, dpop.ErrInvalidProof) || !strings.Contains(err.Error(), "got "+tt.said) {
			t.Errorf("%s %v: Verify() error = %v, want %v that says %s", tt.claim, tt.value, err, dpop.ErrInvalidProof, tt.said)
		}
	}
}

// Each key that may be in no proof is refused by the rule that it breaks.
func TestThumbprint_Says(t *testing.T) {
	t.Parallel()
	const x, y = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA" // of RFC 9449
	const ec, on = `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"`, `{"kty":"RSA","n":"`
	for _, tt := range []struct{ jwk, said string }{
		{ec + `}`, ""},
		{ec + `,"use":"sig","key_ops":["verify"],"alg":"ES256"}`, ""},
		{`{"kty":"EC","kty":"EC"}`, `"kty"`},
		{`{"crv":"P-256"}`, `no "kty"`},
		{`{"kty":"AKP"}`, `a key of type "AKP"`},
		{`{"kty":"EC","crv":"P-256","x":"` + x + `"}`, `no "y"`},
		{`{"kty":"EC","crv":"P-256","x":"` + x + `","y":1}`, `"y": got number, want a string`},
		{ec + `,"alg":1}`, `"alg": got number, want a string`},
		{ec + `,"use":1}`, `"use": got number, want a string`},
		{ec + `,"key_ops":"verify"}`, `"key_ops": not an array of strings`},
		{`{"kty":"OKP","crv":"X25519","x":"` + x + `"}`, `the curve "X25519"`},
		{`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, `"x": not base64url of 32 bytes at least, or not its one spelling`},
		{`{"kty":"EC","crv":"secp256k1","x":"` + x + `","y":"` + y + `"}`, `the curve "secp256k1"`},
		{`{"kty":"EC","crv":"P-256","x":"AAAA","y":"` + y + `"}`, `"x": not base64url of 32 bytes`},
		{`{"kty":"EC","crv":"P-256","x":"` + x + `","y":"AAAA"}`, `"y": not base64url of 32 bytes`},
		{`{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + x + `"}`, "a point that is not on the curve"},
		{on + `","e":"AQAB"}`, `"n": not base64url of 1 bytes at least`},
		{on + ones(4104) + `","e":"AQAB"}`, `"n": longer than 512 bytes`},
		{on + ones(2048) + `","e":""}`, `"e": not base64url of 1 bytes at least`},
		{on + ones(2048) + `","e":"AQAAAAE"}`, `"e": longer than 4 bytes`},
		{on + ones(2048) + `","e":"AAEAAQ"}`, "a number with zeros in front"},
		{on + "AP__" + `","e":"AQAB"}`, "a number with zeros in front"},
		{on + ones(2048) + `","e":"AQAB"}`, ""},
		{on + ones(4096) + `","e":"AQAB"}`, ""},
	} {
		got, err := dpop.ThumbprintOf(tt.jwk)
		said.Error(err)
		if tt.said == "" && (err != nil || got == "") || tt.said != "" && (err == nil || !strings.Contains(err.Error(), tt.said)) {
			t.Errorf("%s: thumbprint %q, error = %v, want %q", tt.jwk, got, err, tt.said)
		}
	}
}

// A key with any member of a private or a shared key is refused, by the member's name.
func TestThumbprint_Private(t *testing.T) {
	t.Parallel()
	const key = `{"kty":"RSA","e":"AQAB","n":"`
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed"} {
		want := fmt.Sprintf("a private or a shared key, with %q", name)
		if _, err := dpop.ThumbprintOf(key + ones(2048) + `","` + name + `":"AQ"}`); err == nil || err.Error() != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
	if _, err := dpop.ThumbprintOf(key + ones(2048) + `","kid":"AQ"}`); err != nil {
		t.Errorf("error = %v for a key with a name", err)
	}
}

// Neither configuration nor use shows what is secret, by whatever verb, and the rest is
// there to be read.
func TestFormat(t *testing.T) {
	t.Parallel()
	secret := said.NewSecret("nonce key")
	cfg := dpop.Config{PublicURL: public, Nonces: true, NonceKey: []byte(secret)}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		shown := fmt.Sprintf(verb, cfg)
		if !strings.Contains(shown, public) || strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf(verb, cfg.NonceKey)) {
			t.Errorf("%s: %s, want the address and no key", verb, shown)
		}
	}
	u := dpop.Use{Proof: "s3cret", Method: "GET", URL: target, Thumbprint: "of a key", Nonce: "n"}
	want := `{proof: some, method: "GET", url: "` + target + `", token: none, thumbprint: "of a key", nonce: "n"}`
	if got := fmt.Sprintf("%+v", u); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, err := u.MarshalText(); string(got) != want || err != nil {
		t.Errorf("MarshalText() = %s, %v, want %s", got, err, want)
	}
}
