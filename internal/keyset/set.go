// Package keyset holds one issuer's signing keys: it finds them, keeps them
// fresh, serves them without locks, and lets go of them when they leave the
// issuer's set or cannot be confirmed any longer.
package keyset

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/quote"
)

var (
	// ErrUnknownKey says that the issuer's keys are in hand and none bears the
	// key ID that was asked for.
	ErrUnknownKey = errors.New("no key of the issuer bears this key ID")

	// ErrPostponed is the cause of an [UnavailableError] while the issuer may not
	// be asked again, because it was a moment ago. It will be at RetryAfter.
	ErrPostponed = errors.New("the issuer was asked for its keys a moment ago and will be asked again")

	// ErrClosed is the cause of an [UnavailableError] after [Set.Close].
	ErrClosed = errors.New("key set closed")
)

// UnavailableError says that the keys could not be had, which is the issuer's
// fault or the network's, never the token's.
type UnavailableError struct {
	Issuer     string
	RetryAfter time.Duration // when asking again makes sense; zero when not known
	Err        error         // why: a failed fetch, the caller's context, ErrClosed
}

// Error names the issuer and the cause.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("keys of issuer %s unavailable: %v", quote.Value(e.Issuer), e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Config says where an issuer's keys come from. Exactly one source is used:
// Fixed, else JWKSURL, else discovery.
type Config struct {
	// Issuer is the issuer's URL, for messages, and what the discovery
	// document must name.
	Issuer string
	// Aliases are other names of the issuer, which the discovery document may
	// state instead.
	Aliases []string
	// DiscoveryURL is where the discovery document is. Empty means Issuer
	// without one trailing slash, followed by /.well-known/openid-configuration.
	DiscoveryURL string
	// JWKSURL is where the keys are. When set there is no discovery.
	JWKSURL string
	// Fixed is a JWKS document. When set there is no network at all.
	Fixed []byte
	// Use is what keys may be for ("use") besides signatures. Empty means nothing.
	Use string

	// ReusesKeyIDs says that the issuer changes keys under one key ID, so that
	// [Set.LookAgain] may fetch for a token with a known one.
	ReusesKeyIDs bool
	// KeepWarm refreshes in the background even while nobody asks, once
	// somebody has asked for the first time, or [Set.Warm] was called.
	KeepWarm bool
	// Fetch is the client for all requests. It may be nil only with Fixed.
	Fetch *fetch.Client
	// CacheDir is the directory that keeps the last good keys between two runs
	// of the program. Empty means none.
	CacheDir string
	// Apart tells the file in CacheDir from those of sets that ask at the same address and
	// are answered by others there. Empty where the address says it all.
	Apart string
	// MaxBytes limits the key set's document. Zero means what Fetch does.
	MaxBytes int64
	// MaxKeys limits how many keys of the document are looked at. Zero means
	// 1000.
	MaxKeys int
	// MaxExponent limits the public exponent of RSA keys, which decides how long
	// a signature check takes. Zero means no limit.
	MaxExponent int
	// Admit is asked before each request for one of the set's documents. The
	// request is made with the context that it returns, which may end early with a
	// [*PostponedError] as its cause; done is called afterwards. An error means that
	// the request is not made; a [*PostponedError] then is no failure of the
	// issuer's. It must return when ctx ends. Nil admits every request.
	Admit func(ctx context.Context, url string) (admitted context.Context, done func(), err error)
	// Queue bounds the fetches that nobody is in a hurry for, together with other sets'.
	// Nil bounds none.
	Queue Queue
	// Writers are who writes into CacheDir in turns with this set. Nil are none.
	Writers *Writers
	// AlwaysCool starts a cool-down with every lookup beside keys in hand, also
	// with one that finds the key or fails: for issuers that might cause lookups
	// themselves.
	AlwaysCool bool
	// Hooks are told what happens. All are optional.
	Hooks Hooks
	// Quiet says that the hooks which are called in order wait for [Set.Tell]: the
	// set may turn out not to be wanted, and then nobody hears of it.
	Quiet bool
	// AcceptKey decides by a key's own "issuer" member ("" when it has none)
	// whether the key is part of this set. Nil accepts every key.
	AcceptKey func(keyIssuer string) bool

	// random replaces the source of jitter, a number in [0,1). Nil means the
	// standard library's generator.
	random func() float64
	tap    disk.Tap // of the cache directory; nil but in tests
}

// Hooks are functions that a [Set] calls, one at a time and in order, outside
// its locks. A hook must not call [Set.Close], which waits for it.
type Hooks struct {
	// FetchDone is called after each attempt to fetch keys.
	FetchDone func(Event)
	// StateChanged is called once for each change; err is the failure that
	// caused it, or nil.
	StateChanged func(from, to State, err error)
	// NoneUsable is called once when an issuer of which no key is known turns out
	// to publish none that is usable; err wraps [ErrNoUsableKey].
	NoneUsable func(err error)
	// KeysGone is called with the keys that are trusted no more.
	KeysGone func([]*Key)
	// StoreFailed is called when the file in CacheDir cannot be used: once
	// when it is ignored on load, and once for each series of failed writes.
	StoreFailed func(error)
}

// Set is one issuer's keys. All methods are safe for concurrent use.
type Set struct {
	cfg    Config
	store  *store
	terms  atomic.Pointer[terms]
	base   time.Time // clock readings on the fast path are durations since then
	seed   maphash.Seed
	ctx    context.Context // ends with Close; fetches run on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // fetches and timer calls
	timer  *time.Timer    // calls wake

	snap     atomic.Pointer[snapshot] // nil without keys
	lastUsed atomic.Int64             // since base; neverUsed at first
	held     atomic.Int64
	lookups  atomic.Uint64 // begun so far
	prepared preparedKeys

	mu         sync.Mutex // guards all below
	flight     *flight    // the one fetch under way, or nil
	source     source
	state      State // as last reported
	had        bool  // there was a usable key once
	failures   int   // in a row
	lastErr    error
	lastFail   time.Time
	retryAt    time.Time // no fetch before; zero without failures
	putOff     time.Time // no fetch before unless somebody asks
	refreshAt  time.Time // zero when nothing is to be refreshed
	cool       coolDown
	unsaved    *snapshot // to be written to the store
	saving     bool      // somebody waits to do so
	notes      []func()  // hook calls to be made, in order
	delivering bool
	quiet      bool // until Tell: no note is delivered
	warm       bool // see Warm
}

const (
	neverUsed = math.MinInt64 / 2
	// maxCandidates bounds the signature checks that a token can cause, without
	// a key ID or with one that many keys bear. It counts the keys of one type
	// and curve, since the token's algorithm fits no others.
	maxCandidates = 16
)

// New checks cfg and loads the file in CacheDir, if there is one. It uses no
// network. An unusable fixed JWKS is an error, an unusable file is not.
func New(cfg Config) (*Set, error) {
	if cfg.Fixed == nil && cfg.Fetch == nil {
		return nil, errors.New("keyset: no fetch client")
	}
	if cfg.random == nil {
		cfg.random = rand.Float64
	}
	if cfg.MaxKeys == 0 {
		cfg.MaxKeys = maxKeys
	}
	s := &Set{cfg: cfg, base: time.Now(), seed: maphash.MakeSeed(), quiet: cfg.Quiet}
	s.Adjust(cfg.Aliases, cfg.ReusesKeyIDs)
	s.lastUsed.Store(neverUsed)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.timer = time.AfterFunc(math.MaxInt64, s.wake)
	s.timer.Stop()
	if cfg.Fixed != nil {
		return s, s.adoptFixed()
	}
	if cfg.CacheDir != "" {
		s.store = newStore(cfg)
		s.adoptStored()
	}
	return s, nil
}

// Keys returns the keys that may have signed a token: with a key ID those that
// bear it, without one all; of either at most 16 of each type and curve. The
// caller must not change the slice. A known key ID is answered without locks and
// without waiting, whatever happens to the issuer. An unknown one may wait for
// one shared fetch, until ctx ends. The error is [ErrUnknownKey] when the issuer
// was asked and has no such key, and an [*UnavailableError] when that is not
// known: the issuer could not be asked, was asked too recently to be asked again
// ([ErrPostponed]), or publishes no usable key at all ([ErrNoUsableKey]).
func (s *Set) Keys(ctx context.Context, keyID jws.KeyID) ([]*Key, error) {
	if snap := s.snap.Load(); snap != nil {
		now := time.Now()
		at := now.Sub(s.base)
		if snap.serves(at, now) {
			s.touch(at)
			if keys := snap.find(keyID); keys != nil {
				return keys, nil
			}
		}
	}
	return s.wait(ctx, s.askFor(keyID))
}

// Ready returns nil when keys are in hand, fetching them first if need be. To
// ask while they are in hand does not count as use of the issuer.
func (s *Set) Ready(ctx context.Context) error { return s.ready(ctx, false) }

// ReadyInTurn is Ready for one set of many, which waits in [Config.Queue].
func (s *Set) ReadyInTurn(ctx context.Context) error { return s.ready(ctx, true) }

func (s *Set) ready(ctx context.Context, patient bool) error {
	if s.InHand() {
		return nil
	}
	_, err := s.wait(ctx, &ask{probe: true, patient: patient, asked: s.lookups.Load()})
	return err
}

// InHand reports whether there are keys that may verify tokens now. It neither
// fetches nor counts as use of the issuer.
func (s *Set) InHand() bool {
	return s.serving().usable()
}

// Peek returns the keys in hand that bear a key ID, nil for none. It neither
// fetches nor counts as use of the issuer.
func (s *Set) Peek(keyID string) []*Key { return s.serving().find(jws.Named(keyID)) }

// PeekAll returns all keys in hand, which must not be changed. It neither fetches nor
// counts as use of the issuer.
func (s *Set) PeekAll() []*Key {
	if snap := s.serving(); snap != nil {
		return snap.keys
	}
	return nil
}

// serving returns the snapshot if it may serve now, or nil.
func (s *Set) serving() *snapshot {
	now := time.Now()
	snap := s.snap.Load()
	if snap == nil || !snap.serves(now.Sub(s.base), now) {
		return nil
	}
	return snap
}

// Hold keeps the issuer in use until [Set.Release]: its keys are refreshed in
// the background meanwhile.
func (s *Set) Hold() {
	if s.held.Add(1) < 0 {
		// Retired: whoever asks next whether a key is live must hear no, also when
		// a fetch is ending just now.
		s.mu.Lock()
		s.snap.Store(nil)
		s.mu.Unlock()
		return
	}
	s.touch(time.Since(s.base))
}

// Release ends one [Set.Hold].
func (s *Set) Release() { s.held.Add(-1) }

// Close ends refreshes and fetches, lets go of all keys, and waits until no
// goroutine is left and hooks were told of all that had happened. No hook is
// called afterwards.
func (s *Set) Close() {
	s.mu.Lock()
	s.snap.Store(nil)
	s.timer.Stop()
	s.cancel()
	s.mu.Unlock()
	s.wg.Wait()
	s.deliver()
}

// closed reports whether the set was closed. That changes under s.mu alone.
func (s *Set) closed() bool { return s.ctx.Err() != nil }

// unavailable says that the keys cannot be had before a time that may have passed.
func (s *Set) unavailable(now, until time.Time, cause error) error {
	return &UnavailableError{Issuer: s.cfg.Issuer, RetryAfter: max(0, until.Sub(now)), Err: cause}
}
