package dpop_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/oidctest"
)

// FuzzVerify: whatever a proof looks like, nothing panics, and what is accepted is a proof that
// another library verifies with the key in it, of the same thumbprint. An input is
// tried as a proof, or as what the key of the token signs.
func FuzzVerify(f *testing.F) {
	p := oidctest.NewProver(f, "")
	v := newVerifier(f, dpop.Config{})
	good := p.Proof("POST", target, token, nil)
	f.Add(good)
	f.Add(p.Proof("POST", target, token, map[string]any{"jti": 1}))
	f.Add(p.Sign(map[string]any{"jwk": nil}, "{}"))
	f.Add(p.Sign(map[string]any{"jwk": map[string]any{"kty": "RSA", "n": "AA", "e": "AQAB"}, "alg": "RS256"}, "{}"))
	f.Add(oidctest.NewProver(f, "EdDSA").Proof("POST", target, token, nil))
	f.Add("a.b.c")
	for _, claims := range []string{`"htm":"POST","htu":"` + target + `","iat":NOW,"ath":"HASH"`, `"htm":"post","htu":"` + target + `?x#y","iat":NOW.9,"ath":"HASH"`, `"htm":"POST","HTM":"GET","htu":"` + target + `","iat":1e9,"ath":"HASH"`} {
		f.Add(`{"jti":"JTI",` + claims + `}`)
		f.Add(`{"jti":"JTI",` + claims + `,"nonce":null}`)
	}
	thumbprint := p.Thumbprint()
	f.Fuzz(func(t *testing.T, proof string) {
		thumbprint := thumbprint
		if strings.HasPrefix(proof, "{") {
			p := oidctest.NewProver(t, "")
			proof, thumbprint = signed(p, proof), p.Thumbprint()
		}
		err := verify(t, v, dpop.Use{Proof: proof, Method: "POST", URL: target, Token: token, Thumbprint: thumbprint})
		if err != nil {
			if !errors.Is(err, dpop.ErrInvalidProof) && !errors.Is(err, refusal.ErrProof) {
				t.Errorf("error = %v", err)
			}
			return
		}
		parsed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatalf("accepted, and go-jose does not read it: %v", err)
		}
		payload, err := parsed.Verify(parsed.Signatures[0].Protected.JSONWebKey)
		if err != nil {
			t.Fatalf("accepted, and go-jose does not verify it: %v", err)
		}
		var said map[string]any
		if err := json.Unmarshal(payload, &said); err != nil {
			t.Fatalf("accepted %s: %v", payload, err)
		}
		htu, _ := said["htu"].(string)
		where, err := dpop.Normalize(htu)
		issued, _ := said["iat"].(float64)
		if jti, _ := said["jti"].(string); said["htm"] != "POST" || err != nil || where != target || said["ath"] != hashOf(token) || jti == "" || time.Since(time.Unix(int64(issued), 0)).Abs() > 10*time.Minute {
			t.Errorf("accepted %s", payload)
		}
		if again := verify(t, v, dpop.Use{Proof: proof, Method: "POST", URL: target, Token: token, Thumbprint: thumbprint}); again == nil {
			t.Errorf("accepted %s twice", payload)
		}
	})
}

// signed is the proof that the key makes of claims, in which "JTI", "NOW" and "HASH"
// stand for what a proof of now has.
func signed(p *oidctest.Prover, claims string) string {
	claims = strings.NewReplacer("JTI", rand.Text(), "NOW", strconv.FormatInt(time.Now().Unix(), 10), "HASH", hashOf(token)).Replace(claims)
	return p.Sign(nil, claims)
}

func hashOf(token string) string {
	digest := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// FuzzNormalize: an address that was brought into the one form stays as it is, and
// never changes its host.
func FuzzNormalize(f *testing.F) {
	for _, uri := range []string{target, "HTTP://A.b:80/%7e/../x?y#z", "https://[::1]:443//./%2f", "https://x/..", "http://x:/", "HTTP://:80:80"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		once, err := dpop.Normalize(uri)
		if err != nil {
			return
		}
		if twice, err := dpop.Normalize(once); err != nil || twice != once {
			t.Errorf("%q becomes %q, and that %q, %v", uri, once, twice, err)
		}
		if strings.ContainsAny(once, "?# \t\r\n") {
			t.Errorf("%q becomes %q", uri, once)
		}
		parsed, err := url.Parse(once)
		if err != nil {
			return // net/url has rules of its own about hosts
		}
		if whole, err := url.Parse(uri); err == nil && !strings.EqualFold(whole.Hostname(), parsed.Hostname()) {
			t.Errorf("%q becomes %q, with another host", uri, once)
		}
	})
}

// FuzzThumbprint: a key that is accepted has the thumbprint that another library says.
func FuzzThumbprint(f *testing.F) {
	p := oidctest.NewProver(f, "")
	header, _, _ := strings.Cut(p.Proof("POST", target, token, nil), ".")
	text, _ := base64.RawURLEncoding.DecodeString(header)
	var first struct{ JWK json.RawMessage }
	if err := json.Unmarshal(text, &first); err != nil {
		f.Fatal(err)
	}
	f.Add(string(first.JWK))
	f.Add(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	f.Fuzz(func(t *testing.T, jwk string) {
		got, err := dpop.ThumbprintOf(jwk)
		if err != nil {
			return
		}
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON([]byte(jwk)); err != nil {
			return // because of members that are read nowhere here
		}
		digest, err := key.Thumbprint(5)
		if err != nil {
			t.Fatal(err)
		}
		if want := base64.RawURLEncoding.EncodeToString(digest); got != want || !key.IsPublic() {
			t.Errorf("the thumbprint of %s is %s, want %s", jwk, got, want)
		}
	})
}
