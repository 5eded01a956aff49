package oidctest_test

import (
	"crypto/fips140"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/oidctest"
)

func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// verify checks a token's signature with the keys that the issuer publishes.
func verify(t *testing.T, iss *oidctest.Issuer, token string) error {
	t.Helper()
	_, body := get(t, iss.Client(), iss.JWKSURL())
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatalf("key set %s: %v", body, err)
	}
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return err
	}
	_, err = jws.Verify(set)
	return err
}

// part decodes a part of a token.
func part(t *testing.T, token string, n int) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func members(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func header(t *testing.T, token string) map[string]any  { return members(t, part(t, token, 0)) }
func payload(t *testing.T, token string) map[string]any { return members(t, part(t, token, 1)) }

func TestKey_EveryAlgorithm(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	for _, alg := range algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			k := iss.AddKey(string(alg))
			token := k.Token(nil)
			if got := header(t, token); got["alg"] != string(alg) || got["kid"] != k.ID() || got["typ"] != "JWT" {
				t.Errorf("header = %v", got)
			}
			if err := verify(t, iss, token); err != nil {
				t.Errorf("verify: error = %v", err)
			}
			if got := k.Algorithm(); got != string(alg) {
				t.Errorf("Algorithm() = %q, want %q", got, alg)
			}
		})
	}
	iss.AddJWK(`{"kty":"oct","alg":"HS256"}`)
	list := discover(t, iss.Client(), iss)["id_token_signing_alg_values_supported"].([]any)
	if len(list) != len(algorithms()) {
		t.Errorf("algorithms in the discovery document = %v", list)
	}
}

func TestKey_As(t *testing.T) {
	t.Parallel()
	for alg, other := range map[string]string{"RS256": "PS384", "PS512": "RS512", "ES384": "ES384", "EdDSA": "EdDSA"} {
		iss := oidctest.NewIssuer(t, oidctest.Config{Algorithm: alg})
		token := iss.Key().As(other).Token(nil)
		if got := header(t, token); got["alg"] != other || got["kid"] != iss.Key().ID() {
			t.Errorf("%s as %s: header = %v", alg, other, got)
		}
		jws, err := jose.ParseSignedCompact(token, algorithms())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify(iss.Key().Public()); err != nil {
			t.Errorf("%s as %s: Verify() error = %v", alg, other, err)
		}
	}
}

func TestKey_WithID(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	if got := header(t, iss.Key().WithID("x").Token(nil))["kid"]; got != "x" {
		t.Errorf("kid = %v, want x", got)
	}
	if got, ok := header(t, iss.Key().WithID("").Token(nil))["kid"]; ok {
		t.Errorf("kid = %v, want none", got)
	}
}

func TestIssuer_NewKey(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	t.Run("a stranger under a published ID", func(t *testing.T) {
		stranger := iss.NewKey(oidctest.KeyConfig{ID: iss.Key().ID()})
		if err := verify(t, iss, stranger.Token(nil)); !errors.Is(err, jose.ErrCryptoFailure) {
			t.Errorf("verify: error = %v, want %v", err, jose.ErrCryptoFailure)
		}
		iss.Publish(stranger)
		defer iss.Replace()
		if got := len(keyIDs(t, iss)); got != 2 {
			t.Errorf("%d keys, want 2 under one ID", got)
		}
	})
	t.Run("without an ID", func(t *testing.T) {
		k := iss.NewKey(oidctest.KeyConfig{NoID: true})
		iss.Publish(k)
		if got := keyIDs(t, iss); !slices.Contains(got, "") {
			t.Errorf("key IDs = %q, want one empty", got)
		}
		if _, ok := header(t, k.Token(nil))["kid"]; ok {
			t.Error("the token has a key ID")
		}
		iss.RemoveKey("")
		if got := keyIDs(t, iss); slices.Contains(got, "") {
			t.Errorf("key IDs after RemoveKey = %q", got)
		}
	})
	t.Run("published for encryption", func(t *testing.T) {
		k := iss.NewKey(oidctest.KeyConfig{JWK: map[string]any{"use": "enc", "alg": nil}})
		jwk := members(t, string(k.JWK()))
		if _, ok := jwk["alg"]; ok || jwk["use"] != "enc" || jwk["kid"] != k.ID() {
			t.Errorf("JWK = %v", jwk)
		}
	})
	t.Run("RSA of 1024 bits", func(t *testing.T) {
		if fips140.Enforced() {
			t.Skip("FIPS 140-3 forbids keys as short")
		}
		k := iss.NewKey(oidctest.KeyConfig{Algorithm: "RS256", Bits: 1024})
		if got := k.Public().(*rsa.PublicKey).N.BitLen(); got != 1024 {
			t.Errorf("key has %d bits, want 1024", got)
		}
		if k.Token(nil) == "" {
			t.Error("Token() is empty")
		}
	})
}

// keyIDs returns the key IDs that are published, empty for none.
func keyIDs(t *testing.T, iss *oidctest.Issuer) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	_, body := get(t, iss.Client(), iss.JWKSURL())
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, k := range set.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func TestIssuer_Rotation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rotate func(*oidctest.Issuer) *oidctest.Key
		keys   int
		oldOK  bool
		sameID bool
	}{
		{"with overlap", (*oidctest.Issuer).Rotate, 2, true, false},
		{"without overlap", (*oidctest.Issuer).Replace, 1, false, false},
		{"under the old key ID", (*oidctest.Issuer).ReuseKeyID, 1, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{})
			old, oldToken := iss.Key(), iss.Token(nil)
			k := tt.rotate(iss)
			if k != iss.Key() {
				t.Error("the new key does not sign")
			}
			if got := len(keyIDs(t, iss)); got != tt.keys {
				t.Errorf("%d keys published, want %d", got, tt.keys)
			}
			if same := old.ID() == k.ID(); same != tt.sameID {
				t.Errorf("key IDs %q and %q, want same: %t", old.ID(), k.ID(), tt.sameID)
			}
			if err := verify(t, iss, iss.Token(nil)); err != nil {
				t.Errorf("new token: error = %v", err)
			}
			if err := verify(t, iss, oldToken); (err == nil) != tt.oldOK {
				t.Errorf("old token: error = %v, want accepted: %t", err, tt.oldOK)
			}
		})
	}
}

func TestIssuer_RemoveKey(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	kept := iss.AddKey("EdDSA")
	iss.RemoveKey(iss.Key().ID())
	if got, want := keyIDs(t, iss), []string{kept.ID()}; !slices.Equal(got, want) {
		t.Errorf("key IDs = %q, want %q", got, want)
	}
	if err := verify(t, iss, iss.Token(nil)); err == nil {
		t.Error("token of a removed key: error = nil")
	}
	iss.SignWith(kept)
	if err := verify(t, iss, iss.Token(nil)); err != nil {
		t.Errorf("token of a kept key: error = %v", err)
	}
	iss.RemoveKeys()
	if got, want := string(iss.KeySet()), `{"keys":[]}`+"\n"; got != want {
		t.Errorf("KeySet() = %q, want %q", got, want)
	}
}

func TestBrokenJWKs(t *testing.T) {
	t.Parallel()
	for _, s := range oidctest.BrokenJWKs() {
		t.Run(s.Name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{})
			iss.AddJWK(s.Bytes)
			_, body := get(t, iss.Client(), iss.JWKSURL())
			var set struct{ Keys []json.RawMessage }
			if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) != 2 {
				t.Fatalf("key set of %d: %v", len(set.Keys), err)
			}
			if string(set.Keys[1]) != string(s.Bytes) {
				t.Errorf("element = %s, want %s", set.Keys[1], s.Bytes)
			}
			iss.RemoveKey(oidctest.BrokenKeyID)
			iss.RemoveKey("")
			if got := keyIDs(t, iss); s.Name != "key ID that is a number" && len(got) != 1 {
				t.Errorf("key IDs after RemoveKey = %q", got)
			}
		})
	}
}

// Issuers that are open together must not verify each other's tokens by
// accident of the pool.
func TestRSAPairsAreNotShared(t *testing.T) {
	t.Parallel()
	modulus := func(k *oidctest.Key) string { return k.Public().(*rsa.PublicKey).N.String() }
	a := oidctest.NewIssuer(nil, oidctest.Config{Algorithm: "RS256"})
	b := oidctest.NewIssuer(nil, oidctest.Config{Algorithm: "RS256"})
	defer b.Close()
	if modulus(a.Key()) == modulus(b.Key()) {
		t.Error("two open issuers share a key pair")
	}
	seen := modulus(a.Key())
	a.Close()
	c := oidctest.NewIssuer(t, oidctest.Config{Algorithm: "RS256", URL: "https://c.test"})
	if modulus(c.Key()) != seen {
		t.Error("the pair of a closed issuer was not used again")
	}
	if c.Key().ID() == a.Key().ID() {
		t.Errorf("both keys have the ID %q", c.Key().ID())
	}
}

func TestRSAInsideBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		iss := oidctest.NewIssuer(t, oidctest.Config{Algorithm: "RS256"})
		iss.Rotate()
		if err := verify(t, iss, iss.Token(nil)); err != nil {
			t.Errorf("verify: error = %v", err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v of the bubble's time", d)
		}
	})
}
