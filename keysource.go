package oidcauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// KeysFrom says where an issuer's keys come from, and how its tokens name them.
// Its zero value looks for them where the issuer's discovery document says, which
// stands at [Issuer.URL]. At most one of DiscoveryURL, JWKSURL, JWKS and Source
// may be set. Where nothing is fetched, Client, CAFile, TokenFile and
// InsecureHTTPHosts are errors; InsecureHTTP and ReusesKeyIDs say nothing there.
type KeysFrom struct {
	// DiscoveryURL is where the discovery document is: its whole address, not URL
	// again. Empty means URL, less one trailing slash, plus
	// "/.well-known/openid-configuration".
	DiscoveryURL string `json:"discovery_url,omitempty"`

	// JWKSURL is where the keys are. When set, no discovery takes place.
	JWKSURL string `json:"jwks_url,omitempty"`

	// JWKS are the keys themselves, a JSON Web Key Set (RFC 7517, section 5).
	// When set, nothing is ever fetched for this issuer.
	JWKS json.RawMessage `json:"jwks,omitempty"`

	// Source has the keys: nothing is ever fetched for this issuer. Package
	// localissuer sets it.
	Source KeySource `json:"-"`

	// Client makes the requests to this issuer, by a proxy of its own for instance.
	// It is used as [Config.Client] is. What comes through another is from elsewhere,
	// even if both do the same: [Config.FindIssuer] must return the same at each answer,
	// or the issuer's sessions end twice a minute. Nil means Config's.
	Client *http.Client `json:"-"`

	// CAFile is a file of certificates (PEM) that the servers' must lead to, as those
	// of a cluster's own authority: they alone are trusted, and not the system's. It
	// must be there when [New] is called, and is read again at each fetch, so that it
	// may change; while it cannot be read, or has no certificate, fetches fail. Empty
	// means what the client trusts.
	CAFile string `json:"ca_file,omitempty"`

	// TokenFile is a file whose text is sent as bearer token with the requests to
	// this issuer, whose keys nobody gets without: Kubernetes' /openid/v1/jwks for
	// instance. It must be there when [New] is called, and is read again at each
	// fetch, so that it may be renewed. It is sent to the scheme, host and port of
	// JWKSURL, or else of DiscoveryURL, or else of [Issuer.URL], and to no other,
	// whatever a discovery document or a redirect says, and over http on the loopback
	// interface alone. Empty means that none is sent.
	TokenFile string `json:"token_file,omitempty"`

	// RequireKeyID refuses tokens without a key ID ("kid"). Otherwise they are
	// tried with the keys whose type and size fit, four at most for one token. Of
	// more than four, those that verified such tokens last are tried first, and
	// the others in turn: a token by one of these may be refused with
	// [ErrSignature] a few times until its key's turn comes. An issuer whose tokens
	// have no key ID should publish no more than four keys of a kind.
	RequireKeyID bool `json:"require_key_id,omitempty"`

	// ReusesKeyIDs is for an issuer that publishes a new key under the ID of an
	// old one: a bad signature under a known key ID then causes a fetch of the
	// keys, at most one in 10 seconds. A token without key ID that no key fits
	// causes one with every issuer. It counts for all descriptions of the issuer whose
	// keys come from the same place.
	ReusesKeyIDs bool `json:"reuses_key_ids,omitempty"`

	// InsecureHTTP allows http addresses for this issuer, on the loopback
	// interface only: for tests and development.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// InsecureHTTPHosts are further hosts to which http is allowed for this issuer,
	// whole names ("keycloak") or addresses without a port: other containers in
	// development, or a sidecar that speaks TLS on this server's behalf. Whoever can
	// answer in such a host's place can say which keys are the issuer's, and so act
	// as anybody. What came by https never leads to http.
	InsecureHTTPHosts []string `json:"insecure_http_hosts,omitempty"`
}

// checkKeys reports a contradiction in where the keys come from.
func (i *Issuer) checkKeys() error {
	k := &i.Keys
	sources := 0
	for _, given := range []bool{k.DiscoveryURL != "", k.JWKSURL != "", len(k.JWKS) != 0, k.Source != nil} {
		if given {
			sources++
		}
	}
	fetching := k.Client != nil || k.CAFile != "" || k.TokenFile != "" || len(k.InsecureHTTPHosts) > 0
	switch {
	case sources > 1:
		return fmt.Errorf("oidcauth: issuer %q: more than one of DiscoveryURL, JWKSURL, JWKS and Source is set in Keys", i.URL)
	case fetching && !k.fetched():
		return fmt.Errorf("oidcauth: issuer %q: Client, CAFile, TokenFile or InsecureHTTPHosts is set in Keys, and nothing is fetched", i.URL)
	}
	return nil
}

// fetched reports whether keys are asked for over the network.
func (k *KeysFrom) fetched() bool { return len(k.JWKS) == 0 && k.Source == nil }

// A KeySource has the keys of an issuer, for [KeysFrom]: that of package
// localissuer, or one of a program's own that learns of keys by other means than
// requests. It must be safe for concurrent use.
type KeySource interface {
	// Follow calls adopt with the keys of now before it returns, and again at each
	// change until stop is called, never twice at a time. An error of adopt says
	// that the keys were not adopted, and those before them still hold; Follow
	// returns that of the first call. It is called once by each Authenticator
	// for as long as it trusts the issuer.
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
	// key ID. Where it is empty such tokens are refused, those included that were
	// accepted before, and their sessions end.
	WithoutKeyID []string

	// NoExpiry accepts tokens without "exp", or with null for it, which only a
	// revocation or the removal of their key ends. What the first keys say counts
	// for as long as the source is followed.
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
	source   KeySource
	stop     func()
	latest   atomic.Pointer[sourceKeys]
	noExpiry bool // tokens without expiry are accepted, as the first keys said
}

// sourceKeys are Keys in the form that is asked of them. They never change.
type sourceKeys struct {
	Keys
	withoutKeyID map[string]bool
}

// follow begins to follow the source of an issuer. For each Keys that are its
// own, adopt is called, and adopted, unless nil, once they are in force in place of
// others.
func (i *Issuer) follow(adopt func(next, before *sourceKeys) error, adopted func(next, before *sourceKeys)) (*followedSource, error) {
	f := &followedSource{source: i.Keys.Source}
	stop, err := followSource(i.Keys.Source, func(k Keys) error {
		if k.Issuer != i.URL {
			return fmt.Errorf("Keys.Source: the keys are those of issuer %s, want those of %s", refusal.Quote(k.Issuer), refusal.Quote(i.URL))
		}
		next, before := newSourceKeys(k), f.latest.Load()
		// Before the keys, so that a token under a new one finds what it grants.
		f.latest.Store(next.beside(before))
		if err := adopt(next, before); err != nil {
			f.latest.Store(before)
			return err
		}
		f.latest.Store(next)
		if before == nil {
			f.noExpiry = next.NoExpiry
		}
		if adopted != nil && before != nil {
			adopted(next, before)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.stop = stop
	if f.latest.Load() == nil {
		f.close()
		return nil, errors.New("Keys.Source: Follow returned before it gave the keys")
	}
	return f, nil
}

// followSource asks a source, of whose methods a panic is an error.
func followSource(s KeySource, adopt func(Keys) error) (stop func(), err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("Keys.Source: Follow: %w", panics.Error(v))
		}
	}()
	stop, err = s.Follow(adopt)
	panics.Try(err)
	return stop, err
}

func newSourceKeys(k Keys) *sourceKeys {
	s := &sourceKeys{Keys: k, withoutKeyID: make(map[string]bool, len(k.WithoutKeyID))}
	s.JWKS, s.WithoutKeyID = json.RawMessage(string(k.JWKS)), nil
	s.Unavailable = panics.Tellable(k.Unavailable)
	for _, id := range k.WithoutKeyID {
		s.withoutKeyID[id] = true
	}
	return s
}

// newSourceKeySet returns a key set that follows the source of an issuer. Unnamed is told
// of the keys that tokens have to name from now on.
func (i *Issuer) newSourceKeySet(cfg keyset.Config, unnamed func([]*keyset.Key)) (*keyset.Set, *followedSource, error) {
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
	}, func(next, before *sourceKeys) { unnamed(next.lostBy(before, set)) })
	return set, f, err // after an error nobody asks the set, which has nothing to close
}

// beside returns the keys with what those before them grant, which are still in hand.
func (k *sourceKeys) beside(before *sourceKeys) *sourceKeys {
	if before == nil {
		return k
	}
	both := *k
	both.withoutKeyID = maps.Clone(k.withoutKeyID)
	maps.Copy(both.withoutKeyID, before.withoutKeyID)
	return &both
}

// lostBy returns the keys of the set that tokens have to name, and need not have before.
func (k *sourceKeys) lostBy(before *sourceKeys, set *keyset.Set) (lost []*keyset.Key) {
	for _, key := range set.PeekAll() {
		if id := key.ID(); before.withoutKeyID[id] && !k.withoutKeyID[id] {
			lost = append(lost, key)
		}
	}
	return lost
}

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

// Refresh implements [verify.Local]. A panic of the source is an error, and so is that it
// cannot look.
func (f *followedSource) Refresh() (err error) {
	defer panics.Catch(&err)
	f.source.Refresh()
	return f.tickets().Unread()
}

// close lets go of the source. A panic of its stop is an error, after which others are
// let go of all the same. It may be called on nil.
func (f *followedSource) close() error {
	if f == nil || f.stop == nil {
		return nil
	}
	return panics.Run(func() error {
		f.stop()
		return nil
	})
}
