// Package strangers knows the issuers that nobody has configured and tokens have
// named: it contacts them, keeps their keys, and bounds what they, and those who
// name them, can make this server do.
//
// Everybody who asks has a turn. Requests are bounded in number at once and over
// time, all of them together: first contacts, lookups of unknown key IDs and
// refreshes. They are accounted to the callers for whose sake they are made, so
// that one caller's flood leaves the others theirs.
package strangers

import (
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

var (
	// ErrUnknown says that an issuer did not answer with its keys. It is the same
	// whatever was the matter; the log has the reason.
	ErrUnknown = errors.New("issuer does not answer with its keys")

	// ErrClosed says that [Issuers.Close] was called.
	ErrClosed = errors.New("closed")
)

// What a stranger's issuer gets, less than a configured one.
const (
	// Timeout is for one document.
	Timeout = 5 * time.Second
	// MaxBytes is the size of one document.
	MaxBytes = 64 << 10

	contactTimeout = 10 * time.Second // for a first contact
	maxKeys        = 64
	maxExponent    = 1<<17 - 1 // of RSA keys; nearly all have 65537
	maxCallers     = 4         // remembered of one issuer
)

// Config says how strangers' issuers are treated.
type Config struct {
	Fetch      *fetch.Client
	MaxIssuers int     // remembered
	Places     int     // requests at once, a first contact counting as one
	Rate       float64 // requests a second; after a pause as many as Places in a burst

	// Describe makes what [Issuer.Data] returns. It must not block.
	Describe func(name string, keys *keyset.Set) any
	// Evicted is told of the keys that are let go of because their issuer was
	// evicted. Only keys that an accepted token was under are told of.
	Evicted func(*keyset.Set)
	// FetchDone and KeysGone are as in [keyset.Hooks]. StateChanged is, too, with
	// the issuer's name.
	FetchDone    func(keyset.Event)
	KeysGone     func([]*keyset.Key)
	StateChanged func(name string, from, to keyset.State, err error)

	Logger *slog.Logger
}

// Issuers are the issuers that tokens have named. All methods are safe for
// concurrent use.
type Issuers struct {
	cfg   Config
	turns *turns
	log   lineLog
	wg    sync.WaitGroup // first contacts

	mu      sync.Mutex // guards all below
	closed  bool
	table   table
	waiting map[string]*Issuer // whose first contact waits for its turn
	failed  failures
	hosts   hosts
}

// An Issuer is one that a token has named. It is in the table from the beginning
// of its first contact, unless that fails.
type Issuer struct {
	name string
	keys *keyset.Set
	data any
	done chan struct{} // closed when the first contact is over
	err  error         // of the first contact; valid once done is closed

	// Guarded by the lock of the issuers.
	turn    *turn        // of the first contact
	request *turn        // of the request that waits or is under way; nil if none does
	waiters int          // for the first contact while it waits for its turn
	callers []netip.Addr // accounts of those who asked last, the newest in front
	good    bool         // a token under its keys was accepted, whichever generation it is in
	position
}

// Data returns what [Config.Describe] made for the issuer.
func (i *Issuer) Data() any { return i.data }

// New makes Issuers. They use no network until asked.
func New(cfg Config) *Issuers {
	return &Issuers{
		cfg: cfg, turns: newTurns(cfg.Places, capacity(cfg.Rate), cfg.Rate, float64(cfg.Places)),
		table: newTable(cfg.MaxIssuers), waiting: map[string]*Issuer{},
		failed: newFailures(4 * min(cfg.MaxIssuers, math.MaxInt/4)), hosts: hosts{}, log: newLineLog(cfg.Logger),
	}
}

// Find returns an issuer that is known, or whose first contact is under way, or
// nil. It asks nobody.
func (s *Issuers) Find(name string) *Issuer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.issuers[name]
}

// Accepted notes that a token under these keys of the issuer was accepted.
func (s *Issuers) Accepted(name string, keys *keyset.Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.table.issuers[name]; i != nil && i.keys == keys {
		i.good = true
		s.table.prove(i, time.Now())
	}
}

// Drop lets go of the issuers whose names match, unless their keys are held.
func (s *Issuers) Drop(match func(name string) bool) {
	s.mu.Lock()
	var dropped []*Issuer
	for name, i := range s.table.issuers {
		if i.reached && match(name) && i.keys.Retire() {
			s.table.remove(i)
			dropped = append(dropped, i)
		}
	}
	s.mu.Unlock()
	for _, i := range dropped {
		i.keys.Close()
	}
}

// Close ends first contacts, turns away who waits, and lets go of all keys.
func (s *Issuers) Close() {
	s.mu.Lock()
	s.closed = true
	issuers := s.table.issuers
	s.table = newTable(s.table.max)
	s.mu.Unlock()
	s.turns.close()
	for _, i := range issuers {
		i.keys.Close() // and with them requests, also those that wait for a host
	}
	s.wg.Wait()
	s.cfg.Fetch.CloseIdle()
}

// asks notes that a caller asks for the issuer. s.mu must be held.
func (i *Issuer) asks(caller netip.Addr) {
	if at := slices.Index(i.callers, caller); at >= 0 {
		i.callers = slices.Delete(i.callers, at, at+1)
	}
	i.callers = slices.Insert(i.callers, 0, caller)
	i.callers = i.callers[:min(len(i.callers), maxCallers)]
}
