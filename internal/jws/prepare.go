package jws

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

var (
	// ErrNoPreparing says that nothing can be gained by preparing a key, or that
	// nothing may be ([sigcheck.Enabled]).
	ErrNoPreparing = errors.New("keys of this type are not prepared")

	// ErrDisagreement says that a prepared key and the standard library came to
	// different verdicts, so that the key is not used.
	ErrDisagreement = errors.New("prepared key disagrees with the standard library")
)

// prepared is a public key prepared for many checks. Exactly one is set.
type prepared struct {
	rsa     *sigcheck.RSA
	ed25519 *sigcheck.Ed25519
}

// Preparable reports whether [Key.Prepare] may make checks with k faster.
func (k *Key) Preparable() bool {
	return sigcheck.Enabled() && (k.rsa != nil || k.ed25519 != nil)
}

// Prepared returns how many bytes of memory it takes at most that k was prepared, 0 if
// it was not.
func (k *Key) Prepared() int { return k.prepared.Load().bytes() }

// Discard undoes [Key.Prepare], and returns how many bytes are free for that.
func (k *Key) Discard() int { return k.prepared.Swap(nil).bytes() }

// Prepare prepares k, so that further checks take less time than the standard
// library's. The verdicts are the same.
//
// The token is one that k has signed by the standard library's verdict: a known
// answer, to which the prepared key has to come as well before it counts. On the
// signature with a bit changed both have to agree, too. With an error, which is an
// [ErrNoPreparing], an [ErrSignature], a [sigcheck.ErrKey] or an [ErrDisagreement], k
// stays as it was.
func (k *Key) Prepare(t *Token) error {
	return k.PrepareBytes(t.Algorithm, []byte(t.signingInput), t.signatureBytes())
}

// PrepareBytes is [Key.Prepare] with a signature over bytes that are not a token's.
func (k *Key) PrepareBytes(alg string, signed, signature []byte) error {
	if !k.Preparable() {
		return ErrNoPreparing
	}
	a, ok := findAlgorithm(alg)
	if !ok || !k.permits(alg, a) || !k.verifyStandard(a, signed, signature) {
		return fmt.Errorf("%w: no known answer for the key", ErrSignature)
	}
	p, err := k.prepare()
	if err != nil {
		return err
	}
	return k.adopt(p, a, signed, signature)
}

// adopt makes p the prepared key if it comes to the standard library's verdicts on a
// signature that k has made, and on the same with a bit changed.
func (k *Key) adopt(p *prepared, a algorithm, signed, signature []byte) error {
	ours := func(signature []byte) bool { return p.verify(a, signed, signature) }
	standard := func(signature []byte) bool { return k.verifyStandard(a, signed, signature) }
	if !agree(ours, standard, signature) {
		return ErrDisagreement
	}
	k.prepared.Store(p)
	return nil
}

// agree reports whether a check accepts a signature that is good, and comes to the
// standard's verdict on the same with a bit changed.
func agree(ours, standard func(signature []byte) bool, signature []byte) bool {
	changed := slices.Clone(signature)
	changed[len(changed)/2] ^= 1
	return ours(signature) && ours(changed) == standard(changed)
}

func (k *Key) prepare() (*prepared, error) {
	if k.rsa != nil {
		key, err := sigcheck.NewRSA(k.rsa)
		return &prepared{rsa: key}, err
	}
	key, err := sigcheck.NewEd25519(k.ed25519)
	return &prepared{ed25519: key}, err
}

// bytes may be called on nil.
func (p *prepared) bytes() int {
	switch {
	case p == nil:
		return 0
	case p.rsa != nil:
		return p.rsa.Bytes()
	}
	return p.ed25519.Bytes()
}

// verify checks a signature by an algorithm that the key permits.
func (p *prepared) verify(a algorithm, input, signature []byte) bool {
	if a.scheme == edwards {
		return p.ed25519.Verify(input, signature)
	}
	var buf [sha512.Size]byte
	digest := sigcheck.AppendSum(a.hash, buf[:0], input)
	switch a.scheme {
	case rsaPKCS1:
		return p.rsa.VerifyPKCS1v15(a.hash, digest, signature)
	case rsaPSS:
		return p.rsa.VerifyPSS(a.hash, digest, signature)
	}
	return false
}
