//lint:file-ignore SA1019 only by their coordinates can impossible keys be made

package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

func TestNewKey(t *testing.T) {
	t.Parallel()
	rsaKey := testSigner(t, "RS256").(*rsa.PrivateKey)
	ecKey := testSigner(t, "ES256").(*ecdsa.PrivateKey)
	edKey := testSigner(t, "EdDSA").(ed25519.PrivateKey)
	edPublic := edKey.Public().(ed25519.PublicKey)
	withN := func(n *big.Int) *rsa.PublicKey { return &rsa.PublicKey{N: n, E: 65537} }
	odd := func(bits int) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return n.SetBit(n, 0, 1)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	largest := math.MaxInt32 // a variable, so that the sum wraps where int is short
	tests := []struct {
		name, alg, use string
		keyOps         []string
		public         crypto.PublicKey
		reason         string // empty for a key that must be accepted
	}{
		{"RSA", "", "", nil, &rsaKey.PublicKey, ""},
		{"RSA for signatures", "PS384", "sig", []string{"verify"}, &rsaKey.PublicKey, ""},
		{"RSA for encryption", "", "enc", nil, &rsaKey.PublicKey, "use"},
		{"RSA with an unknown use", "", "SIG", nil, &rsaKey.PublicKey, "use"},
		{"RSA for encryption by operation", "", "", []string{"encrypt", "wrapKey"}, &rsaKey.PublicKey, "key_ops"},
		{"RSA for signing only", "", "", []string{"sign"}, &rsaKey.PublicKey, "key_ops"},
		{"RSA for signing and verifying", "", "", []string{"sign", "verify"}, &rsaKey.PublicKey, ""},
		{"RSA with an empty list of operations", "", "", []string{}, &rsaKey.PublicKey, ""},
		{"RSA with an encryption algorithm", "RSA-OAEP", "", nil, &rsaKey.PublicKey, "alg"},
		{"RSA with an ECDSA algorithm", "ES256", "", nil, &rsaKey.PublicKey, "alg"},
		{"RSA with HMAC", "HS256", "", nil, &rsaKey.PublicKey, "alg"},
		{"RSA with none", "none", "", nil, &rsaKey.PublicKey, "alg"},
		{"RSA with an algorithm in small letters", "rs256", "", nil, &rsaKey.PublicKey, "alg"},
		{"RSA of 2048 bits", "", "", nil, withN(odd(2048)), ""},
		{"RSA of 2047 bits", "", "", nil, withN(odd(2047)), "bits"},
		{"RSA of 512 bits", "", "", nil, withN(odd(512)), "bits"},
		{"RSA of 8192 bits", "", "", nil, withN(odd(8192)), ""},
		{"RSA of 8193 bits", "", "", nil, withN(odd(8193)), "bits"},
		{"RSA with an even modulus", "", "", nil, withN(new(big.Int).Lsh(big.NewInt(1), 2047)), "even modulus"},
		{"RSA without a modulus", "", "", nil, &rsa.PublicKey{E: 65537}, "no modulus"},
		{"RSA with a negative modulus", "", "", nil, withN(new(big.Int).Neg(odd(2048))), "no modulus"},
		{"RSA with exponent 1", "", "", nil, &rsa.PublicKey{N: rsaKey.N, E: 1}, "exponent"},
		{"RSA with exponent 3", "", "", nil, &rsa.PublicKey{N: rsaKey.N, E: 3}, "exponent"},
		{"RSA with an even exponent", "", "", nil, &rsa.PublicKey{N: rsaKey.N, E: 65538}, "exponent"},
		{"RSA with a large exponent", "", "", nil, &rsa.PublicKey{N: rsaKey.N, E: largest}, ""},
		{"RSA with a larger exponent", "", "", nil, &rsa.PublicKey{N: rsaKey.N, E: largest + 2}, "exponent"},
		{"no RSA key", "", "", nil, (*rsa.PublicKey)(nil), "no modulus"},
		{"P-256", "ES256", "sig", nil, &ecKey.PublicKey, ""},
		{"P-256 with the algorithm of P-384", "ES384", "", nil, &ecKey.PublicKey, "alg"},
		{"P-256 with key agreement", "ECDH-ES", "", nil, &ecKey.PublicKey, "alg"},
		{"P-384", "ES384", "", nil, testSigner(t, "ES384").Public(), ""},
		{"P-521", "ES512", "", nil, testSigner(t, "ES512").Public(), ""},
		{"P-521 with its curve for an algorithm", "ES521", "", nil, testSigner(t, "ES512").Public(), "alg"},
		{"P-224", "", "", nil, &p224.PublicKey, "unknown curve"},
		{"point not on the curve", "", "", nil, &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, "ECDSA"},
		{"point at infinity", "", "", nil, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, "ECDSA"},
		{"coordinate beyond the field", "", "", nil, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Add(ecKey.X, ecKey.Params().P), Y: ecKey.Y}, "ECDSA"},
		{"negative coordinate", "", "", nil, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Neg(ecKey.X), Y: ecKey.Y}, "ECDSA"},
		{"point of another curve", "", "", nil, &ecdsa.PublicKey{Curve: elliptic.P384(), X: ecKey.X, Y: ecKey.Y}, "ECDSA"},
		{"ECDSA without a curve", "", "", nil, &ecdsa.PublicKey{X: ecKey.X, Y: ecKey.Y}, "no point"},
		{"ECDSA without a point", "", "", nil, &ecdsa.PublicKey{Curve: elliptic.P256()}, "no point"},
		{"no ECDSA key", "", "", nil, (*ecdsa.PublicKey)(nil), "no point"},
		{"Ed25519", "EdDSA", "", nil, edPublic, ""},
		{"Ed25519 by its newer name", "Ed25519", "", nil, edPublic, ""},
		{"Ed25519 with the name of another curve", "Ed448", "", nil, edPublic, "alg"},
		{"Ed25519 cut short", "", "", nil, edPublic[:31], "31 bytes"},
		{"no Ed25519 key", "", "", nil, ed25519.PublicKey(nil), "0 bytes"},
		{"a private key", "", "", nil, rsaKey, "*rsa.PrivateKey"},
		{"a private Ed25519 key", "", "", nil, edKey, "ed25519.PrivateKey"},
		{"a secret", "HS256", "", nil, []byte("secret"), "[]uint8"},
		{"an RSA value", "", "", nil, rsaKey.PublicKey, "rsa.PublicKey"},
		{"nothing", "", "", nil, nil, "<nil>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := jws.NewKey("k1", tt.alg, tt.use, tt.keyOps, tt.public)
			if tt.reason == "" {
				if err != nil {
					t.Fatalf("NewKey() error = %v, want none", err)
				}
				if key.ID() != "k1" || key.Algorithm() != tt.alg || !samePublic(key.Public(), tt.public) {
					t.Errorf("NewKey() = %q, %q, %v", key.ID(), key.Algorithm(), key.Public())
				}
				return
			}
			if !errors.Is(err, jws.ErrKey) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("NewKey() error = %v, want %v about %s", err, jws.ErrKey, tt.reason)
			}
			if key != nil {
				t.Errorf("NewKey() = %v beside an error", key)
			}
		})
	}
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// permitted is what each type of key may verify.
var permitted = map[string][]string{
	"RS256": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
	"ES256": {"ES256"},
	"ES384": {"ES384"},
	"ES512": {"ES512"},
	"EdDSA": {"EdDSA", "Ed25519"},
}

// otherAlgorithms are names that no key may permit.
var otherAlgorithms = []string{
	"", "none", "None", "NONE", "nOnE", "none ", "no", "HS256", "HS384", "HS512", "RS1", "RS224", "rs256", "RS256 ", "ES256K", "ES521", "es256",
	"eddsa", "EDDSA", "Ed448", "ed25519", "ESP256", "RSA-OAEP", "ECDH-ES", "dir", "A128KW", "PBES2-HS256+A128KW", "ML-DSA-44", "SHA256", "RS256\x00",
}

// TestKey_Permits is the matrix of every key type and curve, with every
// algorithm of its own or none, against every algorithm.
func TestKey_Permits(t *testing.T) {
	t.Parallel()
	for kind, fitting := range permitted {
		public := testSigner(t, kind).Public()
		for _, own := range append([]string{""}, fitting...) {
			key, err := jws.NewKey("", own, "", nil, public)
			if err != nil {
				t.Fatal(err)
			}
			for _, alg := range append(slices.Clone(algorithms), otherAlgorithms...) {
				want := slices.Contains(fitting, alg) && (own == "" || own == alg)
				if got := key.Permits(alg); got != want {
					t.Errorf("Permits(%q) of a key of type %s with alg %q = %v, want %v", alg, kind, own, got, want)
				}
			}
		}
	}
	var zero jws.Key
	for _, alg := range algorithms {
		if zero.Permits(alg) {
			t.Errorf("the zero Key permits %s", alg)
		}
	}
	if zero.Public() != nil || zero.ID() != "" || zero.Algorithm() != "" {
		t.Error("the zero Key is not empty")
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		if !jws.Known(alg) {
			t.Errorf("Known(%q) = false, want true", alg)
		}
	}
	for _, alg := range otherAlgorithms {
		if want := jws.IsMLDSA(alg) && jws.CheckMLDSA() == nil; jws.Known(alg) != want {
			t.Errorf("Known(%q) = %t, want %t", alg, !want, want)
		}
	}
}
