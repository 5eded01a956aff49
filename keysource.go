package oidcauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// A KeySource has the keys of an issuer, for [Issuer.KeySource]: that of package
// localissuer, or one of a program's own that learns of keys by other means than
// requests. It must be safe for concurrent use.
type KeySource interface {
	// Follow calls adopt with the keys of now before it returns, and again at each
	// change until stop is called, never twice at a time. An error of adopt says
	// that the keys were not adopted, and those before them still hold; Follow
	// returns that of the first call. It is called once by each Authenticator.
	Follow(adopt func(Keys) error) (stop func(), err error)

	// Refresh looks for keys that are newer than those last adopted, and has them
	// adopted before it returns. It is called for a token that names a key that is
	// not there, or that none of the keys has signed, which may be anybody's: a
	// source that costs something bounds how often it is asked.
	Refresh()
}

// Keys are what a [KeySource] says at a time. What a field does not say is not
// granted: its zero value refuses. Printed, they show no secret.
type Keys struct {
	// Issuer is whose keys they are: [Issuer.URL] must be the same. Required.
	Issuer string

	// JWKS are the public keys, a JSON Web Key Set (RFC 7517, section 5). Of the
	// keys of before, those that are not in it are trusted no more. Required, with
	// one usable key at least.
	JWKS json.RawMessage

	// Unavailable, unless nil, says why nobody knows any longer whether the keys
	// are the issuer's: none is trusted, and every token is refused with
	// [ErrKeysUnavailable], until the next keys.
	Unavailable error

	// WithoutKeyID are the IDs of those keys that may have signed tokens without
	// key ID. Where it is empty such tokens are refused.
	WithoutKeyID []string

	// NoExpiry accepts tokens without "exp", or with null for it, which only a
	// revocation or the removal of their key ends. What the first keys say counts
	// for as long as the Authenticator lives.
	NoExpiry bool

	// MaxLifetime is how long the issuer's tokens live, those included that it
	// issued while it was configured otherwise: for so long a [Revocation] without
	// Until is kept. Negative means that some never expire, and zero, or less than
	// a year, a year.
	MaxLifetime time.Duration

	// Tickets says which keys may sign tickets at present. Only package localissuer
	// can make it. Nil means none.
	Tickets *ticket.Authority
}

// A followedSource is a KeySource with what it said last.
type followedSource struct {
	source KeySource
	stop   func()
	latest atomic.Pointer[sourceKeys]
}

// sourceKeys are Keys in the form that is asked of them. They never change.
type sourceKeys struct {
	Keys
	withoutKeyID map[string]bool
}

// follow begins to follow the source of an issuer. For each Keys that are its
// own, adopt is called.
func (i *Issuer) follow(adopt func(next, before *sourceKeys) error) (*followedSource, error) {
	f := &followedSource{source: i.KeySource}
	stop, err := i.KeySource.Follow(func(k Keys) error {
		if k.Issuer != i.URL {
			return fmt.Errorf("KeySource: the keys are those of issuer %s, want those of %s", refusal.Quote(k.Issuer), refusal.Quote(i.URL))
		}
		next, before := newSourceKeys(k), f.latest.Load()
		// Before the keys, so that a token under a new one finds what it grants.
		f.latest.Store(next)
		if err := adopt(next, before); err != nil {
			f.latest.Store(before)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.stop = stop
	if f.latest.Load() == nil {
		f.close()
		return nil, errors.New("KeySource: Follow returned before it gave the keys")
	}
	return f, nil
}

func newSourceKeys(k Keys) *sourceKeys {
	s := &sourceKeys{Keys: k, withoutKeyID: make(map[string]bool, len(k.WithoutKeyID))}
	s.JWKS, s.WithoutKeyID = json.RawMessage(string(k.JWKS)), nil
	for _, id := range k.WithoutKeyID {
		s.withoutKeyID[id] = true
	}
	return s
}

// newSourceKeySet returns a key set that follows the source of an issuer.
func (i *Issuer) newSourceKeySet(cfg keyset.Config) (*keyset.Set, *followedSource, error) {
	var set *keyset.Set
	f, err := i.follow(func(next, before *sourceKeys) (err error) {
		switch {
		case before == nil:
			cfg.Fixed = next.JWKS
			set, err = keyset.New(cfg)
		case next.Unavailable == nil && (before.Unavailable != nil || string(next.JWKS) != string(before.JWKS)):
			err = set.Adopt(next.JWKS)
		}
		if err == nil && next.Unavailable != nil && (before == nil || before.Unavailable == nil) {
			err = set.Withdraw(next.Unavailable)
		}
		if errors.Is(err, keyset.ErrClosed) {
			return nil // the Authenticator is being closed and needs no keys
		}
		return err
	})
	if err != nil && set != nil {
		set.Close()
		set = nil
	}
	return set, f, err
}

// noExpiry reports whether tokens without expiry are accepted.
func (f *followedSource) noExpiry() bool { return f.latest.Load().NoExpiry }

// SignsWithoutID implements [verify.Local].
func (f *followedSource) SignsWithoutID(k *keyset.Key) bool {
	return f.latest.Load().withoutKeyID[k.ID()]
}

// maxLifetime returns how long the tokens live, or zero. It may be called on nil.
func (f *followedSource) maxLifetime() time.Duration {
	if f == nil {
		return 0
	}
	return f.latest.Load().MaxLifetime
}

// tickets returns who sells tickets, or nil.
func (f *followedSource) tickets() *ticket.Authority {
	if f == nil {
		return nil
	}
	return f.latest.Load().Tickets
}

// Refresh implements [verify.Local].
func (f *followedSource) Refresh() { f.source.Refresh() }

func (f *followedSource) close() {
	if f != nil && f.stop != nil {
		f.stop()
	}
}
