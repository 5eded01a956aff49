package sigcheck

import (
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"filippo.io/bigmod"
)

const (
	minBits = 1024
	maxBits = 8192

	// maxSize is the size of the longest signature in bytes.
	maxSize = maxBits / 8
)

// ErrKey says that a key cannot be prepared. It says nothing about what the
// standard library makes of the key.
var ErrKey = errors.New("key cannot be prepared")

// RSA is a prepared RSA public key. It never changes and is safe for concurrent
// use.
type RSA struct {
	modulus  *bigmod.Modulus
	exponent uint
	bits     int // of the modulus
	size     int // of the modulus in bytes, and of each signature
}

// NewRSA prepares a public key of 1024 to 8192 bits, whose modulus and exponent are
// odd, the exponent being from 3 to 2^31-1. The error is an [ErrKey]. Whether such a
// key is worth trust is for the caller to say.
func NewRSA(public *rsa.PublicKey) (*RSA, error) {
	if public == nil || public.N == nil || public.N.Sign() <= 0 {
		return nil, fmt.Errorf("%w: RSA: no modulus", ErrKey)
	}
	n := public.N.BitLen()
	if n < minBits || n > maxBits || public.N.Bit(0) == 0 {
		return nil, fmt.Errorf("%w: RSA: got a modulus of %d bits, want an odd one of %d to %d", ErrKey, n, minBits, maxBits)
	}
	if public.E < 3 || public.E > 1<<31-1 || public.E%2 == 0 {
		return nil, fmt.Errorf("%w: RSA: got exponent %d, want an odd one from 3 to %d", ErrKey, public.E, 1<<31-1)
	}
	modulus, err := bigmod.NewModulus(public.N.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: RSA: %w", ErrKey, err)
	}
	return &RSA{modulus: modulus, exponent: uint(public.E), bits: n, size: (n + 7) / 8}, nil
}

// Bytes returns how much memory the key takes at most: the modulus, another number of
// its size, and what holds them.
func (k *RSA) Bytes() int { return overhead + 2*max(k.size+k.size/8, preallocated) }

const (
	preallocated = 256 // bytes that bigmod reserves for a number at least
	overhead     = 160
)

// recoverEncoded appends to dst the encoded message that a signature holds, as many bytes
// as the modulus has (RFC 8017, sections 8.1.2 and 8.2.2, step 2). It is false for a
// signature that is not exactly as long as the modulus, or not below it.
//
// Everything here is public, so that time may depend on all of it.
func (k *RSA) recoverEncoded(dst, signature []byte) ([]byte, bool) {
	if len(signature) != k.size {
		return dst, false
	}
	s, err := bigmod.NewNat().SetBytes(signature, k.modulus)
	if err != nil {
		return dst, false
	}
	m := bigmod.NewNat().ExpShortVarTime(s, k.exponent, k.modulus)
	start := len(dst)
	dst = appendLimbs(dst, m.Bits())
	// The limbs may hold more bytes than the modulus has; these are zero, since the
	// message is below the modulus.
	surplus := len(dst) - start - k.size
	return append(dst[:start], dst[start+surplus:]...), true
}

// appendLimbs appends the bytes of a number, the most significant first, whose
// limbs come with the least significant first.
func appendLimbs(dst []byte, limbs []uint) []byte {
	for _, limb := range slices.Backward(limbs) {
		if bits.UintSize == 64 {
			dst = binary.BigEndian.AppendUint64(dst, uint64(limb))
		} else {
			dst = binary.BigEndian.AppendUint32(dst, uint32(limb))
		}
	}
	return dst
}
