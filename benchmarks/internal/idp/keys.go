package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// The signature algorithms that the issuer has a key for.
const (
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
	PS256 = "PS256"
	RS512 = "RS512"
)

// Algorithms returns the algorithms that the issuer has a key for, in the
// order in which results are shown.
func Algorithms() []string { return append(Usual(), PS256, RS512) }

// Usual returns the algorithms that are common enough to be measured in every
// way. The others are only measured as first uses.
func Usual() []string { return []string{RS256, ES256, EdDSA} }

// Key is one signing key of the issuer.
type Key struct {
	Algorithm string
	KeyID     string
	private   crypto.Signer
}

// newKey makes a signing key; generation tells the keys of one algorithm
// apart in their key IDs.
func newKey(algorithm string, generation int) (*Key, error) {
	k := &Key{Algorithm: algorithm, KeyID: fmt.Sprintf("%s-key-%04d", algorithm, generation)}
	var err error
	switch algorithm {
	case RS256, PS256, RS512:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	case ES256:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("idp: no such algorithm: %q", algorithm)
	}
	return k, err
}

// Public returns the public half of the key.
func (k *Key) Public() crypto.PublicKey { return k.private.Public() }

// jwk returns the public key as a member of a JWKS.
func (k *Key) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.Public(), KeyID: k.KeyID, Algorithm: k.Algorithm, Use: "sig"}
}

// Sign returns the compact JWS of header and payload, which it takes as they
// are: tests sign what no issuer would.
func (k *Key) Sign(header, payload string) (string, error) {
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	signature, err := k.signature(input)
	if err != nil {
		return "", fmt.Errorf("idp: sign %s: %w", k.Algorithm, err)
	}
	return input + "." + encode(signature), nil
}

func (k *Key) signature(input string) ([]byte, error) {
	digest := sha256.Sum256([]byte(input))
	switch private := k.private.(type) {
	case *rsa.PrivateKey:
		switch k.Algorithm {
		case PS256:
			return signPSS(private, crypto.SHA256, digest[:])
		case RS512:
			longer := sha512.Sum512([]byte(input))
			return rsa.SignPKCS1v15(nil, private, crypto.SHA512, longer[:])
		}
		return rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			return nil, err
		}
		fixed := make([]byte, 64)
		r.FillBytes(fixed[:32])
		s.FillBytes(fixed[32:])
		return fixed, nil
	default:
		return k.private.Sign(nil, []byte(input), crypto.Hash(0))
	}
}

// SignPSS returns the compact JWS of header and payload signed with
// RSASSA-PSS and SHA-384, by the key that the JWKS publishes for RS256.
func (k *Key) SignPSS(header, payload string) (string, error) {
	private, ok := k.private.(*rsa.PrivateKey)
	if !ok {
		return "", fmt.Errorf("idp: not an RSA key: %q", k.KeyID)
	}
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	digest := sha512.Sum384([]byte(input))
	signature, err := signPSS(private, crypto.SHA384, digest[:])
	if err != nil {
		return "", fmt.Errorf("idp: sign PS384: %w", err)
	}
	return input + "." + encode(signature), nil
}

func signPSS(private *rsa.PrivateKey, hash crypto.Hash, digest []byte) ([]byte, error) {
	return rsa.SignPSS(rand.Reader, private, hash, digest,
		&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
