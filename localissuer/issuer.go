// Package localissuer issues a server's own tokens, signed with keys of its own:
// lasting identities for callers that no other issuer knows, and tickets for those
// that cannot send a header, such as a page that opens a WebSocket.
//
// [New] opens or makes a directory of keys. The description that [Issuer.Issuer]
// returns, among the Issuers of [oidcauth.Config], has an [oidcauth.Authenticator]
// accept the tokens.
package localissuer

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hidden"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

const (
	defaultLifetime = 24 * time.Hour
	algorithm       = "ES256"
)

// An Issuer issues the server's own tokens: identities for callers that no other
// issuer knows, and tickets for those that cannot send a header. Its keys change
// with [Issuer.Rotate] and nobody notices.
//
// An [oidcauth.Authenticator] accepts its tokens when [Issuer.Issuer] is among
// [oidcauth.Config.Issuers]. Other servers do when they fetch what [Issuer.Handler]
// serves. It is safe for concurrent use. Call [Issuer.Close] when it is no
// longer needed. One that [New] did not make, the zero value or nil, issues nothing
// and has no keys: its methods return [oidcauth.ErrClosed], or nothing.
type Issuer struct {
	url         string
	audiences   []string
	imported    []string // further audiences, accepted and never issued
	lifetime    time.Duration
	maxLifetime time.Duration
	noExpiry    bool
	logger      *slog.Logger
	now         func() time.Time
	external    hidden.Value[crypto.Signer] // nil with a directory
	dir         *keyring.Dir                // nil with an external signer
	readOnly    bool                        // see [Config.ReadOnly]
	signing     atomic.Pointer[signing]
	tickets     *ticket.Authority
	secret      hidden.Value[[]byte] // of tickets, with an external signer

	reading  sync.Mutex // guards what follows
	watcher  watcher
	failing  error     // of the last reading
	lastRead time.Time // when the last one began that did not fail

	mu        sync.Mutex // guards what follows
	ring      hidden.Value[keyring.Ring]
	retired   map[string]retirement // by key ID
	jwks      []byte
	withdrawn error // why the keys are trusted no more; nil while they are
	followers map[*follower]struct{}
	closed    bool
	timer     *time.Timer // reads the directory
	polls     sync.WaitGroup
}

// New opens the key directory, which it creates if need be, or prepares the
// signer. A directory that others may read or write, or whose content it did not
// make, is an error and is left as it is.
func New(cfg Config) (*Issuer, error) {
	l := &Issuer{
		url: cfg.URL, audiences: slices.Clone(cfg.Audiences), noExpiry: cfg.NoExpiry, readOnly: cfg.ReadOnly,
		imported: slices.Clone(cfg.ImportedAudiences),
		logger:   panics.Logger(cfg.Logger), now: cfg.Now, external: hidden.Of(cfg.Signer),
		followers: make(map[*follower]struct{}),
	}
	l.tickets = ticket.NewAuthority(l.ticketSecret, l.unread)
	if l.now == nil {
		l.now = time.Now
	}
	l.maxLifetime = cfg.MaxLifetime
	if l.maxLifetime == 0 {
		l.maxLifetime = cfg.Lifetime
	}
	if l.maxLifetime == 0 {
		l.maxLifetime = defaultLifetime
	}
	l.lifetime = cfg.Lifetime
	if l.lifetime == 0 {
		l.lifetime = min(defaultLifetime, l.maxLifetime)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := l.open(cfg); err != nil {
		return nil, fmt.Errorf("localissuer: %w", err)
	}
	l.startPolling()
	return l, nil
}

// open brings in the keys.
func (l *Issuer) open(cfg Config) error {
	ring, err := l.openRing(cfg)
	if err != nil {
		return err
	}
	if cfg.Signer != nil {
		secret, err := ticket.ExternalSecret(cfg.TicketSecret, ring.Active().ID)
		if err != nil {
			return err
		}
		l.secret = hidden.Of(secret)
	}
	l.url = ring.Issuer
	if err := policy.CheckIssuerName(l.url); err != nil {
		return err
	}
	return l.adopt(ring)
}

// isMade reports whether New made the issuer.
func (l *Issuer) isMade() bool { return l != nil && l.tickets != nil }

// misused returns what is wrong with a call that can never be right, or nil.
func (l *Issuer) misused(ctx context.Context) error {
	switch {
	case !l.isMade():
		return refusal.New(refusal.Request, oidcauth.ErrClosed, "a local issuer that was not made by New", "one of localissuer.New")
	case ctx == nil:
		return refusal.New(refusal.Request, oidcauth.ErrMalformedRequest, "a nil context", "one that ends, or context.Background()")
	}
	return nil
}

// URL returns the issuer's name.
func (l *Issuer) URL() string {
	if !l.isMade() {
		return ""
	}
	return l.url
}

// Issuer returns the description by which an [oidcauth.Authenticator] trusts l,
// for [oidcauth.Config]. Audiences, Aliases, Roles and rules may be changed. The
// keys are l's at any moment: nothing is ever fetched.
func (l *Issuer) Issuer() oidcauth.Issuer {
	if !l.isMade() {
		return oidcauth.Issuer{}
	}
	return oidcauth.Issuer{
		URL: l.url, Audiences: slices.Concat(l.audiences, l.imported),
		Algorithms: []string{algorithm}, Keys: oidcauth.KeysFrom{Source: l},
	}
}
