package jws

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// The algorithms of ML-DSA (RFC 9964, section 5), which name their parameter sets,
// with the sizes of public keys and signatures (FIPS 204, table 2).
var latticeSizes = [...]struct {
	name              string
	public, signature int
}{
	{"ML-DSA-44", 1312, 2420},
	{"ML-DSA-65", 1952, 3309},
	{"ML-DSA-87", 2592, 4627},
}

// ErrNoMLDSA says that this program was built without ML-DSA.
var ErrNoMLDSA = errors.New("ML-DSA is not there")

// IsMLDSA reports whether alg is an algorithm of ML-DSA, whether [Known] or not.
func IsMLDSA(alg string) bool {
	for _, s := range latticeSizes {
		if s.name == alg {
			return true
		}
	}
	return false
}

// CheckMLDSA returns an [ErrNoMLDSA] that says what to do, unless keys of ML-DSA
// verify in this program.
func CheckMLDSA() error {
	if noLattice == "" {
		return nil
	}
	return fmt.Errorf("%w: %s (this is %s)", ErrNoMLDSA, noLattice, runtime.Version())
}

// findLattice is findAlgorithm for ML-DSA.
func findLattice(name string) (algorithm, bool) {
	if noLattice != "" {
		return algorithm{}, false
	}
	for _, s := range latticeSizes {
		if s.name == name {
			return algorithm{scheme: lattice, signature: s.signature}, true
		}
	}
	return algorithm{}, false
}

// NewMLDSA returns the public key of an algorithm of ML-DSA from its encoding, for
// [NewKey]. The error is an [ErrKey], or an [ErrNoMLDSA].
func NewMLDSA(alg string, encoding []byte) (crypto.PublicKey, error) {
	if err := CheckMLDSA(); err != nil {
		return nil, err
	}
	for _, s := range latticeSizes {
		switch {
		case s.name != alg:
			continue
		case len(encoding) != s.public:
			return nil, fmt.Errorf("%w: %s: got %d bytes, want %d", ErrKey, alg, len(encoding), s.public)
		}
		public, err := newLattice(alg, encoding)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrKey, alg, err)
		}
		return public, nil
	}
	return nil, fmt.Errorf("%w: %s is no algorithm of ML-DSA", ErrKey, quote.Value(alg))
}

// setLattice sets a public key of ML-DSA, if it is one.
func (k *Key) setLattice(public crypto.PublicKey) error {
	if k.lattice = latticeOf(public); k.lattice == nil {
		return fmt.Errorf("%w: got %T, want an RSA, ECDSA, Ed25519 or ML-DSA public key", ErrKey, public)
	}
	if k.alg == "" {
		// RFC 9964, section 3: the key type alone does not say what it is for.
		return fmt.Errorf("%w: ML-DSA: no alg", ErrKey)
	}
	return nil
}

// ThumbprintMLDSA returns the thumbprint of a public key of ML-DSA (RFC 9964,
// section 6, with SHA-256), and false for any other key.
func ThumbprintMLDSA(public crypto.PublicKey) ([]byte, bool) {
	key := latticeOf(public)
	if key == nil {
		return nil, false
	}
	text := `{"alg":"` + key.name() + `","kty":"AKP","pub":"` + base64.RawURLEncoding.EncodeToString(key.encoding()) + `"}`
	sum := sha256.Sum256([]byte(text))
	return sum[:], true
}

// NameMLDSA returns the algorithm of a public key of ML-DSA, and false for any other
// key.
func NameMLDSA(public crypto.PublicKey) (string, bool) {
	key := latticeOf(public)
	if key == nil {
		return "", false
	}
	return key.name(), true
}
