package keyring

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
)

// ParsePEM returns the public key of a pair in PEM, in whichever form it is
// there: a private key as PKCS#8 or SEC 1, a public key, or both, which must
// then belong together.
func ParsePEM(text []byte) (*ecdsa.PublicKey, error) {
	var found *ecdsa.PublicKey
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" {
			continue
		}
		public, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		if found != nil && !found.Equal(public) {
			return nil, refused("the PEM blocks are of different keys")
		}
		found = public
	}
	if found == nil {
		return nil, refused("no PEM block found")
	}
	if err := CheckPublic(found); err != nil {
		return nil, err
	}
	return found, nil
}

// parseBlock reads one block. Errors name its type and never its content.
func parseBlock(block *pem.Block) (*ecdsa.PublicKey, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, refused("the private key is encrypted")
		}
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, refused("PEM block of type %.40q, want PRIVATE KEY, EC PRIVATE KEY or PUBLIC KEY", block.Type)
	}
	if err != nil {
		return nil, refused("PEM block %s is damaged", block.Type)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return &key.PublicKey, nil
	case *ecdsa.PublicKey:
		return key, nil
	}
	return nil, refused("PEM block %s: got %T, want an ECDSA key", block.Type, key)
}
