package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// signingKey is one key pair. It satisfies [op.SigningKey].
type signingKey struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

var _ op.SigningKey = (*signingKey)(nil)

func (k *signingKey) ID() string                                  { return k.id }
func (k *signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k *signingKey) Key() any                                    { return k.private }

// publicKey is the published half of a signingKey. It satisfies [op.Key].
type publicKey struct{ pair *signingKey }

var _ op.Key = publicKey{}

func (k publicKey) ID() string                         { return k.pair.id }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return k.pair.algorithm }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return k.pair.private.Public() }

// keyRing holds the signing keys: the last one signs, all are published.
type keyRing struct {
	algorithm jose.SignatureAlgorithm

	mu   sync.Mutex // guards keys
	keys []*signingKey
}

func newKeyRing(algorithm jose.SignatureAlgorithm) (*keyRing, error) {
	if algorithm == "" {
		algorithm = jose.ES256
	}
	ring := &keyRing{algorithm: algorithm}
	_, err := ring.rotate()
	return ring, err
}

func (r *keyRing) rotate() (keyID string, err error) {
	var private crypto.Signer
	switch r.algorithm {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("algorithm not supported: got %q, want %q or %q", r.algorithm, jose.ES256, jose.RS256)
	}
	if err != nil {
		return "", fmt.Errorf("provider: signing key: %w", err)
	}
	key := &signingKey{id: rand.Text(), algorithm: r.algorithm, private: private}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, key)
	return key.id, nil
}

func (r *keyRing) withdraw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = []*signingKey{r.keys[len(r.keys)-1]}
}

func (r *keyRing) signing() *signingKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[len(r.keys)-1]
}

func (r *keyRing) published() []op.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	public := make([]op.Key, len(r.keys))
	for i, key := range r.keys {
		public[i] = publicKey{key}
	}
	return public
}

// sign makes a JWT of that type with the key that signs now.
func (r *keyRing) sign(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	key := r.signing()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: key.algorithm, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
