package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"
)

// inputRoom holds the signing input of a usual token.
const inputRoom = 2048

// Verify checks the token's signature with k, by the token's algorithm provided
// that k permits it. The error is an [ErrSignature]. A token that was not parsed
// never verifies.
func (k *Key) Verify(t *Token) error {
	var room [inputRoom]byte
	return k.VerifyBytes(t.Algorithm, append(room[:0], t.signingInput...), t.signatureBytes())
}

// VerifyBytes is [Key.Verify] for a signature over bytes that are not a token's.
func (k *Key) VerifyBytes(alg string, signed, signature []byte) error {
	a, ok := findAlgorithm(alg)
	if !ok || !k.permits(alg, a) {
		return fmt.Errorf("%w: algorithm %s does not fit the key", ErrSignature, quote(alg))
	}
	if len(signature) == 0 {
		return fmt.Errorf("%w: no signature", ErrSignature)
	}
	if !k.verify(a, signed, signature) {
		return ErrSignature
	}
	return nil
}

// verify checks a signature by an algorithm that k permits.
func (k *Key) verify(a algorithm, input, signature []byte) bool {
	if a.scheme == edwards {
		return ed25519.Verify(k.ed25519, input, signature)
	}
	var room [sha512.Size]byte
	digest := sum(a.hash, room[:0], input)
	switch a.scheme {
	case rsaPKCS1:
		return rsa.VerifyPKCS1v15(k.rsa, a.hash, digest, signature) == nil
	case rsaPSS:
		// RFC 7518, section 3.5: the salt is as long as the hash.
		options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(k.rsa, a.hash, digest, signature, &options) == nil
	case ecdsaRaw:
		return verifyECDSA(k.ecdsa, digest, signature)
	}
	return false
}

// sum appends the hash of input to dst.
func sum(hash crypto.Hash, dst, input []byte) []byte {
	switch hash {
	case crypto.SHA256:
		digest := sha256.Sum256(input)
		return append(dst, digest[:]...)
	case crypto.SHA384:
		digest := sha512.Sum384(input)
		return append(dst, digest[:]...)
	default:
		digest := sha512.Sum512(input)
		return append(dst, digest[:]...)
	}
}

// verifyECDSA checks a signature that is R and S, each exactly as long as the
// curve's order (RFC 7518, section 3.4). The standard library refuses zero and
// values not below the order.
func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) bool {
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r := new(big.Int).SetBytes(signature[:size])
	s := new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, digest, r, s)
}
