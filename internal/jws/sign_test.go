package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// algorithms are the algorithms that [jws.Key] verifies, in the order of the
// registry.
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// testKeys are made once, since RSA keys take a while.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	keys := map[string]crypto.Signer{"RS": rsaKey, "PS": rsaKey, "Ed": edKey}
	for name, curve := range map[string]elliptic.Curve{
		"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521(),
	} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[name] = key
	}
	return keys
})

// testSigner returns a private key that fits alg, the same one each time.
func testSigner(tb testing.TB, alg string) crypto.Signer {
	tb.Helper()
	keys := testKeys()
	if key, ok := keys[alg]; ok {
		return key
	}
	key, ok := keys[alg[:2]]
	if !ok {
		tb.Fatalf("no key for %q", alg)
	}
	return key
}

// testKey returns the public part of testSigner as a key that names no
// algorithm.
func testKey(tb testing.TB, alg string) *jws.Key {
	tb.Helper()
	key, err := jws.NewKey("k1", "", "", nil, testSigner(tb, alg).Public())
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// sign returns a compact JWS over header and payload exactly as given.
func sign(tb testing.TB, alg string, signer crypto.Signer, header, payload string) string {
	tb.Helper()
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(string(signBytes(tb, alg, signer, input)))
}

func encode(data string) string { return base64.RawURLEncoding.EncodeToString([]byte(data)) }

// signBytes returns the raw signature over input.
func signBytes(tb testing.TB, alg string, signer crypto.Signer, input string) []byte {
	tb.Helper()
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	var options crypto.SignerOpts = hash
	digest := []byte(input)
	if alg[:2] == "Ed" {
		options = crypto.Hash(0)
	} else {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	if alg[:2] == "PS" {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	if key, ok := signer.(*ecdsa.PrivateKey); ok {
		return signECDSA(tb, key, digest)
	}
	signature, err := signer.Sign(rand.Reader, digest, options)
	if err != nil {
		tb.Fatal(err)
	}
	return signature
}

// signECDSA returns R and S, each as long as the order of the curve.
func signECDSA(tb testing.TB, key *ecdsa.PrivateKey, digest []byte) []byte {
	tb.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		tb.Fatal(err)
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature
}
