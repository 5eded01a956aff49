package sigcheck

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"

	"filippo.io/edwards25519"
)

// messageBuffer is the size of a buffer for a usual message with what goes before
// it into the hash.
const messageBuffer = 2048 + 64

// Ed25519 is a prepared Ed25519 public key. It never changes and is safe for
// concurrent use.
type Ed25519 struct {
	encoded [ed25519.PublicKeySize]byte // as it was given, canonical or not
	negated edwards25519.Point
}

// NewEd25519 prepares a public key. The error is an [ErrKey]: its length is wrong, or
// it is no point of the curve, so that the standard library accepts no signature by
// it.
func NewEd25519(public ed25519.PublicKey) (*Ed25519, error) {
	if len(public) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: Ed25519: got %d bytes, want %d", ErrKey, len(public), ed25519.PublicKeySize)
	}
	point, err := new(edwards25519.Point).SetBytes(public)
	if err != nil {
		return nil, fmt.Errorf("%w: Ed25519: %w", ErrKey, err)
	}
	k := &Ed25519{encoded: [ed25519.PublicKeySize]byte(public)}
	k.negated.Negate(point)
	return k, nil
}

// Bytes returns how much memory the key takes: its encoding, and a point of four numbers
// that take 40 bytes each.
func (k *Ed25519) Bytes() int { return 192 }

// Verify reports whether a signature is one of Ed25519 (RFC 8032, section 5.1.7) over
// message, with the verdicts of [ed25519.Verify]: without the cofactor, S below the
// order, R in its canonical encoding, and any point of the curve for a public key.
func (k *Ed25519) Verify(message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize {
		return false
	}
	r, s := signature[:32], signature[32:]
	scalar, err := edwards25519.NewScalar().SetCanonicalBytes(s)
	if err != nil {
		return false
	}
	var buf [messageBuffer]byte
	input := append(append(append(buf[:0], r...), k.encoded[:]...), message...)
	digest := sha512.Sum512(input)
	challenge, err := edwards25519.NewScalar().SetUniformBytes(digest[:])
	if err != nil {
		return false
	}
	// S·B = R + k·A, put as R = k·(-A) + S·B.
	point := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(challenge, &k.negated, scalar)
	return bytes.Equal(r, point.Bytes())
}
