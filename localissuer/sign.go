package localissuer

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// signing is what signs at present, or why nothing does.
type signing struct {
	token, ticket jose.Signer
	secret        []byte // that tickets are sealed with
	err           error
}

func (l *Issuer) sign(s jose.Signer, payload []byte) (string, error) {
	object, err := signWith(s, payload)
	if err != nil {
		return "", fmt.Errorf("localissuer: signing: %w", err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("localissuer: signing: %w", err)
	}
	return token, nil
}

// signWith signs. The signer may be the program's own, of which a panic is an error.
func signWith(s jose.Signer, payload []byte) (_ *jose.JSONWebSignature, err error) {
	defer panics.Catch(&err)
	return s.Sign(payload)
}

// newSigning prepares the key that signs.
func (l *Issuer) newSigning(k keyring.Key) (*signing, error) {
	var key any = jose.JSONWebKey{Key: k.Private, KeyID: k.ID}
	if l.external != nil {
		key = jose.JSONWebKey{Key: cryptosigner.Opaque(l.external), KeyID: k.ID}
	}
	signer := func(typ string) (jose.Signer, error) {
		options := new(jose.SignerOptions).WithType(jose.ContentType(typ))
		return jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	}
	token, err := signer("JWT")
	if err != nil {
		return nil, err
	}
	ticket, err := signer(policy.TypeTicket)
	if err != nil {
		return nil, err
	}
	secret := l.secret
	if l.external == nil {
		secret, err = k.TicketSecret()
	}
	return &signing{token: token, ticket: ticket, secret: secret}, err
}

// publicHalf asks a signer for its public key. A nil pointer in it panics.
func publicHalf(s crypto.Signer) (public crypto.PublicKey, err error) {
	defer panics.Catch(&err)
	return s.Public(), nil
}

// externalRing describes the signer and the retired keys as a ring.
func externalRing(cfg Config, now time.Time) (keyring.Ring, error) {
	half, err := publicHalf(cfg.Signer)
	if err != nil {
		return keyring.Ring{}, fmt.Errorf("Config.Signer: %w", err)
	}
	public, ok := half.(*ecdsa.PublicKey)
	if !ok {
		return keyring.Ring{}, fmt.Errorf("Config.Signer: got a key of type %T, want *ecdsa.PublicKey", half)
	}
	if err := keyring.CheckPublic(public); err != nil {
		return keyring.Ring{}, err
	}
	id, err := keyring.Thumbprint(public)
	if err != nil {
		return keyring.Ring{}, err
	}
	ring := keyring.Ring{Issuer: cfg.URL, Keys: []keyring.Key{{ID: id, State: keyring.Active, Created: now, Public: public}}}
	for _, retired := range cfg.RetiredKeys {
		public, ok := retired.(*ecdsa.PublicKey)
		if !ok {
			return keyring.Ring{}, fmt.Errorf("Config.RetiredKeys: got a key of type %T, want *ecdsa.PublicKey", retired)
		}
		if ring, _, err = ring.Import(public, now); err != nil {
			return keyring.Ring{}, err
		}
	}
	return ring, nil
}
