package dpop

import (
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
)

const BytesPerProof = bytesPerProof

// Memory is what remembers the proofs that were used.
type Memory struct{ m *memory }

func NewMemory(most int, fresh time.Duration) Memory { return Memory{newMemory(most, fresh)} }

func (m Memory) Use(thumbprint, id string, stale, now time.Time) error {
	return m.m.use(thumbprint, thumbprint, id, stale, now)
}

// UseOf is Use of a bearer who has several keys.
func (m Memory) UseOf(bearer, thumbprint, id string, stale, now time.Time) error {
	return m.m.use(bearer, thumbprint, id, stale, now)
}

func (m Memory) Release(thumbprint, id string, stale time.Time) {
	m.m.release(thumbprint, thumbprint, id, stale)
}

func (m Memory) Count() int {
	m.m.mu.Lock()
	defer m.m.mu.Unlock()
	return m.m.count
}

// CountOf returns how many proofs a Verifier remembers.
func CountOf(v *Verifier) int { return Memory{v.memory}.Count() }

// MostOf returns how many proofs a Verifier can remember.
func MostOf(v *Verifier) int { return v.memory.most }

// Normalize returns an address in the form that is compared.
func Normalize(uri string) (string, error) { return normalize(uri) }

// TargetsOf returns the addresses that a proof may name for a request.
func TargetsOf(v *Verifier, url string) ([]string, error) { return v.targets(url) }

// ThumbprintOf returns the thumbprint of a key that may be in a proof.
func ThumbprintOf(jwk string) (string, error) {
	k, err := parseKey(jws.Member{Value: jwk, Kind: jws.Object})
	if err != nil {
		return "", err
	}
	if _, err := k.verifier(); err != nil {
		return "", err
	}
	return k.thumbprint(), nil
}
