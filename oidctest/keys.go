package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/said"
)

// KeyConfig says what a key made by [Issuer.NewKey] is like.
type KeyConfig struct {
	// Algorithm is one of RS256, RS384, RS512, PS256, PS384, PS512, ES256,
	// ES384, ES512 and EdDSA. Empty means the issuer's own.
	Algorithm string
	// ID is the key ID. Empty means a new one, which names the issuer's host.
	ID string
	// NoID makes a key without a key ID, in the key set and in token headers.
	NoID bool
	// Bits is the length of an RSA key, 1024 or more. Zero means 2048.
	Bits int
	// JWK replaces members of the key as it is published, such as
	// {"use": "enc"}; a nil value removes the member. Tokens are signed as if
	// it were not there.
	JWK map[string]any
}

// A Key is a key pair of an [Issuer], published or not. It does not change,
// and is safe for concurrent use.
type Key struct {
	issuer *Issuer
	id     string
	noID   bool
	alg    string
	pair   crypto.Signer
	jwk    map[string]any
}

// NewKey makes a key and does not publish it: a token it signs comes from a
// stranger until [Issuer.Publish] says otherwise. Give it the ID of a
// published key to forge that key's tokens.
func (i *Issuer) NewKey(cfg KeyConfig) *Key {
	i.helper()
	if cfg.Algorithm == "" {
		cfg.Algorithm = i.alg
	}
	pair, err := i.newPair(cfg.Algorithm, cfg.Bits)
	if err != nil {
		i.fatalf("oidctest: new key: %v", err)
		return nil
	}
	k := &Key{issuer: i, id: cfg.ID, noID: cfg.NoID, alg: cfg.Algorithm, pair: pair, jwk: maps.Clone(cfg.JWK)}
	if k.noID {
		k.id = ""
	} else if k.id == "" {
		k.id = i.nextID()
	}
	return k
}

// ID returns the key ID, empty if the key has none.
func (k *Key) ID() string { return k.id }

// Algorithm returns the algorithm that the key signs with.
func (k *Key) Algorithm() string { return k.alg }

// Public returns the public key: an [*rsa.PublicKey], an [*ecdsa.PublicKey] or
// an [ed25519.PublicKey].
func (k *Key) Public() crypto.PublicKey { return k.pair.Public() }

// As returns the same key pair under the same ID, signing with another
// algorithm that the pair is capable of, such as PS256 instead of RS256.
func (k *Key) As(alg string) *Key {
	k.issuer.helper()
	if !capable(k.pair, alg) {
		k.issuer.fatalf("oidctest: %s key cannot sign with algorithm %q", k.alg, alg)
		return nil
	}
	c := *k
	c.alg = alg
	return &c
}

// WithID returns the same key pair under another key ID. Empty means none.
func (k *Key) WithID(id string) *Key {
	c := *k
	c.id, c.noID = id, id == ""
	return &c
}

// JWK returns the public key as the key set publishes it.
func (k *Key) JWK() json.RawMessage {
	k.issuer.helper()
	raw, err := jose.JSONWebKey{Key: k.Public(), KeyID: k.id, Algorithm: k.alg, Use: "sig"}.MarshalJSON()
	if err != nil {
		k.issuer.fatalf("oidctest: JWK: %v", err)
		return nil
	}
	if len(k.jwk) == 0 {
		return raw
	}
	members := map[string]any{}
	if err := json.Unmarshal(raw, &members); err != nil {
		k.issuer.fatalf("oidctest: JWK: %v", err)
		return nil
	}
	raw, err = json.Marshal(overlay(members, k.jwk))
	if err != nil {
		k.issuer.fatalf("oidctest: JWK: %v", err)
	}
	return raw
}

// nextID returns a key ID that no other key of the issuer has.
func (i *Issuer) nextID() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastID++
	host := "key"
	if u, err := url.Parse(i.url); err == nil && u.Host != "" {
		host = u.Host
	}
	return fmt.Sprintf("%s-%d", host, i.lastID)
}

// newPair returns a key pair that no other open issuer has.
func (i *Issuer) newPair(alg string, bits int) (crypto.Signer, error) {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return i.borrowRSA(bits)
	}
	return newEllipticPair(alg)
}

// newEllipticPair returns a key pair for an algorithm that is none of RSA's.
func newEllipticPair(alg string) (crypto.Signer, error) {
	pair, err := generateElliptic(alg)
	said.PrivateKey(pair)
	return pair, err
}

func generateElliptic(alg string) (crypto.Signer, error) {
	switch alg {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("unknown algorithm %q", alg)
}

// borrowRSA takes an RSA pair from the pool until the issuer is closed.
func (i *Issuer) borrowRSA(bits int) (crypto.Signer, error) {
	if bits == 0 {
		bits = 2048
	}
	pair, err := rsaPairs.get(bits)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.borrowed[pair] = bits
	return pair, nil
}

// capable reports whether the pair can sign with alg.
func capable(pair crypto.Signer, alg string) bool {
	switch p := pair.Public().(type) {
	case *rsa.PublicKey:
		return len(alg) == 5 && (alg[:2] == "RS" || alg[:2] == "PS") && hashOf(alg) != 0
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[p.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// overlay returns base with the members of over put in its place; nil removes.
func overlay(base, over map[string]any) map[string]any {
	for name, value := range over {
		if isNil(value) {
			delete(base, name)
			continue
		}
		base[name] = value
	}
	return base
}

// isNil reports whether a value is nil, be it of a type: an issuer's description has a
// nil slice of audiences where its tokens name none, which as JSON would be null.
func isNil(value any) bool {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Map, reflect.Pointer, reflect.Slice:
		return v.IsNil()
	}
	return false
}

// rsaPairs is shared by all issuers of the process, because making an RSA key
// takes longer than most tests. Issuers open at one time never share a pair.
var rsaPairs = rsaPool{free: map[int][]crypto.Signer{}}

type rsaPool struct {
	mu   sync.Mutex // guards free
	free map[int][]crypto.Signer
}

func (p *rsaPool) get(bits int) (crypto.Signer, error) {
	p.mu.Lock()
	if n := len(p.free[bits]); n > 0 {
		pair := p.free[bits][n-1]
		p.free[bits] = p.free[bits][:n-1]
		p.mu.Unlock()
		return pair, nil
	}
	p.mu.Unlock()
	pair, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	said.PrivateKey(pair)
	return pair, nil
}

func (p *rsaPool) put(bits int, pair crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[bits] = append(p.free[bits], pair)
}
