package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// assertionLifetime is how long a provider may take to look at an assertion.
	assertionLifetime = time.Minute

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// What an assertion may name for its audience. RFC 7523 lets providers accept either, and
// some accept one alone: those of FAPI 2.0 the issuer (section 5.3.2.1), older ones the
// endpoint.
const (
	audienceEndpoint = "token-endpoint"
	audienceIssuer   = "issuer"
)

// assertionAudience returns what names the provider. Either way it is the provider that was
// asked: its document has named itself and the endpoint that the assertion is sent to.
func (c *tokenClient) assertionAudience() string {
	if c.audience == audienceIssuer {
		return c.issuer
	}
	return c.endpoint.TokenURL
}

// clientKey is a client's private key.
type clientKey struct {
	signer jose.Signer
}

// parseClientKey reads a private key: a JWK, or PEM as PKCS #8, PKCS #1 or
// SEC 1 have it.
func parseClientKey(text []byte) (*clientKey, error) {
	var key jose.JSONWebKey
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		if err := json.Unmarshal(text, &key); err != nil {
			return nil, errors.New("not a private key: the JWK cannot be read")
		}
	} else {
		private, err := parsePEM(text)
		if err != nil {
			return nil, err
		}
		key.Key = private
	}
	algorithm, err := signatureAlgorithm(key)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("not a key to sign with: %w", err)
	}
	return &clientKey{signer}, nil
}

// parsePEM reads the first block that is a private key. Its errors say nothing
// of the content.
func parsePEM(text []byte) (crypto.PrivateKey, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var private crypto.PrivateKey
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			private, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue // such as the parameters of a curve, or a certificate
		}
		if err != nil {
			return nil, errors.New("not a private key: the PEM block cannot be read")
		}
		return private, nil
	}
	return nil, errors.New("not a private key: neither a JWK nor PEM with an unencrypted private key")
}

// signatureAlgorithm returns the algorithm that the key names, or else the one
// that is usual for its kind.
func signatureAlgorithm(key jose.JSONWebKey) (jose.SignatureAlgorithm, error) {
	var usual jose.SignatureAlgorithm
	switch private := key.Key.(type) {
	case *rsa.PrivateKey:
		usual = jose.RS256
	case ed25519.PrivateKey:
		usual = jose.EdDSA
	case *ecdsa.PrivateKey:
		usual = map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}[private.Curve.Params().BitSize]
	}
	if usual == "" || !key.Valid() {
		return "", errors.New("not a private key of a kind that signs: want RSA, P-256, P-384, P-521 or Ed25519")
	}
	if key.Algorithm != "" {
		return jose.SignatureAlgorithm(key.Algorithm), nil
	}
	return usual, nil
}

// assertion says that its bearer is the client (RFC 7523, section 3).
func (k *clientKey) assertion(clientID, audience string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := k.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("client key: %w", err)
	}
	return signed.CompactSerialize()
}
