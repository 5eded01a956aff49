package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	minRSABits     = 2048
	maxRSABits     = 8192  // whatever else reads keys has limits of its own, go-jose 4096
	minRSAExponent = 65537 // FIPS 186-5, section A.1.1
	maxRSAExponent = 1<<31 - 1
)

// Key is a public key that verifies signatures. It is safe for concurrent use, and
// but for what [Key.Prepare] does it never changes. The zero Key permits no algorithm.
type Key struct {
	id  string
	alg string

	// Exactly one of the following is set.
	rsa     *rsa.PublicKey
	ecdsa   *ecdsa.PublicKey
	ed25519 ed25519.PublicKey
	lattice *latticeKey

	prepared atomic.Pointer[prepared] // nil until [Key.Prepare]
}

// NewKey returns a key from the members of a JWK (RFC 7517, section 4), each
// empty when absent, and from its public key, which must not change afterwards:
// an *[rsa.PublicKey], an *[ecdsa.PublicKey], an [ed25519.PublicKey] or what
// [NewMLDSA] gives.
//
// The error is an [ErrKey] that says why the key must not verify signatures: it
// is meant for something else ([ErrKeyUse]), its alg does not fit it, its curve is
// unknown, it is invalid, or it is too weak ([ErrWeakKey]) or absurdly large
// ([ErrHugeKey]). No other package has rules of its own about what a key must be
// like.
func NewKey(id, alg, use string, keyOps []string, public crypto.PublicKey) (*Key, error) {
	if err := CheckUse(use, keyOps); err != nil {
		return nil, err
	}
	k := &Key{id: id, alg: alg}
	if err := k.setPublic(public); err != nil {
		return nil, err
	}
	if alg != "" && !k.Permits(alg) {
		return nil, fmt.Errorf("%w: alg: %s does not fit the key", ErrKey, quote.Value(alg))
	}
	return k, nil
}

// CheckUse refuses a key with [ErrKeyUse] that is meant for something else than
// verifying signatures, by its "use" and its "key_ops" (RFC 7517, sections 4.2, 4.3).
func CheckUse(use string, keyOps []string) error {
	if use != "" && use != "sig" {
		return fmt.Errorf("%w: use: got %s, want \"sig\"", ErrKeyUse, quote.Value(use))
	}
	if len(keyOps) > 0 && !slices.Contains(keyOps, "verify") {
		return fmt.Errorf("%w: key_ops: \"verify\" is not among them", ErrKeyUse)
	}
	return nil
}

// setPublic checks and sets the public key.
func (k *Key) setPublic(public crypto.PublicKey) error {
	switch public := public.(type) {
	case *rsa.PublicKey:
		k.rsa = public
		return checkRSA(public)
	case *ecdsa.PublicKey:
		k.ecdsa = public
		return checkECDSA(public)
	case ed25519.PublicKey:
		k.ed25519 = public
		return checkEd25519(public)
	}
	return k.setLattice(public)
}

// checkRSA refuses keys that are too weak to trust, too large to be meant
// seriously, or impossible.
func checkRSA(key *rsa.PublicKey) error {
	if key == nil || key.N == nil || key.N.Sign() <= 0 {
		return fmt.Errorf("%w: RSA: no modulus", ErrKey)
	}
	switch bits := key.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Errorf("%w: RSA: got %d bits, want %d to %d", ErrWeakKey, bits, minRSABits, maxRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("%w: RSA: got %d bits, want %d to %d", ErrHugeKey, bits, minRSABits, maxRSABits)
	case key.N.Bit(0) == 0:
		return fmt.Errorf("%w: RSA: even modulus", ErrKey)
	case key.E < minRSAExponent || key.E%2 == 0:
		return fmt.Errorf("%w: RSA: exponent: got %d, want an odd one from %d to %d", ErrWeakKey, key.E, minRSAExponent, maxRSAExponent)
	case key.E > maxRSAExponent:
		return fmt.Errorf("%w: RSA: exponent: got %d, want at most %d", ErrHugeKey, key.E, maxRSAExponent)
	}
	return nil
}

// checkECDSA refuses curves no algorithm uses and points that are not on the
// curve.
func checkECDSA(key *ecdsa.PublicKey) error {
	//lint:ignore SA1019 Bytes, which stands in for X and Y, panics without them
	if key == nil || key.Curve == nil || key.X == nil || key.Y == nil {
		return fmt.Errorf("%w: ECDSA: no point", ErrKey)
	}
	switch key.Curve {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
	default:
		return fmt.Errorf("%w: ECDSA: unknown curve", ErrKey)
	}
	if _, err := key.Bytes(); err != nil {
		return fmt.Errorf("%w: ECDSA: %w", ErrKey, err)
	}
	return nil
}

// checkEd25519 refuses keys of the wrong length, on which the standard library
// panics.
func checkEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: Ed25519: got %d bytes, want %d", ErrKey, len(key), ed25519.PublicKeySize)
	}
	return nil
}

// ID returns the key ID, which may be empty.
func (k *Key) ID() string { return k.id }

// Algorithm returns the one algorithm the key is meant for, or "" if it names
// none.
func (k *Key) Algorithm() string { return k.alg }

// Public returns the public key, which must not be changed.
func (k *Key) Public() crypto.PublicKey {
	switch {
	case k.rsa != nil:
		return k.rsa
	case k.ecdsa != nil:
		return k.ecdsa
	case k.ed25519 != nil:
		return k.ed25519
	case k.lattice != nil:
		return k.lattice.key()
	}
	return nil
}

// Permits reports whether the key may verify signatures of that algorithm: the
// algorithm is one of those for the key's type and curve, and is the key's own
// where it names one.
func (k *Key) Permits(alg string) bool {
	a, ok := findAlgorithm(alg)
	return ok && k.permits(alg, a)
}

func (k *Key) permits(name string, a algorithm) bool {
	if k.alg != "" && k.alg != name {
		return false
	}
	switch a.scheme {
	case rsaPKCS1, rsaPSS:
		return k.rsa != nil
	case ecdsaRaw:
		return k.ecdsa != nil && k.ecdsa.Curve.Params().BitSize == a.curveBits
	case edwards:
		return k.ed25519 != nil
	case lattice:
		return k.lattice != nil && k.lattice.name() == name
	}
	return false
}
