// Package oidcauth tells a server who is calling: it verifies the OpenID Connect
// tokens of any number of issuers and hands the claims to the code that serves
// the call.
//
// [New] makes an [Authenticator] from a [Config]. Its [Authenticator.Middleware]
// guards HTTP handlers and WebSocket upgrades; its [Authenticator.Authenticate]
// decides about a token from anywhere else. A handler finds the caller with
// [FromContext] and demands roles, scopes and the like with [Require].
//
// # Issuers
//
// An [Issuer] describes whose tokens are accepted and what they must be like; the
// package issuers describes well-known providers. Set [Issuer.Audiences] to the
// names that the issuer knows this server by, and [Issuer.TokenTypes] for access
// tokens of RFC 9068; ID tokens and plain JWTs need none.
// [Authenticator.SetIssuers] replaces the issuers while the server runs,
// [Config.FindIssuer] looks them up in the program's own table, and [AnyIssuer] accepts
// issuers that nobody configured, and bounds what they cost.
//
// # Errors
//
// Whatever is refused gives a [*Refusal] that wraps one of the errors below; find
// out which with [errors.Is]. [Authenticator.Refuse] answers a request with it:
// 401 for a bad token, 400 for a malformed request, 403 for what the caller may not
// do, and 503 with Retry-After where nothing is known of the token, because the
// issuer's keys or the revocations cannot be had. [Answer] and [CloseCode] are for
// answers outside HTTP. None of them holds the token.
//
// # Live connections
//
// A connection that outlives its request holds a [Session], from
// [Authenticator.NewSession], which ends when the token would no longer be
// accepted: when it expires, and when a revocation, a logout or a change of the
// issuer's keys withdraws it. [Session.Renew] puts it under a new token.
//
// # Taking tokens back
//
// [Authenticator.Revoke] withdraws tokens, and [Authenticator.LogoutHandler] does so
// at the issuer's word. [Config.Revocations] shares revocations between the servers
// of a cluster, and [Config.RevocationDir] keeps those of a single one, or those that wait
// to be shared.
//
// # Outages
//
// New contacts nobody, and keys that cannot be refreshed serve for 24 hours.
// [Config.KeyCacheDir] keeps them over a restart, [Config.KeepWarm] has them fetched
// before the first token comes, [Authenticator.Ready] waits for them, and
// [Authenticator.Keys] reports on them.
package oidcauth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/bound"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/internal/tokencache"
	"github.com/oidcauth/oidcauth/internal/verify"
	"github.com/oidcauth/oidcauth/internal/watch"
	"github.com/oidcauth/oidcauth/possession"
)

// An Authenticator decides whether a token is accepted and what it says. It is
// safe for concurrent use. Call [Authenticator.Close] when it is no longer needed.
// One that [New] did not make, the zero value or nil, accepts nothing and is like one
// that was closed: see [ErrClosed].
type Authenticator struct {
	*trusted
	watch         *watch.Watch  // nil where nobody observes
	found         *finder       // nil unless Config.FindIssuer is set
	anyone        *anyone       // nil unless Config.AnyIssuer is set
	keyConfig     Config        // what of it key sets are made by
	leeway        time.Duration // for issuers that have none of their own
	maxTokenBytes int
	extract       Extractor // nil for the Authorization header alone
	metadataURL   string
	proxies       []netip.Prefix
	writeRefusal  func(http.ResponseWriter, *http.Request, error) // nil for the package's own words
	logger        *slog.Logger
	clock         func() time.Time          // the program's; nil for time.Now
	cache         *tokencache.Cache[Claims] // nil, and empty for ever, when switched off
	env           *verify.Env               // of the checks
	dpop          *dpop.Verifier            // nil if no proofs by keys are accepted
	certificate   func(*http.Request) (*x509.Certificate, error)
	nonces        bound.Nonces[*Session] // that sessions gave out
	evaluations   sync.Pool
	maxLifetime   time.Duration // of a token; zero for no limit
	sessions      *sessionIndex
	revocations   *revoked.List
	follower      *revoked.Follower // nil where revocations are in memory alone
	logouts       revoked.Uses      // logout tokens that were used here
	tickets       ticket.Ledger     // that were used here, whichever local issuer of their issuer's name sold them
	clients       fetchClients
	closed        atomic.Bool
}

// New checks cfg and makes an Authenticator from it. It makes no request: an
// issuer is asked for its keys when its first token arrives, or when
// [Authenticator.Ready] is called, or with [Config.KeepWarm] in the background right
// afterwards. The error names the first field that is wrong, or of the first issuer that is
// wrong each, with what it has and what to write.
func New(cfg Config) (*Authenticator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	a := &Authenticator{
		trusted:       new(trusted),
		leeway:        cfg.leeway(),
		maxTokenBytes: cfg.maxTokenBytes(),
		extract:       cfg.Extract,
		metadataURL:   cfg.ResourceMetadataURL,
		proxies:       slices.Clone(cfg.Proxies),
		writeRefusal:  cfg.WriteRefusal,
		logger:        panics.Logger(cfg.Logger),
		clock:         cfg.Now,
		maxLifetime:   cfg.MaxTokenLifetime,
		dpop:          cfg.DPoP,
		certificate:   cfg.Certificate,
	}
	a.watch = watch.New(cfg.Trace, a.logger)
	a.cache = tokencache.New[Claims](cfg.cacheBytes(), a.now)
	a.evaluations.New = func() any { return new(verify.Evaluation) }
	a.env = a.newEnv(cfg)
	a.sessions = newSessionIndex(a.now)
	a.sessions.ask = a.askSoon
	a.sessions.expired = func(c *Claims, now time.Time) error {
		return verify.CheckUnexpired(&c.record, c.trust.Leeway, now)
	}
	a.revocations = a.newRevocations(cfg)
	if err := a.trustFirst(cfg); err != nil {
		a.Close()
		return nil, err
	}
	if cfg.Revocations == nil && cfg.RevocationDir == "" {
		return a, nil
	}
	if err := a.follow(cfg); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// trustFirst makes the trust in the issuers that the configuration has.
func (a *Authenticator) trustFirst(cfg Config) (err error) {
	if a.clients, err = newFetchClients(cfg.Client); err != nil {
		return fmt.Errorf("oidcauth: Config.Client: %w", err)
	}
	a.keyConfig = Config{KeepWarm: cfg.KeepWarm, KeyCacheDir: cfg.KeyCacheDir}
	a.issuers.Store(new(issuerTable))
	a.trusted.now, a.trusted.good, a.trusted.answer, a.trusted.logger = a.claimsNow, a.goodNow, a.answerAbout, a.logger
	a.trusted.counts = a.countsNow
	if cfg.FindIssuer != nil {
		a.found = a.newFinder(cfg)
	}
	if cfg.AnyIssuer != nil {
		if a.anyone, err = a.newAnyone(cfg); err != nil {
			return err
		}
	}
	return a.SetIssuers(cfg.Issuers...)
}

// Authenticate verifies a token and returns its claims. A refused token gives a
// [*Refusal] that wraps one of the package's sentinel errors: that of the first
// check that failed, in the order form, issuer, algorithm, key, signature,
// times, audience, type, subject, claims, rules, revocation, and, where
// [Issuer.Supplement] is asked, supplement and all rules. Of an opaque token
// introspection takes the place of algorithm, key and signature.
//
// It waits only when the token's issuer or key is not known yet, or when
// [Issuer.Introspect], [Issuer.Supplement] or a store of proofs is asked, and then no
// longer than ctx permits; that wait's end is [ErrKeysUnavailable], or
// [ErrAnswerUnavailable], and [ErrUnknownIssuer] for a stranger's issuer that has not
// answered yet ([AnyIssuer]).
//
// With [Config.DPoP] or [Config.Certificate] it then checks, at each use, that what
// the token is bound to was proved ([ErrProof]), by what possession.NewContext has put
// into ctx. A proof by a key is good once.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (*Claims, error) {
	if !a.isMade() || ctx == nil {
		return nil, a.misused(ctx)
	}
	if a.watch.Decides() {
		return a.decideWatched(ctx, false, func() (*Claims, bool, error) { return a.authenticate(ctx, token) })
	}
	c, _, err := a.authenticate(ctx, token)
	return c, err
}

// isMade reports whether New made the Authenticator.
func (a *Authenticator) isMade() bool { return a != nil && a.trusted != nil }

// misused returns what is wrong with a call that can never be right, or nil.
func (a *Authenticator) misused(ctx context.Context) error {
	switch {
	case !a.isMade():
		return refusal.New(refusal.Request, ErrClosed, "an Authenticator that was not made by New", "one of New")
	case ctx == nil:
		return refusal.New(refusal.Request, ErrMalformedRequest, "a nil context", "one that ends, or context.Background()")
	}
	return nil
}

// usable returns what is wrong with any call, or that the Authenticator was closed.
func (a *Authenticator) usable(ctx context.Context) error {
	if err := a.misused(ctx); err != nil {
		return err
	}
	if a.closed.Load() {
		return refusal.New(refusal.Key, ErrClosed, "", "")
	}
	return nil
}

// authenticate also tells whether the token was verified before.
func (a *Authenticator) authenticate(ctx context.Context, token string) (c *Claims, remembered bool, err error) {
	c, remembered, err = a.judged(ctx, token)
	if err != nil || !a.env.Proves.Any() {
		return c, remembered, err
	}
	c, err = a.confirmIn(ctx, c, token)
	return c, remembered, err
}

// confirmIn is confirm for a token that came without a request. It is apart so that no
// use of a bearer token alone needs the stack for it.
//
//go:noinline
func (a *Authenticator) confirmIn(ctx context.Context, c *Claims, token string) (*Claims, error) {
	return a.confirm(ctx, c, presentedIn(ctx, token))
}

// confirm returns the claims of a token, once what it is bound to is proved: those of
// a bearer token themselves, and else a copy that is this use's own.
func (a *Authenticator) confirm(ctx context.Context, c *Claims, p bound.Presented) (*Claims, error) {
	if c.record.Confirmation != nil {
		p.Bearer = string(c.record.Identity[:])
	}
	proved, err := bound.Check(ctx, a.dpop, c.record.Confirmation, p)
	if err != nil {
		return nil, c.refused(err)
	}
	if proved == nil {
		return c, nil
	}
	return a.goodNow(ctx, c.having(proved.Proved))
}

// goodNow returns claims that were found good as they are good now. A log that is asked
// whether a proof or a ticket was used before takes its time, in which much can happen.
func (a *Authenticator) goodNow(ctx context.Context, c *Claims) (now *Claims, err error) {
	err = a.anew(func() (err error) {
		if now, err = a.claimsNow(c); err != nil {
			return err
		}
		if now.current(time.Now()) {
			return a.verdictNow(now)
		}
		now, err = a.resupply(ctx, now)
		return err
	})
	if err != nil {
		return nil, c.refused(err)
	}
	return now, nil
}

// refused says whose the claims are that are refused.
func (c *Claims) refused(err error) error {
	return refusal.OfBearer(err, refusal.Bearer{Issuer: c.record.Issuer, Subject: c.record.Subject, Configured: c.trust.configuredAs()})
}

// presentedIn returns what came with a token that came without a request.
func presentedIn(ctx context.Context, token string) bound.Presented {
	p, _ := possession.FromContext(ctx)
	return bound.Presented{Proof: p, Token: token}
}

// judged is authenticate, but for the proof of what the token is bound to.
func (a *Authenticator) judged(ctx context.Context, token string) (c *Claims, remembered bool, err error) {
	now := a.now()
	if c := a.remembered(token, now); c != nil {
		return c, true, nil
	}
	c, err = a.verify(ctx, token, now)
	return c, false, err
}

// decideWatched has a token judged, and tells the program's hook how that went. Where it
// is optional, a request without one is refused by nobody.
func (a *Authenticator) decideWatched(ctx context.Context, optional bool, decide func() (*Claims, bool, error)) (*Claims, error) {
	start := time.Now()
	c, remembered, err := decide()
	if optional && errors.Is(err, ErrNoToken) {
		a.watch.Anonymous(ctx, start)
		return c, err
	}
	issuer := refusal.BearerOf(err).Configured
	if err == nil {
		issuer = c.trust.configuredAs()
	}
	a.watch.Decided(ctx, start, issuer, remembered, err)
	return c, err
}

// tries is how often a token is judged while the issuers change.
const tries = 4

// verify evaluates a token and remembers it if it is good. Where the issuers have
// changed meanwhile, the token is judged by those of now: it may have failed only
// because the keys of the former ones were let go of.
func (a *Authenticator) verify(ctx context.Context, token string, now time.Time) (*Claims, error) {
	if err := a.usable(ctx); err != nil {
		return nil, err // before the token's own faults: they were not looked for to the end
	}
	epoch := a.epoch.Load()
	if c := a.outdated(token, now); c != nil {
		c, err := a.resupply(ctx, c)
		if err == nil || err != error(errChanged) && a.epoch.Load() == epoch {
			return c, err
		}
	}
	var c *Claims
	err := a.anew(func() (err error) {
		if c, err = a.evaluate(ctx, token, now); err == nil {
			err = a.stillGood(c)
		}
		if err == nil && !a.current(c.trust) {
			err = errChanged
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.accepted(token, c)
	return c, nil
}

// stillGood refuses claims that were good as their token came, and are not now that keys,
// or an answer, may have been waited for.
func (a *Authenticator) stillGood(c *Claims) error {
	if c.supplied != nil || c.answered != nil {
		// A question takes its time, in which much can happen.
		return a.verdictNow(c)
	}
	return verify.CheckUnexpired(&c.record, c.trust.Leeway, a.now())
}

// verdictNow is verdict under the key that stands for the claims' own, also where that
// gives its place to another meanwhile.
func (a *Authenticator) verdictNow(c *Claims) error {
	for {
		k := c.currentKey()
		err := a.verdict(c, k, a.now())
		if err == nil || c.currentKey() == k {
			return err
		}
	}
}

// anew judges, and judges anew where the issuers have changed meanwhile: what failed may
// have failed only because the keys of the former ones were let go of.
func (a *Authenticator) anew(judge func() error) error {
	for try := 1; ; try++ {
		epoch := a.epoch.Load()
		err := judge()
		if err == nil {
			return nil
		}
		lost := err == error(errChanged) || errors.Is(err, ErrClosed) && !a.closed.Load() // with its description
		changed := lost || a.epoch.Load() != epoch
		if changed && try < tries {
			continue
		}
		if lost {
			return changesAlways()
		}
		return err
	}
}

// changesAlways is the refusal of a token that could not be judged by one description.
func changesAlways() error {
	return refusal.New(refusal.Issuer, ErrKeysUnavailable, "an issuer whose description changes all the time", "").After(time.Second)
}

// accepted takes account of a token that was verified.
func (a *Authenticator) accepted(token string, c *Claims) {
	a.remember(token, c)
	if s := c.trust.strangers; s != nil {
		s.Accepted(c.trust.URL, c.trust.Keys)
	}
}

// remember keeps the claims of a token that was verified, and notes that one was.
func (a *Authenticator) remember(token string, c *Claims) {
	c.trust.sessionIDs.note(c)
	if c.answered != nil && !a.supersedes(token, c) {
		return
	}
	a.cache.Put(token, c, c.size(), a.end(c), c.owner())
}

// remembered returns the claims of a token that was verified before and would be
// verified again now, or nil.
func (a *Authenticator) remembered(token string, now time.Time) *Claims {
	if c, found := a.cache.Get(token); found && a.verdict(c, c.key, now) == nil && c.current(a.keyTime(now)) {
		return c
	}
	return nil
}

// answerAbout returns what was supplied about a token, if that is accepted now and nobody
// has to be asked again. What its issuer answers about an opaque token may make another
// caller of it, of whom nothing is known: only what was supplied by the same answer counts.
func (a *Authenticator) answerAbout(c *Claims, token string) *supplied {
	kept := a.remembered(token, a.now())
	if kept == nil || kept.trust != c.trust || !kept.answered.isSame(c.answered) {
		return nil
	}
	return kept.supplied
}

// outdated returns the claims of a token that is accepted, but for the age of what
// was supplied about it, or nil.
func (a *Authenticator) outdated(token string, now time.Time) *Claims {
	c, found := a.cache.Get(token)
	if !found || c.supplied == nil || c.answered != nil || a.verdict(c, c.key, now) != nil {
		return nil
	}
	return c
}

// goodBefore reports whether an opaque token was found good, and not otherwise since.
func (a *Authenticator) goodBefore(token string) bool {
	c, found := a.cache.Get(token)
	return found && c.answered != nil && c.answered.refused() == nil
}

// noLongerGood notes that an opaque token was refused.
func (a *Authenticator) noLongerGood(e *verify.Evaluation, err error) {
	if c, found := a.cache.Get(e.Raw); found && c.answered != nil {
		c.answered.learn(c.toldBy(e, err))
	}
}

// toldBy returns what an evaluation of the same opaque token, which has failed, says of
// claims that were good before: where it was not judged to the end, that they are
// another caller's by the answer of now.
func (c *Claims) toldBy(e *verify.Evaluation, err error) error {
	next, answered := e.Whole.(*Claims)
	if !answered || next.record.Identity == (Identity{}) || refusal.Find(err).Status < http.StatusInternalServerError {
		return err
	}
	if other := next.isCallerOf(c); other != nil {
		return other
	}
	return err
}

// supersedes reports whether an answer about an opaque token takes the place of what was
// answered before, which it does unless that is the later one. If the token has become
// another caller's, all that rests on the former answer learns of it, and else of what is
// learned of this one. Nobody else has the claims yet.
func (a *Authenticator) supersedes(token string, c *Claims) bool {
	was, found := a.cache.Get(token)
	if !found || was.answered == nil {
		return true
	}
	other := c.isCallerOf(was)
	if other == nil {
		c.answered.follows(was.answered)
	}
	if was.trust == c.trust && was.answered.asked.After(c.answered.asked) {
		return false
	}
	if other != nil {
		was.answered.learn(other)
	}
	return true
}

// strangerOf says who asks about an opaque token, and is nil for one that was found good
// before: nobody asks about that for the sake of asking.
func (a *Authenticator) strangerOf(ctx context.Context, e *verify.Evaluation, line *strangers.Line) *supplement.Stranger {
	if e.Known || a.goodBefore(e.Raw) {
		return nil
	}
	return &supplement.Stranger{Caller: callerAddrOf(ctx), Line: line}
}

// end returns when claims are accepted no longer, or the zero time for never.
func (a *Authenticator) end(c *Claims) time.Time {
	if c.record.NeverExpires {
		return time.Time{}
	}
	return c.Expiry().Add(c.trust.Leeway)
}

// verdict returns nil if claims once verified would be verified again now, and
// otherwise the refusal. What can change between two uses of a token is checked
// at each, in the order of the checks. The key is the claims' own or the one
// that stands for it now.
func (a *Authenticator) verdict(c *Claims, k *keyset.Key, now time.Time) error {
	if !a.current(c.trust) {
		return errChanged
	}
	if c.answered == nil && !k.Live(a.keyTime(now)) {
		return a.deadKey(c, k)
	}
	if c.answered == nil && !c.trust.Allows(k, c.record.HasKeyID) {
		return unnamedKey(k)
	}
	if err := verify.CheckUnexpired(&c.record, c.trust.Leeway, now); err != nil {
		return err
	}
	if err := verify.CheckBegun(&c.record, c.trust.Leeway, now); err != nil {
		return err
	}
	if err := c.trust.checkRules(c); err != nil {
		return err
	}
	return a.checkRevoked(c, k, now)
}

// keyTime returns the time that keys age by, of which [Config.Now] knows nothing.
func (a *Authenticator) keyTime(now time.Time) time.Time {
	if a.clock != nil {
		return time.Now()
	}
	return now
}

// now returns the time that token times are compared with.
func (a *Authenticator) now() time.Time {
	if a.clock == nil {
		return time.Now()
	}
	return a.clock()
}

// evaluate runs all checks on a token.
func (a *Authenticator) evaluate(ctx context.Context, token string, now time.Time) (*Claims, error) {
	e := a.evaluations.Get().(*verify.Evaluation)
	defer func() {
		e.Reset()
		a.evaluations.Put(e)
	}()
	e.Begin(a.env, token, now)
	if err := e.RunAll(ctx); err != nil {
		if e.IsOpaque() {
			a.noLongerGood(e, err)
		}
		return nil, ofBearer(err, e)
	}
	return e.Whole.(*Claims), nil
}

// ofBearer notes with a refusal whose token it is of, as far as that is known.
func ofBearer(err error, e *verify.Evaluation) error {
	if e.Trust == nil || err == error(errChanged) {
		return err
	}
	b := refusal.Bearer{Configured: e.Trust.Owner.(*trust).configuredAs()}
	if e.Signed() {
		b.Issuer, b.Subject = e.Bearer()
	}
	return refusal.OfBearer(err, b)
}

// newEnv says what the checks ask of the Authenticator.
func (a *Authenticator) newEnv(cfg Config) *verify.Env {
	return &verify.Env{
		MaxBytes: cfg.maxTokenBytes(), Leeway: cfg.leeway(), MaxLifetime: cfg.MaxTokenLifetime,
		Proves: policy.Methods{Key: cfg.DPoP != nil, Certificate: cfg.Certificate != nil},
		Find:   a.find,
		FindOpaque: func(token string) *verify.Trust {
			if t := a.issuers.Load().opaqueOf(token); t != nil {
				return &t.Trust
			}
			return nil
		},
		Issuers:  a.describeIssuers,
		Supplied: func(e *verify.Evaluation) string { return e.Whole.(*Claims).describeSupplement() },
		New:      newRecord,
		Rules: func(e *verify.Evaluation) error {
			c := claimsOf(e)
			if err := c.trust.checkSupplied(c); err != nil {
				return err
			}
			return c.trust.checkRules(c)
		},
		RuleCount: func(t *verify.Trust) int { return len(t.Owner.(*trust).functions.Load().rules) },
		Revoked: func(e *verify.Evaluation) error {
			c := claimsOf(e)
			return a.checkRevoked(c, c.key, e.Now)
		},
	}
}

// Ready fetches the keys of every configured issuer that has none yet, of 128 at a time,
// and returns nil when all have. A token does not stand behind that. It returns when ctx
// ends at the latest, with [ErrKeysUnavailable] and the names of the issuers that are
// missing. It waits, too, until [Config.Revocations] has been read or cannot be had, and
// returns [ErrRevocationsUnavailable] where it is not known completely then, with
// [ErrRevocationWaits] while revocations of this process wait to be shared that are not
// over, and all of them if all are so; after Close, [ErrClosed]. Where
// [Authenticator.SetIssuers] is called meanwhile, it is about the issuers since then. A
// server need not wait for it: it accepts the tokens of each issuer as soon as that
// issuer's keys are there.
func (a *Authenticator) Ready(ctx context.Context) error {
	if err := a.usable(ctx); err != nil {
		return err
	}
	var missing []error
	for table := (*issuerTable)(nil); table != a.issuers.Load(); {
		table = a.issuers.Load()
		missing = table.fetchKeys(ctx)
	}
	behind := a.follower.Ready(ctx)
	if err := a.usable(ctx); err != nil {
		return err // closed meanwhile
	}
	if len(missing) == 0 {
		return behind
	}
	refused := refusal.Because(refusal.Key, ErrKeysUnavailable, errors.Join(missing...))
	if behind != nil {
		return errors.Join(refused, behind)
	}
	return refused
}

// fetchKeys waits for the keys of all issuers, and returns why some are missing.
func (t *issuerTable) fetchKeys(ctx context.Context) []error {
	places := t.needed()
	missing := make([]error, len(places))
	var wg sync.WaitGroup
	for i, p := range places {
		wg.Go(func() {
			if err := p.set.ReadyInTurn(ctx); err != nil {
				missing[i] = fmt.Errorf("%q: %w", p.at.URL, err)
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(missing, func(err error) bool { return err == nil })
}

// Unready returns the [Issuer.URL] of every configured issuer whose keys are not in
// hand at present. It neither waits nor fetches: [Authenticator.Ready] does, and
// [Config.KeepWarm] has it done. Without either, a server that gets no token before it is
// ready never is, and is not again when it had none for a day. One issuer of several
// that is missing says nothing of the others' callers. Whether the revocations are known
// that [Config.RequireRevocations] demands is not in it.
func (a *Authenticator) Unready() []string {
	unready := []string{}
	if !a.isMade() {
		return unready
	}
	seen := make(map[string]bool)
	for _, p := range a.issuers.Load().needed() {
		if !p.set.InHand() && !seen[p.at.URL] {
			seen[p.at.URL] = true
			unready = append(unready, p.at.URL)
		}
	}
	return unready
}

// Close ends all sessions, and then all background work, for which it waits. Tokens
// are refused with [ErrClosed] as soon as it begins. It may be called more than once. An
// error says how many revocations were not shared: [ErrRevocationWaits] if they
// wait in [Config.RevocationDir] for the next start, [ErrRevocationNotShared] if
// any of them is lost. It is an error, too, if that directory was moved away: the next start
// does not find what it keeps.
func (a *Authenticator) Close() error {
	if !a.isMade() {
		return nil
	}
	a.closed.Store(true)
	// No revocation arrives any more, so that no token may pass and no session live:
	// neither while the log, or whoever is asked about tokens, takes its time to stop.
	a.revocations.Close()
	a.sessions.close(refusal.New(refusal.Key, ErrClosed, "", ""))
	unshared := a.follower.Close()
	a.closeIssuers()
	a.cache.DeleteFunc(func(*Claims) bool { return true })
	a.watch.Close()
	return unshared
}

// closeIssuers lets go of the keys of all issuers, once nobody changes them, and waits
// for those who are asked about tokens, for all at the same time: where one does not
// return when it is told to, the others may not either. Whoever closes at the same time
// does not stand behind that wait.
func (a *Authenticator) closeIssuers() {
	a.clients.writers.Hurry() // before anything is let go of that stands in line
	var asked sync.WaitGroup
	for _, t := range append(a.found.close(), a.letGo()...) {
		asked.Go(t.asker.Close)
		asked.Go(t.questions.close)
	}
	asked.Wait()
	a.clients.closeIdle()
}

// letGo ends what is done for all issuers, and returns them.
func (a *Authenticator) letGo() []*trust {
	a.changing.Lock()
	defer a.changing.Unlock()
	if a.anyone != nil {
		a.anyone.issuers.Close()
	}
	table := a.issuers.Load()
	if table == nil {
		return nil
	}
	table.closeBut(new(issuerTable))
	return table.order
}

// Explain runs the checks of [Authenticator.Authenticate] on a token and reports
// each of them. Where it can, it goes on after a failure, so that one report
// shows everything there is to mend; the first failure is the one that counts.
// Like Authenticate it may fetch the issuer's keys.
func (a *Authenticator) Explain(ctx context.Context, token string) explain.Report {
	if err := a.misused(ctx); err != nil {
		return verify.ReportMisuse(err)
	}
	var report explain.Report
	_ = a.anew(func() error {
		var e verify.Evaluation
		e.Begin(a.env, token, a.now())
		report = e.Explain(ctx)
		return report.Err
	})
	return report
}
