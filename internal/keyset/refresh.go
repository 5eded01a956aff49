package keyset

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/panics"
)

const (
	// flightTimeout ends a fetch whose client does not: discovery and keys,
	// both twice.
	flightTimeout = time.Minute

	// emptyLifetime is how long the answer that there is no usable key yet counts
	// as fresh. A token's question does not wait for its end.
	emptyLifetime = 30 * time.Second

	// maxSleep is how soon a machine that slept is noticed: timers do not count
	// that time.
	maxSleep = time.Minute
	// A discovery document is read anew when it is a day old, and when it is
	// an hour old and the keys it names lack one that is asked for, or cannot be
	// had twice in a row.
	discoveryLifetime = 24 * time.Hour
	discoveryDoubt    = time.Hour
)

// flight is one fetch, shared by everybody who waits for it.
type flight struct {
	lookup bool   // asks the issuer itself, past all caches
	number uint64 // of a look-up
	asked  idSet  // by its beginning
	source source
	prev   *snapshot
	done   chan struct{}
	err    error // valid once done is closed

	hurry   chan struct{} // of one that may wait in the queue: closed if somebody needs it now
	hurried bool
	begun   time.Time // zero while it waits
}

// source is where the newest good discovery document says the keys are.
type source struct {
	url        string
	discovered time.Time
}

// answer is what a fetch has brought.
type answer struct {
	source       source
	discoveryErr error
	notModified  bool
	doc          document
	etag         string
	maxAge       time.Duration
	hasMaxAge    bool
}

// Event describes one finished fetch.
type Event struct {
	Issuer       string
	URL          string // of the keys; empty when it could not be discovered
	Lookup       bool   // somebody waited for it or asked for an unknown key ID
	NotModified  bool
	Keys         int // usable ones
	Skipped      int
	Start        time.Time
	Duration     time.Duration
	Err          error // nil when the keys are confirmed
	DiscoveryErr error // discovery failed, an earlier document was used
}

// start begins a fetch on the set's own context, or has it wait in the queue if it is
// patient. s.mu must be held, s.flight nil, and the set not closed.
func (s *Set) start(lookup, patient bool) {
	f := &flight{
		lookup: lookup,
		source: s.source,
		prev:   s.snap.Load(),
		done:   make(chan struct{}),
	}
	if patient {
		f.hurry = make(chan struct{})
	} else {
		f.begun = time.Now()
	}
	if lookup {
		f.number = s.lookups.Add(1)
		f.asked = s.cool.take()
	}
	s.flight = f
	s.wg.Go(func() { s.run(f) })
}

func (s *Set) run(f *flight) {
	leave := s.waitTurn(f)
	ctx, cancel := context.WithTimeout(s.ctx, flightTimeout)
	defer cancel()
	a, err := s.fetchGuarded(ctx, f)
	leave() // before hooks and a disk, which may take their time
	s.finish(f, a, err)
	s.deliver()
	if s.store != nil {
		s.save()
		s.deliver()
	}
}

// fetchGuarded turns a panic, or an end of the goroutine, into an error: neither an
// issuer's answer nor the program's client may end the process, or leave waiters without
// an end.
func (s *Set) fetchGuarded(ctx context.Context, f *flight) (a answer, err error) {
	a = answer{source: f.source}
	err = panics.Run(func() error { return s.fetch(ctx, f, &a) })
	if errors.Is(err, panics.Err) {
		a, err = answer{source: f.source}, fmt.Errorf("fetching keys: %w", err)
	}
	return a, err
}

// fetch finds out where the keys are, if that is not known well enough, and
// gets them.
func (s *Set) fetch(ctx context.Context, f *flight, a *answer) error {
	if err := ctx.Err(); err != nil {
		return err // the set was closed while this waited
	}
	if s.cfg.JWKSURL != "" {
		a.source.url = s.cfg.JWKSURL
		return s.get(ctx, f, a)
	}
	if a.source.url == "" || s.older(a, discoveryLifetime) {
		if err := s.discover(ctx, a); err != nil && a.source.url == "" {
			return err
		}
		return s.get(ctx, f, a)
	}
	known := a.source.url
	err := s.get(ctx, f, a)
	if !moved(err) && !s.doubtful(f, a, err) {
		return err
	}
	if discoverErr := s.discover(ctx, a); discoverErr != nil || a.source.url == known {
		return err
	}
	return s.get(ctx, f, a)
}

func (s *Set) older(a *answer, age time.Duration) bool {
	return clocks.Reached(time.Now(), a.source.discovered.Add(age))
}

// doubtful reports whether the keys may have moved: where an old discovery
// document said, they are not, or not the one that is asked for.
func (s *Set) doubtful(f *flight, a *answer, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, postponed := errors.AsType[*PostponedError](err); {
	case postponed:
		return false // nobody was asked
	case err != nil:
		// What is at the old place may answer as it likes, or not at all. Once may be chance.
		return (s.failures > 0 || errors.Is(err, ErrNoUsableKey)) && s.older(a, discoveryDoubt)
	}
	vain := s.missing(f.asked, a.doc.keys)
	return f.lookup && len(vain.ids) > 0 && s.older(a, discoveryDoubt)
}

// moved reports whether err says that there are no keys at this URL any more.
func moved(err error) bool {
	status := new(fetch.StatusError)
	return errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusGone)
}

func (s *Set) discover(ctx context.Context, a *answer) error {
	url := s.cfg.DiscoveryURL
	if url == "" {
		url = fetch.DiscoveryURL(s.cfg.Issuer)
	}
	var meta fetch.Metadata
	err := s.admitted(ctx, url, func(ctx context.Context) (err error) {
		meta, err = s.cfg.Fetch.Discover(ctx, s.cfg.Issuer, s.cfg.DiscoveryURL, s.terms.Load().aliases...)
		return err
	})
	if err != nil {
		a.discoveryErr = fmt.Errorf("discovery: %w", err)
		return a.discoveryErr
	}
	a.source = source{url: meta.JWKSURL, discovered: time.Now()}
	return nil
}

// get fetches and parses the keys. A look-up sends no ETag, so that an issuer
// with wrong ones cannot hide a new key for ever.
func (s *Set) get(ctx context.Context, f *flight, a *answer) error {
	req := fetch.Request{NoCache: f.lookup, MaxBytes: s.cfg.MaxBytes, Member: "keys"}
	if f.prev != nil && !f.lookup && !f.prev.stored && f.prev.url == a.source.url {
		req.ETag = f.prev.etag
	}
	var resp *fetch.Response
	err := s.admitted(ctx, a.source.url, func(ctx context.Context) (err error) {
		resp, err = s.cfg.Fetch.Get(ctx, a.source.url, req)
		return err
	})
	if err != nil {
		return fmt.Errorf("key set: %w%s", err, s.foreignKeys(a.source.url, err))
	}
	a.etag, a.maxAge, a.hasMaxAge = resp.ETag, resp.MaxAge, resp.HasMaxAge
	a.notModified = resp.NotModified
	if resp.NotModified { // which an answer to a request without an ETag never is
		return nil
	}
	a.doc, err = s.parse(resp.Body)
	return err
}

// finish takes in what a fetch has brought and lets its waiters go.
func (s *Set) finish(f *flight, a answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(f.done)
	s.flight = nil
	if s.closed() || s.held.Load() < 0 {
		f.err = ErrClosed
		return
	}
	now := time.Now()
	s.source = a.source
	s.expire(now)
	if err == nil && a.notModified && s.snap.Load() == nil {
		err = errors.New("key set: answer is 304, but the keys were dropped meanwhile")
	}
	if postponed, ok := errors.AsType[*PostponedError](err); ok {
		f.err = err
		s.postpone(now, err, postponed)
		s.step(now)
		return
	}
	switch {
	case err == nil:
		s.accept(f, now, a)
	case errors.Is(err, ErrNoUsableKey) && !s.snap.Load().usable():
		s.noneUsable(err)
		s.accept(f, now, a)
		s.lastErr = err
	default:
		s.fail(now, err)
		s.chargeFailed(f, now)
		f.err = err
	}
	s.note(f, a, now, err)
	s.step(now)
}

// noneUsable reports a set without a usable key unless the last one was the same.
// s.mu must be held.
func (s *Set) noneUsable(err error) {
	if hook := s.cfg.Hooks.NoneUsable; hook != nil && s.snap.Load() == nil {
		s.notes = append(s.notes, func() { hook(err) })
	}
}

// fail notes a failed fetch: all fetches wait for the back-off.
func (s *Set) fail(now time.Time, err error) {
	s.failures++
	s.lastErr, s.lastFail = err, now
	s.retryAt = now.Add(s.backOff(err))
	if s.refreshAt.IsZero() {
		s.refreshAt = now
	}
}

// accept makes the answer the current keys and plans their refresh. An answer
// without a usable key gets here only when there is none in hand: it is no
// failure, it reports that nothing was found.
func (s *Set) accept(f *flight, now time.Time, a answer) {
	next := &snapshot{skipped: a.doc.skipped, fetched: now, url: a.source.url}
	prev := s.snap.Load()
	if prev != nil {
		next.lookup, next.lookedUp = prev.lookup, prev.lookedUp
	}
	if f.lookup {
		next.lookup, next.lookedUp = f.number, f.begun
	}
	changed := false
	if a.notModified {
		*next = *prev
		next.confirm(now, s.base, a)
		s.snap.Store(next)
	} else {
		next.confirm(now, s.base, a)
		changed = s.swap(next, a.doc.keys)
	}
	s.failures, s.lastErr, s.retryAt = 0, nil, time.Time{}
	life := next.lifetime
	if !next.usable() {
		life = emptyLifetime
	}
	s.refreshAt = now.Add(time.Duration(float64(life) * (0.76 + 0.08*s.cfg.random())))
	if f.lookup {
		s.charge(f, now, next.keys)
	}
	if next.usable() && s.store.wants(now, changed) {
		s.unsaved = next
	}
}

func (s *Set) note(f *flight, a answer, now time.Time, err error) {
	hook := s.cfg.Hooks.FetchDone
	if hook == nil {
		return
	}
	e := Event{
		Issuer: s.cfg.Issuer, URL: a.source.url, Lookup: f.lookup,
		NotModified: a.notModified, Start: f.begun, Duration: now.Sub(f.begun),
		Err: err, DiscoveryErr: a.discoveryErr,
	}
	if snap := s.snap.Load(); snap != nil && f.err == nil {
		e.Keys, e.Skipped = len(snap.keys), len(snap.skipped)
	}
	s.notes = append(s.notes, func() { hook(e) })
}
