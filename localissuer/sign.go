package localissuer

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// signing is what signs at present, or why nothing does.
type signing struct {
	keyID         string
	token, ticket jose.Signer
	secret        []byte // that tickets are sealed with
	err           error
}

var errReadOnly = errors.New("localissuer: got an issuer with Config.ReadOnly, want one without to issue tokens and to change keys")

// signer returns what signs at present.
func (l *Issuer) signer() (*signing, error) {
	if l.readOnly {
		return nil, errReadOnly
	}
	l.readAfterSleep()
	s := l.signing.Load()
	return s, s.err
}

// sign returns the payload as a token, or nothing.
func (l *Issuer) sign(s jose.Signer, payload []byte) (token string, err error) {
	object, err := s.Sign(payload)
	if err == nil {
		token, err = object.CompactSerialize()
	}
	if err != nil {
		return "", refusal.Because(refusal.Key, oidcauth.ErrKeysUnavailable, fmt.Errorf("signing: %w", err))
	}
	return token, nil
}

// newSigning prepares the key that signs, or says why it cannot.
func (l *Issuer) newSigning(k keyring.Key) *signing {
	var key any = jose.JSONWebKey{Key: k.Private, KeyID: k.ID}
	if external := l.external.Get(); external != nil {
		key = &externalSigner{signer: external, public: k.Public, keyID: k.ID}
	}
	signer := func(typ string) (jose.Signer, error) {
		options := new(jose.SignerOptions).WithType(jose.ContentType(typ))
		return jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	}
	token, err := signer("JWT")
	if err != nil {
		return stopped(err)
	}
	ticket, err := signer(policy.TypeTicket)
	if err != nil {
		return stopped(err)
	}
	secret, err := l.secretOf(k)
	if err != nil {
		return stopped(err)
	}
	return &signing{keyID: k.ID, token: token, ticket: ticket, secret: secret}
}

// secretOf returns what tickets are sealed with that the key signs, or nil if it signs
// none.
func (l *Issuer) secretOf(k keyring.Key) ([]byte, error) {
	if l.external.Get() != nil {
		return l.secret.Get(), nil
	}
	return k.TicketSecret()
}

// externalRing describes the signer and the retired keys as a ring.
func externalRing(cfg Config, now time.Time) (keyring.Ring, error) {
	public, err := publicOf(cfg.Signer)
	if err != nil {
		return keyring.Ring{}, fmt.Errorf("Config.Signer: %w", err)
	}
	id, err := keyring.Thumbprint(public)
	if err != nil {
		return keyring.Ring{}, fmt.Errorf("Config.Signer: %w", err)
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
