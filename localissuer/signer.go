package localissuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/panics"
)

// An externalSigner has [Config.Signer] sign, and hands out nothing that its key does
// not verify: what a device or a service returns that fails would be a token that
// everybody refuses, or tell of the key.
type externalSigner struct {
	signer crypto.Signer
	public *ecdsa.PublicKey
	keyID  string
}

// publicOf returns the key that verifies what a signer signs.
func publicOf(signer crypto.Signer) (public *ecdsa.PublicKey, err error) {
	defer func() {
		if v := recover(); v != nil {
			public, err = nil, panics.Error(v)
		}
	}()
	key := signer.Public()
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("got a key of type %T, want *ecdsa.PublicKey", key)
	}
	return public, keyring.CheckPublic(public)
}

// Public returns the key that verifies.
func (s *externalSigner) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: s.public, KeyID: s.keyID}
}

// Algs returns the one algorithm of local tokens.
func (s *externalSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{algorithm}
}

// SignPayload returns the signature in the form of RFC 7518, section 3.4.
func (s *externalSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	sum := sha256.Sum256(payload)
	signature, err := s.sign(sum[:])
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil || !ecdsa.VerifyASN1(s.public, sum[:], signature) {
		return nil, fmt.Errorf("Config.Signer: got %d bytes that are no signature by its key, want one (ECDSA, SHA-256, ASN.1)", len(signature))
	}
	out := make([]byte, 64) // what was verified fits
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}

// sign asks the program's signer, whose panic is an error of its own, also one of its error
// when that is looked at.
func (s *externalSigner) sign(sum []byte) (signature []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("Config.Signer: %w", panics.Error(v))
		}
	}()
	signature, err = s.signer.Sign(rand.Reader, sum, crypto.SHA256)
	panics.Try(err)
	if err != nil {
		return nil, fmt.Errorf("Config.Signer: %w", err)
	}
	return signature, nil
}
