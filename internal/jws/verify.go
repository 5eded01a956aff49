package jws

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"fmt"

	"github.com/oidcauth/oidcauth/internal/quote"
	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// inputBuffer is the size of a buffer for the signing input of a usual token.
const inputBuffer = 2048

// Verify checks the token's signature with k, by the token's algorithm provided
// that k permits it. The error is an [ErrSignature]. A token that was not parsed
// never verifies.
func (k *Key) Verify(t *Token) error {
	var buf [inputBuffer]byte
	return k.VerifyBytes(t.Algorithm, append(buf[:0], t.signingInput...), t.signatureBytes())
}

// CanHaveSigned reports whether k permits the token's algorithm and makes
// signatures as long as the token's. It takes no time to speak of, unlike Verify.
func (k *Key) CanHaveSigned(t *Token) bool {
	a, ok := findAlgorithm(t.Algorithm)
	if !ok || !k.permits(t.Algorithm, a) {
		return false
	}
	switch n := len(t.signatureBytes()); a.scheme {
	case rsaPKCS1, rsaPSS:
		return n == k.rsa.Size()
	case ecdsaRaw:
		return n == 2*((a.curveBits+7)/8)
	case edwards:
		return n == ed25519.SignatureSize
	case lattice:
		return n == a.signature
	}
	return false
}

// VerifyBytes is [Key.Verify] for a signature over bytes that are not a token's.
func (k *Key) VerifyBytes(alg string, signed, signature []byte) error {
	a, ok := findAlgorithm(alg)
	if !ok || !k.permits(alg, a) {
		return fmt.Errorf("%w: algorithm %s does not fit the key", ErrSignature, quote.Value(alg))
	}
	if len(signature) == 0 {
		return fmt.Errorf("%w: no signature", ErrSignature)
	}
	if !k.verify(a, signed, signature) {
		return ErrSignature
	}
	return nil
}

// verify checks a signature by an algorithm that k permits, with the prepared key if
// there is one.
func (k *Key) verify(a algorithm, input, signature []byte) bool {
	if p := k.prepared.Load(); p != nil {
		return p.verify(a, input, signature)
	}
	return k.verifyStandard(a, input, signature)
}

// verifyStandard is verify by the standard library alone.
func (k *Key) verifyStandard(a algorithm, input, signature []byte) bool {
	switch a.scheme {
	case edwards:
		return ed25519.Verify(k.ed25519, input, signature)
	case lattice:
		return k.lattice.verify(input, signature)
	}
	var buf [sha512.Size]byte
	digest := sigcheck.AppendSum(a.hash, buf[:0], input)
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

// verifyECDSA checks a signature that is R and S, each exactly as long as the
// curve's order (RFC 7518, section 3.4). The standard library refuses zero and
// values not below the order.
func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) bool {
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	var buf [maxSignatureDER]byte
	return ecdsa.VerifyASN1(key, digest, appendDER(buf[:0], signature[:size], signature[size:]))
}

// maxSignatureDER is the size of the longest signature in DER, P-521's: a sequence with
// a long length and two integers of 66 bytes.
const maxSignatureDER = 3 + 2*(2+66)

// appendDER appends R and S in the form that the standard library reads: a
// sequence of two integers (RFC 3279, section 2.2.3).
func appendDER(dst, r, s []byte) []byte {
	r, s = withoutZeros(r), withoutZeros(s)
	length := integerLength(r) + integerLength(s)
	dst = append(dst, 0x30)
	if length >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(length))
	return appendInteger(appendInteger(dst, r), s)
}

// withoutZeros drops leading zeros, as DER demands, but for the last digit.
func withoutZeros(number []byte) []byte {
	for len(number) > 1 && number[0] == 0 {
		number = number[1:]
	}
	return number
}

// integerLength is what [appendInteger] appends.
func integerLength(number []byte) int {
	if number[0] >= 0x80 {
		return 3 + len(number)
	}
	return 2 + len(number)
}

// appendInteger appends a positive integer: a zero goes before a high bit, which
// would mean a sign.
func appendInteger(dst, number []byte) []byte {
	if number[0] >= 0x80 {
		dst = append(dst, 0x02, byte(len(number)+1), 0)
	} else {
		dst = append(dst, 0x02, byte(len(number)))
	}
	return append(dst, number...)
}
