package jws_test

import (
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// What a key of a type and curve can be meant for is what it permits.
func TestAlgorithmsOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kty, curve, alg string }{
		{"RSA", "", "RS256"}, {"EC", "P-256", "ES256"}, {"EC", "P-384", "ES384"}, {"EC", "P-521", "ES512"}, {"OKP", "Ed25519", "EdDSA"},
	} {
		key, err := jws.NewKey("", "", "", nil, testSigner(t, tt.alg).Public())
		if err != nil {
			t.Fatal(err)
		}
		of := jws.AlgorithmsOf(tt.kty, tt.curve)
		if !slices.Contains(of, tt.alg) {
			t.Errorf("AlgorithmsOf(%q, %q) = %q, want %s among them", tt.kty, tt.curve, of, tt.alg)
		}
		for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"} {
			if !jws.Known(alg) || slices.Contains(of, alg) != key.Permits(alg) {
				t.Errorf("AlgorithmsOf(%q, %q) = %q, and Permits(%s) = %t", tt.kty, tt.curve, of, alg, key.Permits(alg))
			}
		}
	}
	for _, tt := range [][2]string{{"EC", ""}, {"EC", "P-224"}, {"EC", "Ed25519"}, {"OKP", "P-256"}, {"OKP", "Ed448"}, {"rsa", ""}, {"oct", ""}, {"", ""}} {
		if of := jws.AlgorithmsOf(tt[0], tt[1]); len(of) != 0 {
			t.Errorf("AlgorithmsOf(%q, %q) = %q, want none", tt[0], tt[1], of)
		}
	}
}

// The refusals that others tell apart.
func TestNewKey_Errors(t *testing.T) {
	t.Parallel()
	public := testSigner(t, "RS256").Public().(*rsa.PublicKey)
	modulus := func(bits int) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return n.SetBit(n, 0, 1)
	}
	for _, tt := range []struct {
		name, use string
		ops       []string
		public    *rsa.PublicKey
		want      error
	}{
		{"good", "sig", []string{"verify"}, public, nil},
		{"another use", "enc", nil, public, jws.ErrKeyUse},
		{"another operation", "", []string{"sign"}, public, jws.ErrKeyUse},
		{"2047 bits", "", nil, &rsa.PublicKey{N: modulus(2047), E: 65537}, jws.ErrWeakKey},
		{"exponent three", "", nil, &rsa.PublicKey{N: public.N, E: 3}, jws.ErrWeakKey},
		{"an even exponent", "", nil, &rsa.PublicKey{N: public.N, E: 65538}, jws.ErrWeakKey},
		{"8193 bits", "", nil, &rsa.PublicKey{N: modulus(8193), E: 65537}, jws.ErrHugeKey},
	} {
		_, err := jws.NewKey("", "", tt.use, tt.ops, tt.public)
		if !errors.Is(err, tt.want) || err != nil && !errors.Is(err, jws.ErrKey) {
			t.Errorf("%s: NewKey() error = %v, want %v", tt.name, err, tt.want)
		}
		others := 0
		for _, other := range []error{jws.ErrKeyUse, jws.ErrWeakKey, jws.ErrHugeKey} {
			if errors.Is(err, other) {
				others++
			}
		}
		if tt.want != nil && others != 1 {
			t.Errorf("%s: %d reasons, want one", tt.name, others)
		}
	}
}
