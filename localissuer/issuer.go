// Package localissuer issues a server's own tokens, signed with keys of its own:
// lasting identities for callers that no other issuer knows, and tickets for those
// that cannot send a header, such as a page that opens a WebSocket.
//
// [New] opens or makes a directory of keys. The description that [Issuer.Issuer]
// returns, among the Issuers of [oidcauth.Config], has an [oidcauth.Authenticator]
// accept the tokens.
package localissuer

import (
	"crypto"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/policy"
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
// longer needed.
type Issuer struct {
	url         string
	audiences   []string
	imported    []string // further audiences, accepted and never issued
	lifetime    time.Duration
	maxLifetime time.Duration
	noExpiry    bool
	logger      *slog.Logger
	now         func() time.Time
	external    crypto.Signer // nil with a directory
	dir         *keyring.Dir  // nil with an external signer
	signing     atomic.Pointer[signing]
	tickets     *ticket.Authority
	secret      []byte // of tickets, with an external signer

	reading  sync.Mutex // guards what follows, and is held while Dir is read
	found    keyring.Stat
	failing  bool // the last reading failed
	lastRead time.Time

	mu        sync.Mutex // guards what follows
	ring      keyring.Ring
	retired   map[string]time.Time // since when keys are known to be retired
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
		url: cfg.URL, audiences: slices.Clone(cfg.Audiences), noExpiry: cfg.NoExpiry,
		imported: slices.Clone(cfg.ImportedAudiences),
		logger:   cfg.Logger, now: cfg.Now, external: cfg.Signer,
		followers: make(map[*follower]struct{}),
	}
	l.tickets = ticket.NewAuthority(l.ticketSecret)
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
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
	ring, err := l.openRing(cfg)
	if err == nil && l.external != nil {
		l.secret, err = ticket.ExternalSecret(cfg.TicketSecret, ring.Active().ID)
	}
	if err != nil {
		return nil, fmt.Errorf("localissuer: %w", err)
	}
	l.url = ring.Issuer
	if err := policy.CheckIssuerName(l.url); err != nil {
		return nil, fmt.Errorf("localissuer: %w", err)
	}
	if err := l.adopt(ring); err != nil {
		return nil, fmt.Errorf("localissuer: %w", err)
	}
	l.startPolling()
	return l, nil
}

// URL returns the issuer's name.
func (l *Issuer) URL() string { return l.url }

// Issuer returns the description by which an [oidcauth.Authenticator] trusts l,
// for [oidcauth.Config]. Audiences, Aliases, Roles and rules may be changed. The
// keys are l's at any moment: nothing is ever fetched.
func (l *Issuer) Issuer() oidcauth.Issuer {
	return oidcauth.Issuer{
		URL: l.url, Audiences: slices.Concat(l.audiences, l.imported),
		Algorithms: []string{algorithm}, Keys: oidcauth.KeysFrom{Source: l},
	}
}
