//go:build go1.27

package jws

import (
	"crypto"
	"crypto/mldsa"
	"sync"
)

// noLattice says what to do for want of ML-DSA; empty where it is there. The FIPS
// 140-3 module of before Go 1.26 has none.
var noLattice = sync.OnceValue(func() string {
	if _, err := mldsa.NewPublicKey(mldsa.MLDSA44(), make([]byte, mldsa.MLDSA44PublicKeySize)); err != nil {
		return "build this server with the FIPS 140-3 module v1.26.0 or later, or without one"
	}
	return ""
})()

// latticeKey is a public key of ML-DSA.
type latticeKey struct{ public *mldsa.PublicKey }

func latticeOf(public crypto.PublicKey) *latticeKey {
	if key, ok := public.(*mldsa.PublicKey); ok && key != nil {
		return &latticeKey{key}
	}
	return nil
}

func newLattice(alg string, encoding []byte) (crypto.PublicKey, error) {
	sets := map[string]mldsa.Parameters{"ML-DSA-44": mldsa.MLDSA44(), "ML-DSA-65": mldsa.MLDSA65(), "ML-DSA-87": mldsa.MLDSA87()}
	return mldsa.NewPublicKey(sets[alg], encoding)
}

func (k *latticeKey) key() crypto.PublicKey { return k.public }

func (k *latticeKey) name() string { return k.public.Parameters().String() }

func (k *latticeKey) encoding() []byte { return k.public.Bytes() }

// verify checks a signature with an empty context (RFC 9964, section 5).
func (k *latticeKey) verify(input, signature []byte) bool {
	return mldsa.Verify(k.public, input, signature, nil) == nil
}
