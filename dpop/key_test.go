package dpop_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A client signs with whatever key, and names it as it likes.
type client struct {
	t    *testing.T
	pair crypto.Signer
	alg  jose.SignatureAlgorithm
}

// jwk returns the members of the key, public or private.
func (c client) jwk(key any) map[string]any {
	c.t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: key})
	if err != nil {
		c.t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		c.t.Fatal(err)
	}
	return members
}

// proof returns a good proof but for the key in it.
func (c client) proof(jwk map[string]any) string {
	c.t.Helper()
	options := (&jose.SignerOptions{}).WithType("dpop+jwt").WithHeader("jwk", jwk)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: c.alg, Key: c.pair}, options)
	if err != nil {
		c.t.Fatal(err)
	}
	digest := sum(token)
	payload, _ := json.Marshal(map[string]any{"jti": rand.Text(), "htm": "POST", "htu": target, "iat": time.Now().Unix(), "ath": digest})
	signed, err := signer.Sign(payload)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

func sum(text string) string {
	h := crypto.SHA256.New()
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (c client) thumbprint() string {
	c.t.Helper()
	digest, err := (&jose.JSONWebKey{Key: c.pair.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		c.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(digest)
}

// otherSpelling returns a letter of base64url that differs in its last bit alone, which
// is none of the bytes' where a letter ends 32 of them.
func otherSpelling(letter byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return letters[strings.IndexByte(letters, letter)^1:][:1]
}

// The keys in proofs are public, as strong as those of issuers, no longer than need be,
// and have one spelling.
func TestVerify_Keys(t *testing.T) {
	t.Parallel()
	rsaPair := func(bits int) *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var x25519 *ecdh.PrivateKey
	fips140.WithoutEnforcement(func() { x25519, err = ecdh.X25519().GenerateKey(rand.Reader) })
	if err != nil {
		t.Fatal(err)
	}
	ec, okp, strong := client{t, p256, jose.ES256}, client{t, ed, jose.EdDSA}, client{t, rsaPair(2048), jose.RS256}
	with := func(c client, name string, value any) map[string]any {
		members := c.jwk(c.pair.Public())
		if members[name] = value; value == nil {
			delete(members, name)
		}
		return members
	}
	x := ec.jwk(p256.Public())["x"].(string)
	n := strong.jwk(strong.pair.Public())["n"].(string)
	zeros := base64.RawURLEncoding.EncodeToString(append([]byte{0}, decoded(n)...))
	for _, tt := range []struct {
		name string
		c    client
		jwk  map[string]any
		bad  bool
	}{
		{"EC", ec, with(ec, "kid", "x"), false},
		{"EC, its use", ec, with(ec, "use", "sig"), false},
		{"EC, for encryption", ec, with(ec, "use", "enc"), true},
		{"EC, use no string", ec, with(ec, "use", 1), true},
		{"EC, its operation", ec, with(ec, "key_ops", []string{"verify"}), false},
		{"EC, another operation", ec, with(ec, "key_ops", []string{"sign"}), true},
		{"EC, its algorithm", ec, with(ec, "alg", "ES256"), false},
		{"EC, another algorithm", ec, with(ec, "alg", "ES384"), true},
		{"EC, a certificate that nobody reads", ec, with(ec, "x5c", []string{"x"}), false},
		{"EC, private", ec, ec.jwk(p256), true},
		{"EC, private by an empty member", ec, with(ec, "d", ""), true},
		{"EC, private by null", ec, with(ec, "d", json.RawMessage("null")), true},
		{"EC, shared", ec, with(ec, "k", "AAAA"), true},
		{"EC, without y", ec, with(ec, "y", nil), true},
		{"EC, off the curve", ec, with(ec, "y", x), true},
		{"EC, padded", ec, with(ec, "x", x+"="), true},
		{"EC, a line end", ec, with(ec, "x", x[:4]+"\n"+x[4:]), true},
		{"EC, a number too short", ec, with(ec, "x", x[:40]), true},
		{"EC, bits behind the number", ec, with(ec, "x", x[:42]+otherSpelling(x[42])), true},
		{"EC, another curve", ec, with(ec, "crv", "P-384"), true},
		{"EC, a curve that is not accepted", ec, with(ec, "crv", "secp256k1"), true},
		{"OKP", okp, with(okp, "kid", "x"), false},
		{"OKP, a number too short", okp, with(okp, "x", okp.jwk(ed.Public())["x"].(string)[:42]), true},
		{"OKP, private", okp, okp.jwk(ed), true},
		{"OKP for agreement", okp, map[string]any{"kty": "OKP", "crv": "X25519", "x": base64.RawURLEncoding.EncodeToString(x25519.PublicKey().Bytes())}, true},
		{"oct", ec, map[string]any{"kty": "oct", "k": "AAAA"}, true},
		{"no type", ec, with(ec, "kty", nil), true},
		{"RSA", strong, with(strong, "kid", "x"), false},
		{"RSA, an empty number", strong, with(strong, "n", ""), true},
		{"RSA, an empty exponent", strong, with(strong, "e", ""), true},
		{"RSA, private", strong, strong.jwk(strong.pair), true},
		{"RSA, private by one prime", strong, with(strong, "p", "AQ"), true},
		{"RSA, zeros in front", strong, with(strong, "n", zeros), true},
		{"RSA, a small exponent", strong, with(strong, "e", "Aw"), true},
		{"RSA, an even exponent", strong, with(strong, "e", "AQAA"), true},
		{"RSA, a huge exponent", strong, with(strong, "e", "AQAAAAAB"), true},
		{"RSA, an exponent of one", strong, with(strong, "e", "AQ"), true},
		{"RSA, 3072 bits", client{t, rsaPair(3072), jose.RS256}, nil, false},
		{"RSA, 1024 bits", strong, with(strong, "n", ones(1024)), true},
		{"RSA, 2040 bits", strong, with(strong, "n", ones(2040)), true},
		{"RSA, more than 4096 bits", strong, with(strong, "n", ones(4104)), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, jwk := newVerifier(t, dpop.Config{}), tt.jwk
			if jwk == nil {
				jwk = tt.c.jwk(tt.c.pair.Public())
			}
			var want error
			if tt.bad {
				want = dpop.ErrInvalidProof
			}
			err := verify(t, v, dpop.Use{Proof: tt.c.proof(jwk), Method: "POST", URL: target, Token: token, Thumbprint: tt.c.thumbprint()})
			if !errors.Is(err, want) {
				t.Errorf("Verify() error = %v, want %v", err, want)
			}
			if tt.bad && strings.Contains(err.Error(), "a signature that is not good") {
				t.Errorf("Verify() error = %v: the key was used", err)
			}
			// The same key is the same, in whatever order it is written.
			if want == nil {
				again := tt.c.proof(maps.Clone(jwk))
				if err := verify(t, v, dpop.Use{Proof: again, Method: "POST", URL: target, Token: token, Thumbprint: strings.Repeat("A", 43)}); !errors.Is(err, refusal.ErrProof) || errors.Is(err, dpop.ErrInvalidProof) {
					t.Errorf("Verify() error = %v for another's token, want %v", err, refusal.ErrProof)
				}
			}
		})
	}
}

// ones returns a number of so many bits, all of them one.
func ones(bits int) string {
	return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, bits/8))
}

func decoded(text string) []byte {
	number, _ := base64.RawURLEncoding.DecodeString(text)
	return number
}
