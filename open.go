package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// What a stranger's issuer gets: less time and room than a configured one.
const (
	strangerTimeout  = 5 * time.Second  // for one document
	contactTimeout   = 10 * time.Second // for a first contact
	strangerBytes    = 64 << 10
	strangerKeys     = 64
	strangerExponent = 1<<17 - 1 // of RSA keys; nearly all have 65537
	floodLogInterval = time.Minute
)

// openIssuers are the issuers that tokens have named. All methods are safe for
// concurrent use.
type openIssuers struct {
	auth        *Authenticator
	common      trust // what all of them have in common
	accept      func(string) bool
	client      *fetch.Client
	maxContacts int

	ctx    context.Context // ends with Close; first contacts run on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // first contacts

	mu       sync.Mutex // guards all below
	closed   bool
	table    openTable
	failed   failedIssuers
	budget   budget // of first contacts
	contacts int    // first contacts under way
	logs     budget // of log lines, which strangers cause
	muted    int    // log lines left out
	flooded  time.Time
}

// An openIssuer is one issuer that a token has named. It is in the table from
// its first contact on, unless that fails.
type openIssuer struct {
	home  *openIssuers
	trust *trust
	done  chan struct{} // closed when the first contact is over
	err   error         // of the first contact; valid once done is closed
	place               // in the table; guarded by home.mu
}

// trustIn returns the trust in a stranger's issuer, which need not have been
// contacted yet, or nil if it is none that is accepted.
func (o *openIssuers) trustIn(name string) *trust {
	if o.accept != nil && !o.accept(name) {
		return nil
	}
	o.mu.Lock()
	i := o.table.issuers[name]
	o.mu.Unlock()
	if i != nil {
		return i.trust
	}
	if !o.admits(name) {
		return nil
	}
	i = &openIssuer{home: o, trust: o.describe(name), done: make(chan struct{})}
	i.trust.open = i
	return i.trust
}

// contact returns the trust in an issuer whose keys have been fetched, waiting
// for its first contact if need be. It returns early when ctx ends.
func (o *openIssuers) contact(ctx context.Context, t *trust, keyID string, hasKeyID bool) (*trust, error) {
	i, err := o.join(t.open, keyID, hasKeyID)
	if err != nil {
		return nil, err
	}
	if err := i.await(ctx); err != nil {
		return nil, err
	}
	if i.err != nil {
		return nil, o.unknown(i.trust.url)
	}
	return i.trust, nil
}

// await waits for the end of the first contact.
func (i *openIssuer) await(ctx context.Context) error {
	select {
	case <-i.done:
		return nil // also for a caller who has no time left
	default:
	}
	select {
	case <-i.done:
		return nil
	case <-ctx.Done():
		// An issuer that lets callers wait must look like one that is not there.
		return refuseCause(checkKey, ErrUnknownIssuer, keyset.Ended(ctx))
	}
}

// unknown is the one refusal for whatever is wrong with an issuer that never
// worked.
func (o *openIssuers) unknown(name string) error {
	if o.isClosed() {
		return refuse(checkKey, ErrClosed, "", "")
	}
	return refuse(checkKey, ErrUnknownIssuer, quote(name), "an issuer that answers with its keys")
}

func (o *openIssuers) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// join returns the issuer as it is in the table, and puts it there and begins
// its first contact if that is allowed now.
func (o *openIssuers) join(i *openIssuer, keyID string, hasKeyID bool) (*openIssuer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	name := i.trust.url
	if o.closed {
		return nil, refuse(checkKey, ErrClosed, "", "")
	}
	if known := o.table.issuers[name]; known != nil {
		o.table.use(known, now)
		return known, nil
	}
	if o.failed.has(name, now) {
		return nil, refuse(checkKey, ErrUnknownIssuer, quote(name), "an issuer that answers with its keys")
	}
	evicted, wait := o.admit(now)
	if wait > 0 {
		return nil, o.tooMany(now, wait)
	}
	if i.trust.keys != nil {
		// It was in the table before: what holds on to it keeps its closed keys.
		fresh := *i.trust
		i = &openIssuer{home: o, trust: &fresh, done: make(chan struct{})}
		fresh.open = i
	}
	var err error
	if i.trust.keys, err = o.newKeySet(i); err != nil {
		return nil, refuse(checkKey, ErrUnknownIssuer, quote(name), "an issuer that answers with its keys")
	}
	o.table.add(i, now)
	o.contacts++
	o.wg.Go(func() { o.run(i, evicted, keyID, hasKeyID) })
	return i, nil
}

// admit makes room for one more first contact, or says how long there will be
// none. o.mu must be held.
func (o *openIssuers) admit(now time.Time) (evicted *openIssuer, wait time.Duration) {
	if o.contacts >= o.maxContacts {
		return nil, time.Second
	}
	if wait := o.budget.wait(now); wait > 0 {
		return nil, wait
	}
	if len(o.table.issuers) >= o.table.max {
		if evicted = o.table.evict(now); evicted == nil {
			return nil, time.Second
		}
	}
	o.budget.take()
	return evicted, 0
}

// tooMany refuses at once, because whoever waits holds a connection. o.mu must
// be held.
func (o *openIssuers) tooMany(now time.Time, wait time.Duration) error {
	if o.flooded.IsZero() || now.Sub(o.flooded) >= floodLogInterval {
		o.flooded = now
		o.auth.logger.LogAttrs(o.ctx, slog.LevelWarn, "more unknown issuers than may be contacted",
			slog.Int("contacts", o.contacts), slog.Int("issuers", len(o.table.issuers)))
	}
	r := refuse(checkKey, ErrKeysUnavailable, "more new issuers than may be contacted at present", "")
	r.retryAfter = wait
	return r
}

func (o *openIssuers) newKeySet(i *openIssuer) (*keyset.Set, error) {
	return keyset.New(keyset.Config{
		Issuer: i.trust.url, Fetch: o.client, MaxBytes: strangerBytes, MaxKeys: strangerKeys, MaxExponent: strangerExponent,
		Hooks: keyset.Hooks{
			FetchDone:    o.auth.fetchDone,
			KeysGone:     o.auth.keysGone,
			StateChanged: func(from, to keyset.State, err error) { o.stateChanged(i, from, to, err) },
		},
	})
}

// run makes the first contact. It ends with contactTimeout or Close.
func (o *openIssuers) run(i, evicted *openIssuer, keyID string, hasKeyID bool) {
	if evicted != nil {
		o.bury(evicted)
	}
	ctx, cancel := context.WithTimeout(o.ctx, contactTimeout)
	defer cancel()
	_, err := i.trust.keys.Keys(ctx, keyID, hasKeyID)
	if errors.Is(err, keyset.ErrUnknownKey) {
		err = nil // the keys are there, the token's is not among them
	}
	o.settle(i, err)
	if err != nil {
		i.trust.keys.Close()
	}
}

// settle notes how the first contact went and lets its waiters go.
func (o *openIssuers) settle(i *openIssuer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer close(i.done)
	i.err = err
	i.reached = err == nil
	o.contacts--
	if o.closed {
		return
	}
	now := time.Now()
	if err == nil {
		o.failed.remove(i.trust.url)
		return
	}
	o.table.remove(i)
	if o.failed.add(i.trust.url, now) {
		o.logLine(now, slog.LevelInfo, "unknown issuer does not answer with its keys",
			slog.String("issuer", i.trust.url), slog.String("error", fetch.Cause(err).Error()))
	}
}

// stateChanged reports on an issuer that has worked. How its first contact went
// is reported by settle.
func (o *openIssuers) stateChanged(i *openIssuer, from, to keyset.State, err error) {
	if from != keyset.None {
		o.mu.Lock()
		attrs := []slog.Attr{
			slog.String("issuer", i.trust.url), slog.String("from", from.String()), slog.String("to", to.String()),
		}
		if err != nil {
			attrs = append(attrs, slog.String("error", fetch.Cause(err).Error()))
		}
		o.logLine(time.Now(), slog.LevelInfo, "issuer's keys changed state", attrs...)
		o.mu.Unlock()
	}
	o.auth.traceState(i.trust.url, from, to, err)
}

// logLine writes a line unless strangers have caused too many. o.mu must be
// held.
func (o *openIssuers) logLine(now time.Time, level slog.Level, text string, attrs ...slog.Attr) {
	if o.logs.wait(now) > 0 {
		o.muted++
		return
	}
	o.logs.take()
	if o.muted > 0 {
		attrs = append(attrs, slog.Int("lines_left_out", o.muted))
		o.muted = 0
	}
	o.auth.logger.LogAttrs(o.ctx, level, text, attrs...)
}

// accepted notes that an issuer's token was accepted.
func (o *openIssuers) accepted(i *openIssuer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.table.issuers[i.trust.url] == i {
		o.table.prove(i, time.Now())
	}
}

// bury lets go of what an evicted issuer has left.
func (o *openIssuers) bury(i *openIssuer) {
	i.trust.keys.Close()
	if i.proven {
		o.auth.cache.DeleteFunc(func(c *Claims) bool { return c.trust == i.trust })
	}
}

// report is [Authenticator.Keys] for a stranger's issuer.
func (o *openIssuers) report(ctx context.Context, t *trust) (KeyReport, error) {
	t, err := o.contact(ctx, t, "", false)
	if err != nil {
		return KeyReport{}, err
	}
	if err = t.keys.Ready(ctx); err != nil {
		err = refuse(checkKey, ErrKeysUnavailable, "", "")
	}
	return newKeyReport(t.keys.Report()), err
}

// close ends first contacts and lets go of all keys.
func (o *openIssuers) close() {
	o.mu.Lock()
	o.closed = true
	issuers := o.table.issuers
	o.table = newOpenTable(o.table.max)
	o.mu.Unlock()
	o.cancel()
	for _, i := range issuers {
		i.trust.keys.Close()
	}
	o.wg.Wait()
	o.client.CloseIdle()
}
