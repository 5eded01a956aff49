// Package apikeys has a server accept API keys of its own beside its issuers' tokens.
package apikeys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

const (
	prefix = "notes_"                      // of every key: it tells a key from a token
	name   = "https://notes.example.com/k" // in the place of an issuer, below an address of ours
)

// A Key is what the table says of a key.
type Key struct {
	ID    string    `json:"jti"`
	Owner string    `json:"sub"`
	Roles []string  `json:"roles"`
	Ends  time.Time `json:"-"` // the zero time for never
}

// Keys are a table of keys by their hash: what is in it opens nothing.
type Keys struct {
	mu   sync.Mutex
	rows map[[sha256.Size]byte]Key
}

// Issue makes a key, which is shown to its owner once. Without an ID it gets one, by which
// it can be withdrawn.
func (k *Keys) Issue(row Key) string {
	if row.ID == "" {
		row.ID = rand.Text()
	}
	key := prefix + rand.Text()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rows == nil {
		k.rows = make(map[[sha256.Size]byte]Key)
	}
	k.rows[sha256.Sum256([]byte(key))] = row
	return key
}

// Issuer describes the keys, for Config.Issuers.
func (k *Keys) Issuer(audience string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL: name, Audiences: []string{audience}, OpaquePrefix: prefix,
		Introspect: func(_ context.Context, key string) (json.RawMessage, error) {
			row, found := k.find(key)
			if !found {
				return nil, oidcauth.ErrRevoked
			}
			ends := row.Ends
			if ends.IsZero() {
				ends = time.Now().Add(24 * time.Hour) // from each answer on
			}
			return json.Marshal(struct {
				Key
				Active   bool   `json:"active"`
				Audience string `json:"aud"`
				Expiry   int64  `json:"exp"`
			}{row, true, audience, ends.Unix()})
		},
	}
}

func (k *Keys) find(key string) (Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	row, found := k.rows[sha256.Sum256([]byte(key))]
	return row, found
}

// Withdraw takes a key out of the table, and ends what was begun with it: at once, and in
// every server that shares revocations.
func (k *Keys) Withdraw(ctx context.Context, auth *oidcauth.Authenticator, id string) error {
	k.mu.Lock()
	for hash, row := range k.rows {
		if row.ID == id {
			delete(k.rows, hash)
		}
	}
	k.mu.Unlock()
	return auth.Revoke(ctx, oidcauth.Revocation{Issuer: name, TokenID: id})
}
