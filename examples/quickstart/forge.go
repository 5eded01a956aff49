package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

var errNotThreeParts = errors.New("token has not three parts")

// flipped returns the token with one bit of its signature changed.
func flipped(token string) (string, error) {
	head, encoded, found := cutLast(token)
	if !found {
		return "", errNotThreeParts
	}
	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	signature[len(signature)/2] ^= 1
	return head + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// resigned returns what a forger makes of a token: the same claims and the same
// key ID, signed by a key of the forger's.
func resigned(token string) (string, error) {
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256,
		Key:       jose.JSONWebKey{Key: own, KeyID: parsed.Signatures[0].Header.KeyID},
	}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	forged, err := signer.Sign(parsed.UnsafePayloadWithoutVerification())
	if err != nil {
		return "", err
	}
	return forged.CompactSerialize()
}

func cutLast(token string) (head, last string, found bool) {
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return "", "", false
	}
	return token[:dot], token[dot+1:], true
}
