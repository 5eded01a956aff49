package localissuer

import (
	"context"
	"errors"
	"slices"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

var _ oidcauth.KeySource = (*Issuer)(nil)

// A follower is an Authenticator that follows the ring.
type follower struct{ adopt func(oidcauth.Keys) error }

// Follow implements [oidcauth.KeySource], for an Authenticator. Programs have no
// need to call it.
func (l *Issuer) Follow(adopt func(oidcauth.Keys) error) (stop func(), err error) {
	if err := l.misused(context.Background()); err != nil {
		return nil, err
	}
	if adopt == nil {
		return nil, errors.New("localissuer: Follow: adopt is nil")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := adopt(l.published()); err != nil {
		return nil, err
	}
	f := &follower{adopt}
	l.followers[f] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, f)
	}, nil
}

// Refresh implements [oidcauth.KeySource]: it reads the directory unless, seen
// from outside, nothing has changed, once for all who call it meanwhile. It waits for ten
// seconds at most, and for as long before where a reading is under way. Programs have no
// need to call it.
func (l *Issuer) Refresh() {
	if l.isMade() {
		l.reread(false)
	}
}

// published returns what Authenticators are told. The lock must be held.
func (l *Issuer) published() oidcauth.Keys {
	ring := l.ring.Get()
	keys := oidcauth.Keys{
		Issuer: l.url, JWKS: l.jwks, Unavailable: l.withdrawn, NoExpiry: l.noExpiry,
		MaxLifetime: max(l.maxLifetime, ring.Longest), Tickets: l.tickets,
	}
	if ring.NoExpiry {
		keys.MaxLifetime = -1
	}
	// Keys that may have signed tokens before they were ours, and so without key
	// ID: imported ones or, with an external signer, all.
	for _, k := range ring.Keys {
		if l.external.Get() != nil || k.Imported {
			keys.WithoutKeyID = append(keys.WithoutKeyID, k.ID)
		}
	}
	return keys
}

// publishToAll brings all Authenticators up to date. The lock must be held.
func (l *Issuer) publishToAll() error {
	keys := l.published()
	var failed []error
	for f := range l.followers {
		if err := f.adopt(keys); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// ticketSecret returns what opens the tickets that a key signed, and whether it
// may sign tickets at present.
func (l *Issuer) ticketSecret(keyID string) (secret []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := l.ring.Get().Keys
	i := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.ID == keyID })
	if i < 0 {
		return nil, false
	}
	r, retired := l.retired[keyID]
	if retired && !r.signsTickets(keys[i], l.now()) {
		return nil, false
	}
	secret, _ = l.secretOf(keys[i]) // nil, too, where there is an error
	if secret == nil && retired {
		secret = r.secret.Get()
	}
	return secret, secret != nil
}
