package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/byvalue"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/internal/roster"
	"github.com/oidcauth/oidcauth/internal/supplement"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// SetIssuers replaces the issuers of [Config.Issuers], or those of the last call,
// while the server runs. It takes all of them or, with an error, none: then nothing
// has changed. Like [New] it makes no request itself. Calls of the Authenticator that begin
// after it has returned see these issuers alone; one that is under way may be
// decided by those before. With none, no token is accepted but those of
// [Config.FindIssuer] and [Config.AnyIssuer].
//
// Descriptions that say the same as before, value by value, keep everything: keys,
// the cache, sessions. One with functions ([Issuer.Rules]) cannot be compared and
// counts as changed, but for [Issuer.Introspect] where it is the same function value as
// before: then the answers are kept, too. A changed one keeps its keys if they come from
// where they came from. What its tokens were found to be before no longer counts: they are verified
// anew, and each live session under them is judged before SetIssuers returns. It
// goes on under claims by the new description, with roles that may be others, or
// ends with the refusal of the first check that its token does not pass, or with
// [ErrIdentityMismatch] if it would now be another's, or with [ErrKeysUnavailable] if
// the keys come from elsewhere and are not in hand yet. Sessions of an issuer that is
// gone end with [ErrUnknownIssuer]. What [Issuer.Supplement] gave about a session's token
// counts for as long as AnswerAge says, also where that is another function now; where
// there was none before, the sessions end with [ErrAnswerUnavailable], because nobody kept
// the tokens that it would be asked about, and clients come back. A call that runs goes on
// with the roles that it began with, unless its session ends.
//
// Revocations, logouts and used tickets are known by the issuer's name and stay: an
// issuer that is removed and added again revives nothing.
//
// It may be called at any time, by several goroutines too, but not from a [Rule],
// [Config.FindIssuer], a [KeySource] or a hook of [Config.Trace]. After
// [Authenticator.Close] it returns [ErrClosed].
func (a *Authenticator) SetIssuers(issuers ...Issuer) error {
	if err := a.misused(context.Background()); err != nil {
		return err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if a.closed.Load() {
		return refusal.New(refusal.Issuer, ErrClosed, "", "")
	}
	a.nameIssuers(issuers)
	next := new(issuerTable)
	err := a.fillTable(next, a.issuers.Load(), issuers)
	if err != nil {
		a.nameIssuers(nil)
		return err
	}
	a.longestLife() // of those that may be gone in a moment
	before := a.issuers.Swap(next)
	for _, t := range next.order {
		t.Keys.Adjust(t.described.Aliases, next.reusesKeyIDs(t))
	}
	a.changed(before, next)
	next.tell()
	if a.keyConfig.KeepWarm {
		next.warm()
	}
	return nil
}

// nameIssuers says whose names hooks may be told: also of those that are on their way
// out or in.
func (a *Authenticator) nameIssuers(next []Issuer) {
	if a.watch == nil {
		return
	}
	var names, now []string
	for n := range next {
		names = append(names, next[n].URL)
	}
	for _, t := range a.issuers.Load().order {
		now = append(now, t.URL)
	}
	a.watch.Names(now, names)
}

// fillTable puts valid descriptions into the next table: for what says the same as in
// the table of now, the trust that stands there. With an error nothing is left of it.
func (a *Authenticator) fillTable(next, now *issuerTable, issuers []Issuer) error {
	issuers = byvalue.Clone(issuers)
	placed, places, err := arrange(issuers)
	if err != nil {
		return err
	}
	if err := checkPrefixes(issuers); err != nil {
		return err
	}
	for i := range issuers {
		t, err := a.trustOf(issuers[i], places[i], now, next)
		if err != nil {
			next.closeBut(now)
			return err
		}
		next.order = append(next.order, t)
		next.functions = append(next.functions, issuers[i].functions())
		if t.Opaque {
			next.opaque = append(next.opaque, t)
		}
		next.Add(&placed[i], &t.Trust)
	}
	slices.SortFunc(next.opaque, func(a, b *trust) int { return strings.Compare(a.described.OpaquePrefix, b.described.OpaquePrefix) })
	return nil
}

// same reports whether two descriptions say the same, and so have one trust. Functions
// cannot be compared: what is found anew has others each time, and keeps what it is but
// for those. Whom to ask about opaque tokens is the same where it is the very same
// function: it decides nothing by itself, and an answer counts for AnswerAge.
func (t *issuerTable) same(a, b Issuer) bool {
	if t.found && sameButFunctions(a, b) {
		return true
	}
	if byvalue.SameFunc(a.Introspect, b.Introspect) {
		a.Introspect, b.Introspect = nil, nil
	}
	return byvalue.Equal(a, b)
}

// arrange checks the descriptions, each and together, and places them.
func arrange(issuers []Issuer) ([]roster.Description, []roster.Place, error) {
	placed := make([]roster.Description, len(issuers))
	for n := range issuers {
		i := &issuers[n]
		if err := i.validate(); err != nil {
			return nil, nil, err
		}
		placed[n] = roster.Description{URL: i.URL, Aliases: i.Aliases, Name: i.Name, Prefix: i.SubjectPrefix}
		if i.TenantClaim != "" {
			placed[n].Match = i.policy().Tenants.Match
		}
	}
	places, err := roster.Arrange(placed, func(i, j int) bool { return issuers[i].sameSubjects(&issuers[j]) })
	if err != nil {
		err = fmt.Errorf("oidcauth: %w", err)
	}
	return placed, places, err
}

// sameSubjects reports whether a subject by the one description is the same caller
// as by the other.
func (i *Issuer) sameSubjects(other *Issuer) bool {
	return byvalue.Equal(i.keysAt(), other.keysAt()) && byvalue.Equal(i.Subject, other.Subject) && byvalue.Equal(i.SubjectElse, other.SubjectElse) &&
		i.NumericSubject == other.NumericSubject
}

// trustOf returns the trust by a description that is the next of those in a table:
// that of now, if it says the same and none is before it that was not, or a new one,
// with keys that are in use already if they come from the same place.
func (a *Authenticator) trustOf(i Issuer, around roster.Place, now, next *issuerTable) (*trust, error) {
	if i.Bound == policy.BoundRequired && !a.env.Proves.Any() {
		return nil, fmt.Errorf("oidcauth: issuer %q: Bound is %q, and neither Config.DPoP nor Config.Certificate is set", i.URL, i.Bound)
	}
	var open []*keyPlace
	before := next.Named(i.URL)
	for _, known := range slices.Concat(now.Named(i.URL), before) {
		t := known.Owner.(*trust)
		if t.around.Equal(around) && next.same(t.described, i) && t.follows(before) {
			return t, nil
		}
		open = append(open, t.keys)
	}
	p, err := a.openKeys(i, open, next.found)
	if err != nil {
		return nil, err
	}
	t := newTrust(i, a.leeway, p, around)
	t.askBy(i, a.maxTokenBytes, a.logger)
	t.introspectBy(i.Introspect, a.strangerOf, a.maxTokenBytes, a.logger)
	t.of, t.before = a.trusted, slices.Clone(before)
	a.lives.mu.Lock()
	a.lives.leeway = max(a.lives.leeway, t.Leeway)
	a.lives.mu.Unlock()
	return t, nil
}

// openKeys returns the place that the description names: one of those that are
// open, or a new one. Those of an issuer that was found are no configured one's, also where
// it is configured while they are held.
func (a *Authenticator) openKeys(i Issuer, open []*keyPlace, found bool) (*keyPlace, error) {
	at := i.keysAt()
	for _, p := range open {
		if byvalue.Equal(p.at, at) {
			return p, nil
		}
	}
	client, own, err := a.clients.choose(&i.Keys, i.URL)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: issuer %q: Keys: %w", i.URL, err)
	}
	name := i.URL
	if found {
		name = ""
	}
	watched := a.watch.Keys(name)
	set, source, err := a.newKeySet(a.keyConfig, i, client, watched)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: issuer %q: %w", i.URL, err)
	}
	if !i.Keys.fetched() {
		watched.Known()
	}
	return &keyPlace{at: at, set: set, source: source, order: new(verify.Order), client: own, watched: watched, logger: a.logger}, nil
}

// changed has all that was decided by former descriptions decided anew, and lets go
// of the keys that nobody trusts any more.
func (a *Authenticator) changed(before, now *issuerTable) {
	a.epoch.Add(1)
	a.moveSessions()
	a.forgetTokens()
	a.letGoOf(before, now)
}

// moveSessions has all live sessions go on by the descriptions of now, or end.
func (a *Authenticator) moveSessions() {
	for g := range a.sessions.all() {
		a.moveGrant(g)
	}
}

// moveSessionsOf is moveSessions for those under tokens of one issuer, by the name that
// its claims have.
func (a *Authenticator) moveSessionsOf(issuer string) {
	for g := range a.sessions.list(a.sessions.hash(issuer), byIssuer) {
		a.moveGrant(g)
	}
}

// forgetTokens lets go of what tokens were found to be by former descriptions.
func (a *Authenticator) forgetTokens() {
	a.cache.DeleteFunc(func(c *Claims) bool { return !a.current(c.trust) })
}

// letGoOf lets go of what one table has and another has not, and of strangers' issuers
// that are no longer any.
func (a *Authenticator) letGoOf(before, now *issuerTable) {
	if a.anyone != nil {
		a.anyone.issuers.Drop(func(name string) bool { return a.issuers.Load().Find(name) != nil || a.found.knows(name) })
	}
	before.closeBut(now)
}

// current reports whether tokens that were verified by a description may be accepted
// without a look at the others: whether it still decides about them. It is asked at
// each use, and costs two readings unless something has changed since the last.
func (a *Authenticator) current(t *trust) bool {
	epoch := a.epoch.Load()
	return t.seen.Load() == epoch || a.stillCurrent(t, epoch)
}

// stillCurrent looks whether the description has its place. The epoch was read before.
func (a *Authenticator) stillCurrent(t *trust, epoch uint64) bool {
	table := a.issuers.Load()
	switch {
	case t.strangers == nil && t.foundAs == "":
		if !slices.Contains(table.Named(t.URL), &t.Trust) {
			return false
		}
	case slices.ContainsFunc(t.Names, func(name string) bool { return table.Find(name) != nil }):
		return false // somebody was configured by the name
	case t.foundAs != "" && !a.found.holds(t):
		return false
	case t.strangers != nil && a.found.knows(t.URL):
		return false
	}
	t.seen.Store(epoch)
	return true
}

// errChanged is the refusal of a token that is to be judged by other descriptions.
var errChanged = refusal.New(refusal.Issuer, ErrUnknownIssuer, "an issuer that was described otherwise", "")

// atOnce is a context that ends every wait before it begins.
var atOnce = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the issuer's description has changed, and its keys are not in hand yet"))
	return ctx
}()

// judgeAgain judges claims by the descriptions of now, as Authenticate would judge
// their token, but for the signature: that was checked before, with the key that k
// stands for. It waits for requests no longer than ctx.
func (a *Authenticator) judgeAgain(ctx context.Context, c *Claims, k *keyset.Key) (next *Claims, err error) {
	err = a.anew(func() (err error) {
		if c.answered != nil {
			next, err = a.judgeAnswer(ctx, c)
		} else {
			next, err = a.judgeToken(ctx, c, k)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return next, nil
}

// judgeToken is judgeAgain for claims of a JWT, once.
func (a *Authenticator) judgeToken(ctx context.Context, c *Claims, k *keyset.Key) (*Claims, error) {
	e := new(verify.Evaluation)
	e.Begin(a.env, "", a.now())
	e.SetPayload(c.record.Payload)
	e.Whole.(*Claims).seller = c.seller
	e.Token.Algorithm = c.trust.Algorithms[c.record.Algorithm]
	if c.record.HasKeyID {
		e.Token.KeyID = jws.Named(k.ID())
	}
	if typ := c.Type(); typ != "" {
		e.Token.Type, e.Token.HasType = typ, true
	}
	var err error
	if e.Members, err = jws.ParseObject(nil, c.record.Payload); err != nil {
		return nil, verify.Malformed(err)
	}
	if err := e.Judge(ctx, func(context.Context) error { return e.Recognize(k) }); err != nil {
		return nil, err
	}
	next := claimsOf(e)
	next.record.Confirmation = next.record.Confirmation.WithProof(c.proved())
	return next.suppliedAs(c.supplied)
}

// judgeAnswer is judgeAgain for claims of an opaque token, once: by what was answered before,
// which counts for no longer than it did, nor than an answer does now.
func (a *Authenticator) judgeAnswer(ctx context.Context, c *Claims) (*Claims, error) {
	t := a.issuers.Load().opaqueOf(c.answered.token.Get())
	if t == nil {
		return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, "an opaque token that no issuer is asked about", a.describeIssuers())
	}
	e := new(verify.Evaluation)
	e.Begin(a.env, c.answered.token.Get(), a.now())
	if err := e.JudgeAnswer(ctx, &t.Trust, c.record.Payload, c.answered.asked); err != nil {
		return nil, err
	}
	next := claimsOf(e)
	next.answered.another = c.answered.another
	if next.answered.until.After(c.answered.until) {
		next.answered.until = c.answered.until
	}
	next, err := next.suppliedAs(c.supplied)
	if err == nil {
		next, err = a.soldBy(next, c.seller)
	}
	if err != nil {
		return nil, err
	}
	return next.having(c.proved()), nil
}

// sameCallerAs returns claims of the same token as others, that came as these did,
// unless they are another caller's, or not accepted now.
func (a *Authenticator) sameCallerAs(was, next *Claims) (*Claims, error) {
	if err := next.isCallerOf(was); err != nil {
		return nil, err
	}
	return a.soldBy(next, was.seller)
}

// isCallerOf refuses claims of an opaque token that are another caller's than those of
// the same token before, or that are bound to something else.
func (c *Claims) isCallerOf(was *Claims) error {
	if c.record.Identity != was.record.Identity {
		return refusal.New(refusal.Subject, ErrIdentityMismatch, refusal.Quote(c.record.Identity.String())+" by the issuer's answer of now", refusal.Quote(was.record.Identity.String()))
	}
	if !c.record.Confirmation.Equal(was.record.Confirmation) {
		return refusal.New(refusal.Possession, ErrProof, "a token that is bound to something else by the issuer's answer of now", "one that is bound as before")
	}
	return nil
}

// soldBy returns claims of an opaque token as one who sold a ticket for them gave them,
// unless they are not accepted now. Nil sold none.
func (a *Authenticator) soldBy(c *Claims, seller *revoked.Seller) (*Claims, error) {
	if seller != nil {
		c = c.copy(c.record, c.supplied) // without what was found of revocations
		c.seller = seller
	}
	return c, a.verdict(c, nil, a.now())
}

// suppliedAs returns claims with what was supplied before, which counts for no longer
// than it did, nor than an answer does now: nobody is asked here.
func (c *Claims) suppliedAs(before *supplied) (*Claims, error) {
	if c.trust.asker == nil {
		return c, nil
	}
	if before == nil {
		return nil, refusal.New(refusal.Supplement, ErrAnswerUnavailable, "a token that nobody was asked about", "")
	}
	if before.text != "" {
		if err := supplement.Check(before.text, c.trust.reserved()); err != nil {
			return nil, refusal.Because(refusal.Supplement, ErrAnswerUnavailable, err)
		}
	}
	again := *before
	if until := again.asked.Add(c.trust.answerAge); until.Before(again.until) {
		again.until = until
	}
	next := c.with(&again)
	if err := next.trust.checkSupplied(next); err != nil {
		return nil, err
	}
	return next, next.trust.checkRules(next)
}

// claimsNow returns claims that were verified as the descriptions of now have them.
func (a *Authenticator) claimsNow(c *Claims) (*Claims, error) {
	if a.current(c.trust) {
		return c, nil
	}
	return a.judgeAgain(atOnce, c, c.currentKey())
}

// sameCaller is judgeAgain, and refuses claims that would be another's now.
func (a *Authenticator) sameCaller(ctx context.Context, c *Claims, k *keyset.Key) (*Claims, error) {
	next, err := a.judgeAgain(ctx, c, k)
	if err != nil {
		return nil, err
	}
	if next.record.Identity != c.record.Identity {
		return nil, refusal.New(refusal.Subject, ErrIdentityMismatch, refusal.Quote(next.record.Identity.String())+" by the issuer's description of now", refusal.Quote(c.record.Identity.String()))
	}
	return next, nil
}

// moveGrant has the sessions of a grant go on by the descriptions of now, or end, if
// those that its claims were read by are former ones.
func (a *Authenticator) moveGrant(g *grant) {
	if a.current(g.claims.trust) {
		return
	}
	next, err := a.sameCaller(atOnce, g.claims, g.key.Load())
	if err != nil {
		a.sessions.end(g, err)
		return
	}
	for _, s := range a.sessions.shut(g) {
		s.exchange(g, next)
	}
}

// exchange puts the session under other claims, if it still lives by the grant.
func (s *Session) exchange(g *grant, c *Claims) {
	for {
		done, err := s.tryToLiveBy(c, g)
		switch {
		case done:
			return
		case err == error(errChanged):
			s.recheck() // nobody else does where what was found of the issuer has lapsed
			return
		case err != nil:
			s.end(err, g)
			return
		}
	}
}

// moveTrust is moveGrant for one session, whose claims were read by a former description.
func (s *Session) moveTrust(g *grant) {
	next, err := s.auth.sameCaller(atOnce, g.claims, g.key.Load())
	if err != nil {
		s.end(err, g)
		return
	}
	s.exchange(g, next)
}
