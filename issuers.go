package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/roster"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/verify"
)

const (
	defaultMaxIssuers       = 1000
	defaultMaxFoundIssuers  = 1000
	defaultMaxFirstContacts = 16
	defaultFirstContactRate = 10
)

// find returns the descriptions of the issuer that a token names, one at least: of a
// configured one, or of one that the program finds, or else, where strangers' issuers
// are accepted, of one of those.
func (a *Authenticator) find(ctx context.Context, name string) ([]*verify.Trust, error) {
	if known := a.issuers.Load().Find(name); known != nil {
		return known, nil
	}
	if found, err := a.found.find(ctx, name); found != nil || err != nil {
		return found, err
	}
	if a.anyone != nil {
		t, err := a.anyone.trustIn(name)
		if err != nil {
			return nil, err
		}
		if t != nil {
			return t.alone[:], nil
		}
	}
	return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(name), a.describeIssuersFor(name))
}

// describeIssuersFor says which issuers are accepted where the one of this name is not: the
// one that was meant where the slash at the end is all that differs.
func (a *Authenticator) describeIssuersFor(name string) string {
	other, slashed := strings.CutSuffix(name, "/")
	if !slashed {
		other += "/"
	}
	if a.issuers.Load().Named(other) != nil {
		return refusal.Quote(other) + ", to the last slash"
	}
	return a.describeIssuers()
}

func (a *Authenticator) describeIssuers() string {
	const public = "an issuer with a public https URL that this server accepts"
	names := a.issuers.Load().Names()
	var others []string
	if a.found != nil {
		others = append(others, "an issuer that FindIssuer finds")
	}
	if a.anyone != nil {
		others = append(others, public)
	}
	if len(names) > 0 || len(others) == 0 {
		others = append([]string{refusal.OneOf(names)}, others...)
	}
	return strings.Join(others, ", or ")
}

// UnverifiedClaims rebuilds the claims of a payload that this Authenticator, or
// one of the same configuration, has accepted: with what it is configured with
// for the issuer that the payload names, so that the roles, the scopes and the
// identity are those that the token had. Of an issuer that [Config.AnyIssuer]
// alone admits they are none unless AnyIssuer grants them. Like the function
// [UnverifiedClaims] it verifies nothing, and it makes no request, so that a log
// is replayed without the issuers; [AnyIssuer.Accept] and rules are not asked.
//
// The supplement is what [Claims.Supplement] gave, nil for nothing: its roles count
// as they did, and nobody is asked again.
//
// Of an issuer with several descriptions the payload does not say which one decided:
// the description names it, as [Claims.Description] did, and is left out otherwise.
// [Config.FindIssuer] is asked for issuers that are not configured.
//
// The error is [ErrUnknownIssuer] for an issuer whose tokens could not be
// accepted, and for a description that is not there, and [ErrClaim] for a supplement
// that cannot be one.
func (a *Authenticator) UnverifiedClaims(payload, supplement []byte, description ...string) (*Claims, error) {
	if err := a.misused(context.Background()); err != nil {
		return nil, err
	}
	c, err := unverified(payload, func(iss string) (*trust, error) {
		found, err := a.find(context.Background(), iss)
		switch {
		case a.anyone == nil, err != nil && !errors.Is(err, ErrUnknownIssuer) && !errors.Is(err, ErrAnswerUnavailable), err == nil && found[0].Stray == nil:
		case a.anyone.admits(iss):
			return a.anyone.describe(iss, nil), nil
		default:
			err = refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(iss), a.describeIssuers())
		}
		if err != nil {
			return nil, err
		}
		return described(found, description)
	})
	if err != nil {
		return nil, err
	}
	return c.replayed(supplement)
}

// described returns the description of that name, which is needed where there are
// several.
func described(found []*verify.Trust, name []string) (*trust, error) {
	want, names := strings.Join(name, ""), []string{}
	for _, t := range found {
		if want == t.Name || len(found) == 1 && want == "" {
			return t.Owner.(*trust), nil
		}
		names = append(names, t.Name)
	}
	return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, "description "+refusal.Quote(want)+" of issuer "+refusal.Quote(found[0].URL), refusal.OneOf(names))
}

// A finder looks issuers up in the program's own table, with [Config.FindIssuer]. It
// is safe for concurrent use. Nil finds nothing.
type finder struct {
	auth    *Authenticator
	ask     func(context.Context, string) ([]Issuer, error)
	lookups *strangers.Lookups
}

func (a *Authenticator) newFinder(cfg Config) *finder {
	f := &finder{auth: a, ask: cfg.FindIssuer}
	f.lookups = strangers.NewLookups(strangers.LookupConfig{
		Max: orDefault(cfg.MaxFoundIssuers, defaultMaxFoundIssuers),
		Ask: f.lookUp,
		Changed: func(former, now any) {
			a.foundChanged(foundTable(former), foundTable(now))
		},
		Lapsed:   a.foundLapsed,
		Used:     func(data any) (time.Time, bool) { return foundTable(data).used() },
		Accepted: func(data any) bool { return foundTable(data).accepted() },
		Logger:   a.logger,
	})
	return f
}

// foundChanged is changed for an issuer that was found, or is let go of. Whoever names
// issuers brings that about, with tokens that nobody has signed, and many of them come and
// go, or are described otherwise at once: all tokens are looked through only where some may
// rest on what was known of this one, and no sessions but its own. Of a session that is
// about to begin the keys are held already, or it sees what counts now.
func (a *Authenticator) foundChanged(before, now *issuerTable) {
	a.epoch.Add(1)
	_, sessions := before.used()
	stranger := a.anyone.knowsAny(now)
	if sessions {
		a.moveSessionsOf(before.order[0].URL) // all descriptions have one
	}
	if stranger {
		a.moveSessionsOf(now.order[0].foundAs) // the stranger's URL
	}
	if stranger || before.accepted() {
		a.forgetTokens()
	}
	a.letGoOf(before, now)
}

// foundLapsed is for issuers that were found, and are not to be relied on before they were
// asked for again: a token waits for that, and a session, which looks at nothing, ends.
func (a *Authenticator) foundLapsed(found []any) {
	a.epoch.Add(1)
	if slices.ContainsFunc(found, func(data any) bool { _, sessions := foundTable(data).used(); return sessions }) {
		a.moveSessions()
	}
}

// knowsAny reports whether an issuer that was found is a stranger's so far.
func (o *anyone) knowsAny(found *issuerTable) bool {
	return o != nil && slices.ContainsFunc(found.order, func(t *trust) bool { return o.issuers.Find(t.foundAs) != nil })
}

// foundTable returns what is known of one issuer, an empty table for nothing.
func foundTable(data any) *issuerTable {
	if table, ok := data.(*issuerTable); ok {
		return table
	}
	return new(issuerTable)
}

// used returns when a token was last verified by one of the keys, and whether a
// session is live under one.
func (t *issuerTable) used() (last time.Time, held bool) {
	for _, p := range t.places() {
		held = held || p.set.Held()
		if at := p.set.LastUsed(); at.After(last) {
			last = at
		}
	}
	return last, held
}

// find returns the descriptions of the issuer that bears a name, nil if there are
// none.
func (f *finder) find(ctx context.Context, name string) ([]*verify.Trust, error) {
	if f == nil || policy.CheckIssuerName(name) != nil {
		return nil, nil // no description could have that name
	}
	found, err := f.lookups.Find(ctx, callerAddrOf(ctx), name)
	if err == nil {
		return foundTable(found).Named(name), nil
	}
	if errors.Is(err, strangers.ErrClosed) {
		return nil, refusal.New(refusal.Issuer, ErrClosed, "", "")
	}
	r := refusal.Because(refusal.Issuer, ErrKeysUnavailable, fmt.Errorf("issuer %s: %w: %w", refusal.Quote(name), verify.ErrLookup, err))
	if ctx.Err() != nil {
		r = refusal.Because(refusal.Issuer, ErrKeysUnavailable, refusal.Ended(ctx))
	}
	return nil, r.After(time.Second)
}

// lookUp asks the program, and makes of its answer what tokens are judged by. What
// says the same as the former answer is that.
func (f *finder) lookUp(ctx context.Context, name string, former any) (any, error) {
	issuers, err := f.ask(ctx, name)
	if err != nil || len(issuers) == 0 {
		return nil, err
	}
	if err := f.checkFound(name, issuers); err != nil {
		return nil, err
	}
	before := foundTable(former)
	next := &issuerTable{found: true}
	if err := f.auth.fillTable(next, before, issuers); err != nil {
		return nil, err
	}
	for i, t := range next.order {
		t.functions.Store(next.functions[i])
	}
	if slices.Equal(before.order, next.order) {
		return former, nil
	}
	for _, t := range next.order {
		if t.foundAs == "" { // one that was there before is read by others already
			t.foundAs = name
		}
		t.Keys.Adjust(t.described.Aliases, next.reusesKeyIDs(t))
	}
	next.tell()
	return next, nil
}

// checkFound checks what descriptions that were found must be beyond valid ones.
func (f *finder) checkFound(name string, issuers []Issuer) error {
	configured := f.auth.issuers.Load()
	for n := range issuers {
		i := &issuers[n]
		switch names := append([]string{i.URL}, i.Aliases...); {
		case i.URL != issuers[0].URL:
			return fmt.Errorf("oidcauth: FindIssuer: descriptions of issuers %q and %q, want those of one", issuers[0].URL, i.URL)
		case !slices.Contains(names, name):
			return fmt.Errorf("oidcauth: FindIssuer: a description of issuer %q for the name %s: want that as URL or among Aliases", i.URL, refusal.Quote(name))
		case i.TenantClaim != "" || i.Keys.Source != nil:
			return fmt.Errorf("oidcauth: FindIssuer: issuer %q: a template and a KeySource have their place in Config.Issuers and SetIssuers", i.URL)
		case i.Introspect != nil:
			return fmt.Errorf("oidcauth: FindIssuer: issuer %q: Issuer.Introspect has its place in Config.Issuers and SetIssuers, because no opaque token names its issuer", i.URL)
		case slices.ContainsFunc(names, func(name string) bool { return configured.Find(name) != nil }):
			return fmt.Errorf("oidcauth: FindIssuer: issuer %q is configured by one of its names", i.URL)
		}
	}
	return nil
}

// holds reports whether the description is what counts for the name that it was
// found by.
func (f *finder) holds(t *trust) bool {
	return f != nil && f.lookups.Holds(t.foundAs, func(data any) bool {
		return slices.Contains(foundTable(data).order, t)
	})
}

// knows reports whether an issuer of that name is found.
func (f *finder) knows(name string) bool { return f != nil && f.lookups.Knows(name) }

// close lets go of what was found, waits for questions, and returns the issuers.
func (f *finder) close() (found []*trust) {
	if f != nil {
		f.lookups.Each(func(data any) { found = append(found, foundTable(data).order...) })
		f.lookups.Close()
	}
	return found
}

// anyone is what an Authenticator makes of [AnyIssuer]. It is safe for concurrent
// use.
type anyone struct {
	common  *trust // what the issuers have in common
	accept  func(string) bool
	client  *fetch.Client
	issuers *strangers.Issuers
	closed  func() bool // the Authenticator
}

// newAnyone prepares for strangers' issuers.
func (a *Authenticator) newAnyone(cfg Config) (*anyone, error) {
	settings := cfg.AnyIssuer
	client, err := fetch.New(fetch.Config{
		HTTP: cfg.Client, Timeout: strangers.Timeout, MaxBytes: strangers.MaxBytes,
		PublicOnly: true, DenyPrefixes: settings.DenyPrefixes, DenyHosts: settings.DenyHosts,
		Resolver: settings.resolver, Permit: settings.permit,
	})
	if err != nil {
		return nil, fmt.Errorf("oidcauth: Config.Client: %w", err)
	}
	common := newTrust(settings.issuer(), a.leeway, nil, roster.Place{})
	if len(settings.Roles) == 0 {
		common.Shape.Roles = nil
	}
	common.Shape.IgnoreScopes = !settings.KeepScopes
	o := &anyone{common: common, accept: settings.Accept, client: client, closed: a.closed.Load}
	o.issuers = strangers.New(strangers.Config{
		Fetch:      client,
		MaxIssuers: orDefault(settings.MaxIssuers, defaultMaxIssuers),
		Places:     orDefault(settings.MaxFirstContacts, defaultMaxFirstContacts),
		Rate:       orDefault(settings.FirstContactsPerSecond, defaultFirstContactRate),
		Describe:   func(name string, keys *keyset.Set) any { return o.describe(name, keys) },
		Evicted: func(keys *keyset.Set) {
			a.cache.DeleteFunc(func(c *Claims) bool { return c.trust.Keys == keys })
		},
		FetchDone: a.fetchDone, KeysGone: a.keysGone,
		// Without the name, also of one that was configured: nobody is told that its keys are let go of.
		StateChanged: func(_ string, from, to keyset.State, err error) { a.watch.KeysState(keyState("", from, to, err)) },
		Logger:       a.logger,
	})
	common.of, common.strangers, common.Stray = a.trusted, o.issuers, o
	return o, nil
}

func orDefault[N int | float64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// admits reports whether name is one that a stranger's issuer can have.
func (o *anyone) admits(name string) bool {
	return policy.CheckIssuerName(name) == nil && o.client.CheckURL(name) == nil && !strings.Contains(name, "?")
}

// describe returns what all strangers' issuers have in common, for one of them.
func (o *anyone) describe(name string, keys *keyset.Set) *trust {
	c := o.common
	t := &trust{Trust: c.Trust, of: c.of, strangers: c.strangers, sessionIDs: new(sessionIDs)}
	t.functions.Store(c.functions.Load())
	t.Order, t.Owner, t.alone[0] = new(verify.Order), t, &t.Trust
	t.URL = strings.Clone(name) // not a part of the token
	t.Names = []string{t.URL}
	t.Keys = keys
	return t
}

// trustIn returns the trust in a stranger's issuer, which need not have been
// contacted yet, or nil if it is none that is accepted.
func (o *anyone) trustIn(name string) (*trust, error) {
	if accepted, err := o.accepts(name); !accepted {
		return nil, err
	}
	if known := o.issuers.Find(name); known != nil {
		return known.Data().(*trust), nil
	}
	if !o.admits(name) {
		return nil, nil
	}
	return o.describe(name, nil), nil
}

// accepts asks the program about a name. The library asks it in goroutines of its own,
// too, as it asks a [Rule].
func (o *anyone) accepts(name string) (accepted bool, err error) {
	if o.accept == nil {
		return true, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = panics.Error(v)
			o.common.of.fault(o.common.URL, err)
			accepted, err = false, refusal.Because(refusal.Issuer, ErrAnswerUnavailable, err)
		}
	}()
	return o.accept(name), nil
}

// contact returns the trust in an issuer whose keys have been fetched, waiting
// for its first contact if need be. It returns early when ctx ends.
func (o *anyone) contact(ctx context.Context, name string, keyID jws.KeyID) (*trust, error) {
	i, err := o.issuers.Contact(ctx, callerAddrOf(ctx), name, keyID)
	if err == nil {
		return i.Data().(*trust), nil
	}
	switch postponed, ok := errors.AsType[*keyset.PostponedError](err); {
	case ok:
		r := refusal.New(refusal.Key, ErrKeysUnavailable, "more new issuers than may be contacted at present", "")
		if ctx.Err() != nil {
			r = refusal.Because(refusal.Key, ErrKeysUnavailable, refusal.Ended(ctx))
		}
		r.After(postponed.RetryAfter)
		return nil, r
	case errors.Is(err, strangers.ErrClosed):
		return nil, refusal.New(refusal.Key, ErrClosed, "", "")
	case ctx.Err() != nil && !errors.Is(err, strangers.ErrUnknown):
		// An issuer that lets callers wait must look like one that is not there.
		return nil, refusal.Because(refusal.Key, ErrUnknownIssuer, refusal.Ended(ctx))
	}
	return nil, refusal.New(refusal.Key, ErrUnknownIssuer, refusal.Quote(name), "an issuer that answers with its keys")
}

// report is [Authenticator.Keys] for a stranger's issuer.
func (o *anyone) report(ctx context.Context, t *trust) (explain.KeySet, error) {
	t, err := o.contact(ctx, t.URL, jws.KeyID{})
	if err != nil {
		return explain.KeySet{}, err
	}
	if err = t.Keys.Ready(ctx); err != nil {
		err = refusal.New(refusal.Key, ErrKeysUnavailable, "", "")
	}
	return newKeyReport(t.Keys.Report()), err
}

// Contact implements [verify.Stray].
func (o *anyone) Contact(ctx context.Context, t *verify.Trust, keyID jws.KeyID) (*verify.Trust, error) {
	known, err := o.contact(ctx, t.URL, keyID)
	if err != nil {
		return nil, err
	}
	return &known.Trust, nil
}

// Refuse implements [verify.Stray].
func (o *anyone) Refuse(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return refusal.Because(refusal.Key, ErrKeysUnavailable, refusal.Ended(ctx))
	case o.closed():
		return refusal.New(refusal.Key, ErrClosed, "", "")
	}
	wait := time.Second
	if unavailable, ok := errors.AsType[*keyset.UnavailableError](err); ok {
		wait = max(wait, unavailable.RetryAfter)
	}
	if postponed, ok := errors.AsType[*keyset.PostponedError](err); ok {
		wait = max(wait, postponed.RetryAfter)
	}
	return refusal.New(refusal.Key, ErrKeysUnavailable, "", "").After(wait)
}
