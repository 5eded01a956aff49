package keyset

import (
	"crypto"
	"encoding/base64"
	"errors"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// algorithmKeyPair is the type of keys that their algorithm describes (RFC 9964,
// section 3). Those of ML-DSA are known.
const algorithmKeyPair = "AKP"

// Reasons for which such a key is skipped.
const (
	NoAlgorithm Reason = "no alg, without which its type says nothing"
	NoMLDSA     Reason = "ML-DSA, which this program was built without"
)

// pair holds the members that such a key has instead of the others'.
type pair struct {
	Public  string          `json:"pub"`
	Private json.RawMessage `json:"priv"`
	Seed    json.RawMessage `json:"seed"` // the same in drafts of the RFC
}

// privatePair reports whether the private half of such a key was published.
func (m *member) privatePair() bool {
	given := func(part json.RawMessage) bool { return len(part) > 0 && string(part) != "null" }
	return m.Type == algorithmKeyPair && (given(m.Private) || given(m.Seed))
}

// unfitPair looks at what such a key says of itself.
func (m *member) unfitPair() (Reason, string) {
	switch {
	case m.Algorithm == "":
		return NoAlgorithm, ""
	case !jws.IsMLDSA(m.Algorithm):
		return OtherAlgorithm, m.Algorithm
	case jws.CheckMLDSA() != nil:
		return NoMLDSA, m.Algorithm
	}
	return "", ""
}

// publicKey reads the key itself and its thumbprint (RFC 7638, SHA-256).
func (m *member) publicKey() (public crypto.PublicKey, thumbprint []byte, err error) {
	if m.Type == algorithmKeyPair {
		return m.pairKey()
	}
	jwk, err := m.key()
	if err != nil {
		return nil, nil, err
	}
	thumbprint, err = jwk.Thumbprint(crypto.SHA256)
	return jwk.Key, thumbprint, err
}

func (m *member) pairKey() (public crypto.PublicKey, thumbprint []byte, err error) {
	text, err := urlAlphabet(m.Public)
	if err != nil {
		return nil, nil, err
	}
	encoding, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, nil, errors.New("pub: not base64url")
	}
	if public, err = jws.NewMLDSA(m.Algorithm, encoding); err != nil {
		return nil, nil, err
	}
	thumbprint, _ = jws.ThumbprintMLDSA(public)
	return public, thumbprint, nil
}

// Thumbprint returns the key's name (RFC 7638, SHA-256, base64url).
func (k *Key) Thumbprint() (string, error) {
	sum, known := jws.ThumbprintMLDSA(k.Public())
	if !known {
		var err error
		jwk := jose.JSONWebKey{Key: k.Public()}
		if sum, err = jwk.Thumbprint(crypto.SHA256); err != nil {
			return "", err
		}
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
