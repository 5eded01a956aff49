package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// defaultRevocationTime is how long a revocation is kept of tokens that nothing
// bounds the life of.
const defaultRevocationTime = 365 * 24 * time.Hour

// maxLogouts is how many logouts of an issuer are kept, as [Authenticator.LogoutHandler]
// says.
const maxLogouts = 1 << 16

// lastingYears is the same where tokens may never expire.
const lastingYears = 100

// newRevocations returns an empty list of revocations.
func (a *Authenticator) newRevocations(cfg Config) *revoked.List {
	l := revoked.NewList(revoked.Config{
		Now: a.now, Logger: a.logger, Incomplete: cfg.Revocations != nil && cfg.RequireRevocations,
		Revoked: a.newlyRevoked, Lost: a.endUnknown,
	})
	l.LimitLogouts(maxLogouts)
	return l
}

// follow keeps the revocations up to date with the log, until Close.
func (a *Authenticator) follow(cfg Config) (err error) {
	f := revoked.FollowerConfig{Dir: cfg.RevocationDir, Complete: a.completeShared}
	if cfg.Revocations != nil {
		f.Log = followedLog{cfg.Revocations}
	}
	a.follower, err = a.revocations.Follow(f)
	if err != nil {
		return fmt.Errorf("oidcauth: Config.RevocationDir: %w", err)
	}
	return nil
}

// Revoke withdraws the tokens that r matches: [Authenticator.Authenticate]
// refuses them with [ErrRevoked], and live sessions under them end, before
// Revoke returns. With [Config.Revocations] the other servers of the cluster
// follow; without, [Config.RevocationDir] keeps it, and where that is empty, too, it is
// lost with this process. If the log does not take the revocation at once, the error says so
// ([ErrRevocationsUnavailable], with the log's own), and it holds in this process
// all the same. It is shared later then: the log is tried again, after a second at first
// and then about once a minute, until it takes the revocation, or that is over, or the
// Authenticator is closed. Its other sentinels say what else to do:
//
//   - [ErrRevocationWaits]: nothing, with [Config.RevocationDir], from which it is
//     shared even after a restart. Without, it is lost with this process.
//   - [ErrRevocationNotWritten]: it waits, but not in that directory, and is lost
//     with this process. So it is where there is no log, until the disk takes it.
//   - [ErrRevocationNotShared]: 10,000 wait already, and it will not be shared. Logouts,
//     and what has IssuedBefore as they have, leave 625 places to others.
//
// To repeat Revoke is always right. It takes no further place: of revocations that
// differ in their times alone the one that covers the others waits.
//
// An empty revocation, one of an issuer and nothing else, which a value that was empty by
// mistake makes, one that ended in the past, one that names an unknown issuer (without
// [Config.AnyIssuer] and [Config.FindIssuer]) and one that JSON has no form for, with text
// that is not UTF-8 or a time beyond the year 9999, are errors ([ErrMalformedRequest]) and
// change nothing. All tokens of an issuer so far are those with IssuedBefore: time.Now(). Those
// to come are refused where IssuedBefore lies ahead, and for good by
// [Authenticator.SetIssuers] without that issuer. Nothing takes a revocation back before its
// Until, which a ban of somebody for good has to have: what it is without is for the tokens
// that there are.
func (a *Authenticator) Revoke(ctx context.Context, r Revocation) error {
	if err := a.misused(ctx); err != nil {
		return err
	}
	completed, err := a.completed(ctx, revoked.Revocation(r))
	if err != nil {
		return err
	}
	_, err = a.share(ctx, completed)
	return err
}

// completed checks a revocation and fills in what it leaves open.
func (a *Authenticator) completed(ctx context.Context, r revoked.Revocation) (revoked.Revocation, error) {
	if a.closed.Load() {
		return r, refusal.New(refusal.Revocation, ErrClosed, "", "")
	}
	if r.IsEmpty() {
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "an empty revocation", "what the tokens have in common")
	}
	if r.IsIssuerAlone() {
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "issuer "+refusal.Quote(r.Issuer)+" and nothing else",
			"a subject, session, token or key beside it, or IssuedBefore: time.Now() for all of its tokens so far")
	}
	if !r.IsWritable() {
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "a revocation that has no form in JSON", "text in UTF-8, and times of the years 0 to 9999 in UTC")
	}
	if err := a.nameIssuer(ctx, &r); err != nil {
		return r, err
	}
	now := a.now()
	if r.Until.IsZero() {
		r.Until = a.lastMatch(&r, now)
	}
	if !now.Before(r.Until) {
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "Until "+refusal.Time(r.Until), "later than "+refusal.Time(now))
	}
	return r.Normal(), nil
}

// nameIssuer gives a revocation the canonical name of its issuer, which must be one
// whose tokens may be accepted.
func (a *Authenticator) nameIssuer(ctx context.Context, r *revoked.Revocation) error {
	name, prefix, scoped := strings.Cut(r.Issuer, "|")
	known := a.issuers.Load().Find(name)
	if known == nil && name != "" {
		// Whatever the answer is: a name that the program does not know now may have
		// been known when the tokens were accepted.
		known, _ = a.found.find(ctx, name)
	}
	switch {
	case name == "" && !scoped:
		return nil
	case known == nil && (a.anyone == nil && a.found == nil || name == ""):
		return refusal.New(refusal.Revocation, ErrMalformedRequest, "issuer "+refusal.Quote(name), a.describeIssuers())
	case known == nil:
		return nil
	case known[0].Tenants == nil:
		r.Issuer = known[0].URL
	case name == known[0].URL:
		return refusal.New(refusal.Revocation, ErrMalformedRequest, "issuer "+refusal.Quote(name), "the issuer of one tenant")
	}
	if !scoped {
		return nil
	}
	if !slices.ContainsFunc(known, func(t *verify.Trust) bool { return t.Shape.Prefix == prefix }) {
		return refusal.New(refusal.Revocation, ErrMalformedRequest, "SubjectPrefix "+refusal.Quote(prefix), "that of a description of the issuer")
	}
	if known[0].Tenants == nil {
		r.Issuer += "|" + prefix
	}
	return nil
}

// lastWritable is the last second that JSON has a form for.
var lastWritable = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// lastMatch returns when the last token can expire that a revocation matches now,
// or will until the time of issue that it is restricted to. Of a key there is no last one:
// whoever has stolen it signs tokens as late as they like, and with any time of issue.
func (a *Authenticator) lastMatch(r *revoked.Revocation, now time.Time) time.Time {
	if r.KeyID != "" && r.TokenID == "" && r.SessionID == "" {
		return lastWritable
	}
	at := now
	if r.IssuedBefore.After(at) {
		at = r.IssuedBefore
	}
	if last := a.lastExpiry(at); last.Before(lastWritable) {
		return last
	}
	return lastWritable
}

// lastExpiry returns when the last token that is valid at a time can expire. A
// local issuer's may live for longer than a year, and those that it issued while
// it was configured otherwise, too.
func (a *Authenticator) lastExpiry(at time.Time) time.Time {
	longest, leeway, expires := a.longestLife()
	switch {
	case !expires:
		return at.AddDate(lastingYears, 0, 0)
	case a.maxLifetime != 0:
		longest = a.maxLifetime
	case longest == defaultRevocationTime:
		return at.Add(longest)
	}
	// Leeway counts twice: in the token's lifetime and after its expiry. The
	// third is for a time of issue that lies ahead of our clock. Each is added by
	// itself, since their sum may be more than a Duration holds.
	return at.Add(longest).Add(3 * leeway)
}

// longestLife returns how long the tokens of any issuer live at most, and by how much
// its clock may differ; expires is false if some live for ever. Issuers that were
// trusted once count: they may come back, and their tokens with them.
func (a *Authenticator) longestLife() (longest, leeway time.Duration, expires bool) {
	a.lives.mu.Lock()
	defer a.lives.mu.Unlock()
	for _, t := range a.issuers.Load().order { // those that FindIssuer finds have no source
		lifetime := t.source.maxLifetime()
		a.lives.endless = a.lives.endless || lifetime < 0 || t.Shape.NoExpiry
		a.lives.longest, a.lives.leeway = max(a.lives.longest, lifetime), max(a.lives.leeway, t.Leeway)
	}
	return max(a.lives.longest, defaultRevocationTime), max(a.lives.leeway, a.leeway), !a.lives.endless
}

// completeShared fills in what a revocation of another server leaves open.
func (a *Authenticator) completeShared(r *revoked.Revocation) {
	name, _, _ := strings.Cut(r.Issuer, "|")
	if known := a.issuers.Load().Named(name); known != nil {
		r.Issuer = known[0].URL + strings.TrimPrefix(r.Issuer, name)
	}
	if r.Until.IsZero() {
		r.Until = a.lastMatch(r, a.now())
	}
}

// share makes a revocation hold here and then everywhere: at once, or else, with
// an error, when that is possible again. Durable says that it is in the log or
// waits where it survives this process, or that there is nobody to share it with.
func (a *Authenticator) share(ctx context.Context, r revoked.Revocation) (durable bool, err error) {
	if !a.revocations.Add(r) {
		a.endRevoked(&r) // what another call ends has to have ended when this one returns, too
	}
	return a.follower.Share(ctx, r)
}

// signedInVain is how long a caller does well to wait for another key, or for the end of a
// revocation.
const signedInVain = 5 * time.Second

// countsNow refuses what a key of a local issuer signs, if that is revoked already: whoever got
// it would be told that a token of theirs is bad. Whether the revocations are known is asked
// where it is used.
func (a *Authenticator) countsNow(issuer, keyID string, at time.Time) error {
	for _, t := range a.issuers.Load().Named(issuer) {
		err := a.revocations.Check(&revoked.Token{
			Issuer: t.URL, Aliases: t.Names[1:], Prefix: t.Shape.Prefix, KeyID: keyID, IssuedAt: at,
		}, a.now(), nil)
		if errors.Is(err, ErrRevoked) {
			return refusal.Because(refusal.Key, ErrKeysUnavailable, fmt.Errorf("what the local issuer signs is revoked: %w", err)).After(signedInVain)
		}
	}
	return nil
}

// revocable returns what revocations are compared with, of claims under the key
// that stands for their own now. The claim "sub" is read if it may matter: that
// may take a while.
func (c *Claims) revocable(k *keyset.Key, subjectClaim bool) revoked.Token {
	t := revoked.Token{
		Issuer: c.record.Issuer, Aliases: c.trust.Names[1:], Prefix: c.trust.Shape.Prefix, Subject: c.record.Subject, SessionID: c.record.SessionID, TokenID: c.record.TokenID,
		IssuedAt: c.record.IssuedAt.Time(),
	}
	if k != nil {
		t.KeyID = k.ID()
	}
	if subjectClaim {
		t.SubjectClaim = c.subjectClaim()
	}
	if s := c.seller; s != nil {
		t.Seller = *s
	}
	return t
}

// subjectClaim returns "sub" where that is not the subject, behind the prefix that
// makes it a caller's of the description.
func (c *Claims) subjectClaim() string {
	sub := c.record.SubjectClaim()
	if sub == "" || c.trust.Shape.Prefix == "" {
		return sub
	}
	return c.trust.Shape.Prefix + sub
}

// revokes reports whether a revocation is of claims under the key.
func revokes(r *revoked.Revocation, c *Claims, k *keyset.Key) bool {
	t := c.revocable(k, r.Subject != "")
	return r.Matches(&t)
}

// checkRevoked returns the refusal of claims that are revoked, under the key that
// stands for their own now.
func (a *Authenticator) checkRevoked(c *Claims, k *keyset.Key, now time.Time) error {
	if k == c.key && a.revocations.Unchanged(&c.unrevoked) {
		return nil
	}
	return a.searchRevocations(c, k, now)
}

// searchRevocations is checkRevoked where revocations came since they were searched
// last. What it needs of the stack no other use of a token has to pay for: a new
// goroutine has little.
func (a *Authenticator) searchRevocations(c *Claims, k *keyset.Key, now time.Time) error {
	t := c.revocable(k, true)
	if k != c.key {
		return a.revocations.Check(&t, now, nil)
	}
	return a.revocations.Check(&t, now, &c.unrevoked)
}

// newlyRevoked ends the sessions that revocations match which hold from now on, and then
// tells of each.
func (a *Authenticator) newlyRevoked(all []revoked.Revocation) {
	if len(all) == 1 {
		a.endRevoked(&all[0])
	} else {
		a.endRevokedNow()
	}
	for n := range all {
		name, _, _ := strings.Cut(all[n].Issuer, "|")
		if known := a.issuers.Load().Find(name); known != nil {
			name = known[0].URL // of a tenant the template's, which does not grow in number
		}
		a.watch.Revoked(a.watch.Name(name), all[n].By())
	}
}

// endRevoked ends the sessions that a revocation matches.
func (a *Authenticator) endRevoked(r *revoked.Revocation) {
	cause := refusal.New(refusal.Revocation, ErrRevoked, r.Describe(), "")
	var found []*grant
	for g := range a.candidates(r) {
		if revokes(r, g.claims, g.key.Load()) {
			found = append(found, g)
		}
	}
	a.sessions.endAll(found, cause)
}

// endRevokedNow ends the sessions that any revocation in force matches. There may be as
// many of these as there are sessions: each session is looked up among them, and not each
// of them among the sessions.
func (a *Authenticator) endRevokedNow() {
	for g := range a.sessions.all() {
		if err := a.checkRevoked(g.claims, g.key.Load(), a.now()); err != nil {
			a.sessions.end(g, err)
		}
	}
}

// endUnknown ends all sessions for want of revocations.
func (a *Authenticator) endUnknown() {
	cause := refusal.New(refusal.Revocation, ErrRevocationsUnavailable, "", "")
	a.sessions.endAll(slices.Collect(a.sessions.all()), cause)
}

// candidates returns what a revocation may match of what sessions live by, some
// of it twice.
func (a *Authenticator) candidates(r *revoked.Revocation) iter.Seq[*grant] {
	x := a.sessions
	switch {
	case r.TokenID != "":
		return x.list(x.hash(r.TokenID), byTokenID)
	case r.SessionID != "":
		return x.list(x.hash(r.SessionID), bySessionID)
	case r.Subject != "":
		return x.list(x.hash(r.Subject), bySubject, bySubjectClaim)
	}
	return x.all()
}

// A Revocation withdraws tokens before they expire. It matches the tokens that
// agree with everything that is set; at least one thing has to be, and beside Issuer
// another.
type Revocation struct {
	// Issuer is the token's issuer, by [Issuer.URL] or an alias. Where its descriptions
	// have a SubjectPrefix it means all of them; that name, "|" and a prefix, which may
	// be the empty one, mean the callers of that prefix alone. Where URL is a template it is
	// the "iss" of one tenant, and the template is an error. Empty means any.
	Issuer string `json:"issuer,omitempty"`

	// Subject is the subject of the token's identity, or its "sub" where
	// [Issuer.Subject] makes the subject of something else; either with
	// [Issuer.SubjectPrefix] in front. Empty means any.
	Subject string `json:"subject,omitempty"`

	// SessionID is the login session, "sid". Empty means any.
	SessionID string `json:"session_id,omitempty"`

	// TokenID is the token itself, "jti". Empty means any.
	TokenID string `json:"token_id,omitempty"`

	// KeyID is the key that signed the token. Empty means any. See Until.
	KeyID string `json:"key_id,omitempty"`

	// IssuedBefore restricts the revocation to tokens issued ("iat") before it, by
	// the issuer's clock and to the fraction of a second. Most issuers drop the
	// fraction: a token that was issued later within the same second is refused too,
	// and so is one that does not say when it was issued. A token is missed that was
	// issued before by an issuer whose clock is ahead, at most its leeway: to
	// withdraw all that there is, add that to the present time, and what is issued
	// meanwhile is refused as well. Zero means tokens issued at any time, also after
	// the revocation and for as long as it holds: see Until.
	IssuedBefore time.Time `json:"issued_before,omitzero"`

	// EndedAt is when the login session ended that the revocation is of; see
	// [Authenticator.LogoutHandler], which sets it. It restricts nothing: tokens of
	// the session match whenever they were issued. Zero means that it is not known.
	EndedAt time.Time `json:"ended_at,omitzero"`

	// Until is when the revocation ends. Tokens that it matches and that have not
	// expired by then are accepted again. Zero means when no token of today, or of
	// the time until IssuedBefore, can be left: after [Config.MaxTokenLifetime], or
	// without that after one year or what the tokens of a [KeySource] have ever lived
	// at most, or after a century if they may never expire. That is enough for the
	// tokens there are, and not for a ban, by which those of a later sign-in are
	// refused, too: give it a time that is far ahead, of the year 9999 for instance.
	// Where KeyID is set, and neither SessionID nor TokenID, zero means for good: whoever
	// has stolen a key goes on signing. Say when it ends where the issuer puts another key
	// under the same ID.
	Until time.Time `json:"until,omitzero"`
}

// ErrNotStored is what a [RevocationLog] wraps in the error of an entry that is
// certainly not stored and will not be by itself: the log is full, denies the
// write or is not what it should be. It is never the error of a lost answer.
var ErrNotStored = errors.New("oidcauth: not stored in the revocation log")

// A RevocationLog shares revocations, and what may be used once, between the
// servers of a cluster. It only ever grows, except that what is past its end may
// be left out. Its methods must be safe for concurrent use, and return when their
// context ends: whoever revokes, or uses a ticket, waits for them. The package
// revocationtest has a suite of tests for it.
//
// Three outcomes of a write are told apart. A nil error says that the entry is
// stored: the log has acknowledged that write, or has read the entry back, and no
// fault that the log is made to survive loses it. An error that wraps
// [ErrNotStored] says that it certainly is not. Any other error says that this is
// not known: the entry may be stored all the same, now or a little later. That an
// equal entry seems to exist, while its own write is not acknowledged yet, is of
// the third kind.
type RevocationLog interface {
	// Append adds r for every follower, those that come later included, and
	// reports whether it is new: whether an equal one, with the same content, was
	// not there before. Of several servers that append equal ones at once, one at
	// most is told that it is new. After an error it may be called again with an
	// equal r, whatever became of the first.
	Append(ctx context.Context, r Revocation) (added bool, err error)

	// FirstUse records that the one-time thing id was used, and reports whether
	// this was its first use anywhere in the cluster. The record is kept until the
	// given time at least. Of several callers at once, one at most is told true, and
	// nobody is once the record is stored, also where who stored it was told an
	// error. Errors mean what those of Append do. Records have a limit of their own:
	// however many there are, Append has as much space as before.
	FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)

	// Follow calls apply for every revocation, from the first on and then as they
	// are appended by anybody, and caughtUp(true) when all that existed have been
	// applied. It calls caughtUp(false) when it has lost contact, so that some may
	// be missing, and caughtUp(true) again when none are; a loss that is over within
	// a short grace, which its documentation states, may go untold. It returns when
	// ctx ends or when it cannot go on, and is then called again after a while; each
	// call begins with the first revocation. It may apply one more than once, and
	// makes its calls one at a time.
	Follow(ctx context.Context, apply func(Revocation), caughtUp func(current bool)) error
}

// What becomes of a revocation that holds in this process and that the log has
// not taken. [Authenticator.Revoke], [Authenticator.Ready] and
// [Authenticator.Close] return one of these beside [ErrRevocationsUnavailable].
var (
	// ErrRevocationWaits says that revocations wait to be shared: in
	// [Config.RevocationDir], or in memory only where there is none, as the text
	// of the error then says.
	ErrRevocationWaits = revoked.ErrWaits

	// ErrRevocationNotWritten says that a revocation waits in memory only, because it
	// could not be written to [Config.RevocationDir]: it is lost with the process,
	// unless the log takes it before, or where there is none, the disk.
	ErrRevocationNotWritten = revoked.ErrNotWritten

	// ErrRevocationNotShared says that revocations will not be shared: too many
	// waited already, or the Authenticator was closed while they waited in memory.
	ErrRevocationNotShared = revoked.ErrNotShared
)

// A followedLog is a [RevocationLog] as the machinery of revocations knows it. It is
// called in goroutines of the library, too, where a panic would end the process: that
// is an error like any other, after which nobody knows what is stored. So is that of an
// error which panics when it is looked at, as the library does with locks held.
type followedLog struct{ log RevocationLog }

// Append implements [revoked.Log].
func (l followedLog) Append(ctx context.Context, r revoked.Revocation) (added bool, err error) {
	defer panics.Catch(&err)
	added, err = l.log.Append(ctx, Revocation(r))
	panics.Try(err)
	return added, err
}

// FirstUse implements [revoked.Log].
func (l followedLog) FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error) {
	defer panics.Catch(&err)
	first, err = l.log.FirstUse(ctx, id, until)
	panics.Try(err)
	return first, err
}

// Follow implements [revoked.Log]. Who follows catches a panic.
func (l followedLog) Follow(ctx context.Context, apply func(revoked.Revocation), caughtUp func(current bool)) error {
	return l.log.Follow(ctx, func(r Revocation) { apply(revoked.Revocation(r)) }, caughtUp)
}
