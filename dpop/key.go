package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// maxRSABytes bounds the modulus of a key: it is the client's own choice, and each
// request costs a signature check.
const maxRSABytes = 4096 / 8

// A publicKey is a JWK (RFC 7517) as it is written.
type publicKey struct {
	members []jws.Member
	kty     string
	numbers map[string]string // members that make up the key, in their one spelling
}

// required are the members that make up a key, in the order in which a thumbprint has
// them (RFC 7638, section 3.2; RFC 8037, section 2).
var required = map[string][]string{
	"EC":  {"crv", "kty", "x", "y"},
	"OKP": {"crv", "kty", "x"},
	"RSA": {"e", "kty", "n"},
}

// private are members that only private and symmetric keys have.
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed"}

// parseKey reads the members that make up a key. One that has any of a private key's
// is refused: the client has published it.
func parseKey(jwk jws.Member) (*publicKey, error) {
	if jwk.Kind != jws.Object {
		return nil, fmt.Errorf("got %s, want an object", jwk.Kind)
	}
	members, err := jws.ParseObject(nil, jwk.Value)
	if err != nil {
		return nil, errors.New(jws.Rule(err))
	}
	k := &publicKey{members: members, numbers: make(map[string]string)}
	for _, name := range private {
		if _, found := jws.Find(members, name); found {
			return nil, fmt.Errorf("a private or a shared key, with %q", name)
		}
	}
	if k.kty, err = k.text("kty"); err != nil {
		return nil, err
	}
	names, known := required[k.kty]
	if !known {
		return nil, fmt.Errorf("a key of type %s", refusal.Quote(k.kty))
	}
	for _, name := range names {
		if k.numbers[name], err = k.text(name); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// text returns a member that must be a string.
func (k *publicKey) text(name string) (string, error) {
	m, found := jws.Find(k.members, name)
	if !found {
		return "", fmt.Errorf("no %q", name)
	}
	text, err := m.Text()
	if err != nil {
		return "", fmt.Errorf("%q: got %s, want a string", name, m.Kind)
	}
	return text, nil
}

// optional returns a member that must be a string if it is there.
func (k *publicKey) optional(name string) (string, error) {
	if _, found := jws.Find(k.members, name); !found {
		return "", nil
	}
	return k.text(name)
}

// verifier returns what checks signatures with the key, by the rules that issuers'
// keys have too.
func (k *publicKey) verifier() (*jws.Key, error) {
	alg, err := k.optional("alg")
	if err != nil {
		return nil, err
	}
	use, err := k.optional("use")
	if err != nil {
		return nil, err
	}
	var operations []string
	if m, found := jws.Find(k.members, "key_ops"); found {
		if operations, err = m.AppendStrings(nil); err != nil {
			return nil, errors.New(`"key_ops": not an array of strings`)
		}
	}
	public, err := k.public()
	if err != nil {
		return nil, err
	}
	return jws.NewKey("", alg, use, operations, public)
}

func (k *publicKey) public() (crypto.PublicKey, error) {
	switch k.kty {
	case "EC":
		return k.ecdsa()
	case "OKP":
		if curve := k.numbers["crv"]; curve != "Ed25519" {
			return nil, fmt.Errorf("the curve %s", refusal.Quote(curve))
		}
		x, err := k.number("x", ed25519.PublicKeySize, ed25519.PublicKeySize)
		return ed25519.PublicKey(x), err
	}
	n, err := k.number("n", 1, maxRSABytes)
	if err != nil {
		return nil, err
	}
	e, err := k.number("e", 1, 4)
	if err != nil {
		return nil, err
	}
	if n[0] == 0 || e[0] == 0 {
		return nil, errors.New("a number with zeros in front") // and so another thumbprint
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

func (k *publicKey) ecdsa() (crypto.PublicKey, error) {
	curve, found := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.numbers["crv"]]
	if !found {
		return nil, fmt.Errorf("the curve %s", refusal.Quote(k.numbers["crv"]))
	}
	size := (curve.Params().BitSize + 7) / 8
	x, err := k.number("x", size, size)
	if err != nil {
		return nil, err
	}
	y, err := k.number("y", size, size)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, errors.New("a point that is not on the curve")
	}
	return key, nil
}

// number returns the bytes of a number, of which there must be so many. It has one
// spelling, so that the key has one thumbprint.
func (k *publicKey) number(name string, least, most int) ([]byte, error) {
	text := k.numbers[name]
	if len(text) > base64.RawURLEncoding.EncodedLen(most) {
		return nil, fmt.Errorf("%q: longer than %d bytes", name, most)
	}
	number, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(number) < least || base64.RawURLEncoding.EncodeToString(number) != text {
		return nil, fmt.Errorf("%q: not base64url of %d bytes at least, or not its one spelling", name, least)
	}
	return number, nil
}

// thumbprint returns the key's SHA-256 thumbprint (RFC 7638). The key has passed
// verifier, so that nothing in its members has to be escaped.
func (k *publicKey) thumbprint() string {
	var b strings.Builder
	for i, name := range required[k.kty] {
		b.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(&b, "%q:%q", name, k.numbers[name])
	}
	b.WriteByte('}')
	return hashText(b.String())
}
