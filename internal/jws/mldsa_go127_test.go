//go:build go1.27

package jws_test

import (
	"crypto"
	"crypto/mldsa"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

var parameterSets = map[string]mldsa.Parameters{
	"ML-DSA-44": mldsa.MLDSA44(), "ML-DSA-65": mldsa.MLDSA65(), "ML-DSA-87": mldsa.MLDSA87(),
}

// newKey returns the key that made a token, as its JWK describes it.
func (l latticeToken) newKey(tb testing.TB) *jws.Key {
	tb.Helper()
	encoding, err := base64.RawURLEncoding.DecodeString(l.Key.Public)
	if err != nil {
		tb.Fatal(err)
	}
	public, err := jws.NewMLDSA(l.Key.Algorithm, encoding)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := jws.NewKey(l.Key.ID, l.Key.Algorithm, "sig", nil, public)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Tokens of another implementation verify with their own key and no other, for their
// own algorithm and no other, and not when anything is changed.
func TestMLDSA(t *testing.T) {
	given := latticeTokens(t)
	for i, l := range given {
		alg, key := l.Key.Algorithm, l.newKey(t)
		if err := verify(t, key, l.Token); err != nil {
			t.Fatalf("%s: Verify() error = %v", alg, err)
		}
		for j, other := range given {
			if err := verify(t, other.newKey(t), l.Token); (err == nil) != (i == j) {
				t.Errorf("%s by the key of %s: error %v", alg, other.Key.Algorithm, err)
			}
		}
		signature := signatureOf(t, l.Token)
		for _, at := range []int{0, 31, 32, 100, len(signature) / 2, len(signature) - 84, len(signature) - 1} {
			changed := slices.Clone(signature)
			changed[at] ^= 1
			if err := verify(t, key, withSignature(l.Token, changed)); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("%s: byte %d changed: error %v, want %v", alg, at, err, jws.ErrSignature)
			}
		}
		for name, other := range map[string][]byte{
			"cut": signature[:len(signature)-1], "longer": append(slices.Clone(signature), 0),
			"zeros": make([]byte, len(signature)), "one byte": {0},
		} {
			token := withSignature(l.Token, other)
			if err := verify(t, key, token); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("%s: signature %s: error %v, want %v", alg, name, err, jws.ErrSignature)
			}
			parsed := new(jws.Token)
			if _, err := parsed.Parse(nil, token, 16<<10); err != nil {
				t.Fatal(err)
			}
			if got, want := key.CanHaveSigned(parsed), len(other) == len(signature); got != want {
				t.Errorf("%s: signature %s: CanHaveSigned() = %t, want %t", alg, name, got, want)
			}
		}
	}
}

// A signature counts for the algorithm that the header names and the key bears.
func TestMLDSA_Confusion(t *testing.T) {
	for alg, set := range parameterSets {
		signer, err := mldsa.GenerateKey(set)
		if err != nil {
			t.Fatal(err)
		}
		key, err := jws.NewKey("k1", alg, "", nil, signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		signed := func(header string, options crypto.SignerOpts) string {
			input := encode(header) + "." + encode(goodPayload)
			signature, err := signer.Sign(nil, []byte(input), options)
			if err != nil {
				t.Fatal(err)
			}
			return input + "." + encode(string(signature))
		}
		if err := verify(t, key, signed(headerFor(alg), nil)); err != nil {
			t.Errorf("%s: error %v", alg, err)
		}
		if err := verify(t, key, signed(headerFor(alg), &mldsa.Options{Context: "x"})); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%s with a context: error %v, want %v", alg, err, jws.ErrSignature)
		}
		headers := append(slices.Clone(algorithms), "none", "HS256", "ML-DSA", "ml-dsa-44", "AKP")
		for other := range parameterSets {
			headers = append(headers, other)
		}
		for _, other := range headers {
			if other == alg {
				continue
			}
			if err := verify(t, key, signed(headerFor(other), nil)); !errors.Is(err, jws.ErrSignature) || key.Permits(other) {
				t.Errorf("%s by a key of %s: error %v, want %v", other, alg, err, jws.ErrSignature)
			}
		}
		for _, classic := range algorithms {
			if err := verify(t, testKey(t, classic), signed(headerFor(alg), nil)); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("%s by a key of %s: error %v, want %v", alg, classic, err, jws.ErrSignature)
			}
		}
	}
}

// A key must state its algorithm, and be as long as that says.
func TestMLDSA_Keys(t *testing.T) {
	for alg, set := range parameterSets {
		signer, err := mldsa.GenerateKey(set)
		if err != nil {
			t.Fatal(err)
		}
		for other := range parameterSets {
			if _, err := jws.NewKey("k1", other, "", nil, signer.Public()); (err == nil) != (other == alg) {
				t.Errorf("a key of %s with alg %s: error %v", alg, other, err)
			}
		}
		for _, other := range []string{"", "EdDSA", "ES256", "ML-DSA"} {
			if _, err := jws.NewKey("k1", other, "", nil, signer.Public()); !errors.Is(err, jws.ErrKey) {
				t.Errorf("a key of %s with alg %q: error %v, want %v", alg, other, err, jws.ErrKey)
			}
		}
		if _, err := jws.NewKey("k1", alg, "enc", nil, signer.Public()); !errors.Is(err, jws.ErrKey) {
			t.Errorf("a key of %s for encryption: error %v, want %v", alg, err, jws.ErrKey)
		}
		if name, found := jws.NameMLDSA(signer.Public()); name != alg || !found {
			t.Errorf("a key of %s has the name %q, %t", alg, name, found)
		}
		encoding := signer.PublicKey().Bytes()
		for _, n := range []int{0, 1, len(encoding) - 1, len(encoding) + 1} {
			if _, err := jws.NewMLDSA(alg, append(encoding, 0)[:n]); !errors.Is(err, jws.ErrKey) {
				t.Errorf("a key of %s of %d bytes: error %v, want %v", alg, n, err, jws.ErrKey)
			}
		}
		if _, err := jws.NewMLDSA("ES256", encoding); !errors.Is(err, jws.ErrKey) {
			t.Errorf("NewMLDSA(ES256) error = %v, want %v", err, jws.ErrKey)
		}
	}
	var none *mldsa.PublicKey
	if _, err := jws.NewKey("k1", "ML-DSA-44", "", nil, none); !errors.Is(err, jws.ErrKey) {
		t.Errorf("NewKey() of a nil key: error %v, want %v", err, jws.ErrKey)
	}
}

// Thumbprints are those of RFC 9964, appendix A, whose keys are made of 32 zeros, and
// of another implementation.
func TestMLDSA_Thumbprints(t *testing.T) {
	for alg, want := range map[string]string{
		"ML-DSA-44": "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o",
		"ML-DSA-65": "Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM",
		"ML-DSA-87": "tRn1JNIkgMsABVQBlXeDHxAIcclh-2IX0UdDEzPt5XU",
	} {
		signer, err := mldsa.NewPrivateKey(parameterSets[alg], make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		sum, found := jws.ThumbprintMLDSA(signer.Public())
		if got := base64.RawURLEncoding.EncodeToString(sum); !found || got != want {
			t.Errorf("%s: thumbprint %s, want %s", alg, got, want)
		}
	}
	for _, l := range latticeTokens(t) {
		sum, _ := jws.ThumbprintMLDSA(l.newKey(t).Public())
		if got := base64.RawURLEncoding.EncodeToString(sum); got != l.Key.ID {
			t.Errorf("%s: thumbprint %s, want %s", l.Key.Algorithm, got, l.Key.ID)
		}
	}
}

// A check allocates nothing but what a token longer than usual takes.
func TestMLDSA_Allocations(t *testing.T) {
	for _, l := range latticeTokens(t) {
		key, token := l.newKey(t), new(jws.Token)
		if _, err := token.Parse(nil, l.Token, 16<<10); err != nil {
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(20, func() {
			if err := key.Verify(token); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations, want none", l.Key.Algorithm, got)
		}
	}
}
