package oidcauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// defaultRevocationTime is how long a revocation is kept of tokens that nothing
// bounds the life of.
const defaultRevocationTime = 365 * 24 * time.Hour

// lastingYears is the same where tokens may never expire.
const lastingYears = 100

// A Revocation withdraws tokens before they expire. It matches the tokens that
// agree with everything that is set; at least one thing has to be.
type Revocation struct {
	// Issuer is the token's issuer, by [Issuer.URL] or an alias. Empty means any.
	Issuer string `json:"issuer,omitempty"`

	// Subject is the subject of the token's identity, or its "sub" where
	// [Issuer.Subject] makes the subject of something else. Empty means any.
	Subject string `json:"subject,omitempty"`

	// SessionID is the login session, "sid". Empty means any.
	SessionID string `json:"session_id,omitempty"`

	// TokenID is the token itself, "jti". Empty means any.
	TokenID string `json:"token_id,omitempty"`

	// KeyID is the key that signed the token. Empty means any.
	KeyID string `json:"key_id,omitempty"`

	// IssuedBefore restricts the revocation to tokens issued ("iat") before it, by
	// the issuer's clock and to the fraction of a second. Most issuers drop the
	// fraction: a token that was issued later within the same second is refused too,
	// and so is one that does not say when it was issued. A token is missed that was
	// issued before by an issuer whose clock is ahead, at most [Config.Leeway]: to
	// withdraw all that there is, add that to the present time, and what is issued
	// meanwhile is refused as well. Zero means tokens issued at any time, also after
	// the revocation.
	IssuedBefore time.Time `json:"issued_before,omitzero"`

	// EndedAt is when the login session ended that the revocation is of; see
	// [Authenticator.LogoutHandler], which sets it. It restricts nothing: tokens of
	// the session match whenever they were issued. Zero means that it is not known.
	EndedAt time.Time `json:"ended_at,omitzero"`

	// Until is when the revocation ends. Tokens that it matches and that have not
	// expired by then are accepted again. Zero means when no token of today, or of
	// the time until IssuedBefore, can be left: after [Config.MaxTokenLifetime], or without that after one year or
	// what the tokens of a [LocalIssuer] have ever lived at most, or after a century
	// if they may never expire.
	Until time.Time `json:"until,omitzero"`
}

// isEmpty reports whether nothing is set that a token could agree with.
func (r *Revocation) isEmpty() bool {
	return r.pattern() == Revocation{} && r.IssuedBefore.IsZero()
}

// pattern returns the revocation without its times.
func (r *Revocation) pattern() Revocation {
	p := *r
	p.IssuedBefore, p.EndedAt, p.Until = time.Time{}, time.Time{}, time.Time{}
	return p
}

// covers reports whether r revokes all that other, of the same pattern, does.
func (r *Revocation) covers(other *Revocation) bool {
	if r.Until.Before(other.Until) || !r.EndedAt.IsZero() && (other.EndedAt.IsZero() || r.EndedAt.Before(other.EndedAt)) {
		return false
	}
	if r.IssuedBefore.IsZero() || other.IssuedBefore.IsZero() {
		return r.IssuedBefore.IsZero()
	}
	return !r.IssuedBefore.Before(other.IssuedBefore)
}

// matches reports whether the revocation is of claims under the key.
func (r *Revocation) matches(c *Claims, k *keyset.Key) bool {
	return r.matchesToken(c, k) || c.seller.revokedBy(r)
}

// matchesToken reports whether the revocation is of the token that the claims are
// of.
func (r *Revocation) matchesToken(c *Claims, k *keyset.Key) bool {
	return agrees(r.Issuer, c.record.Issuer) &&
		(agrees(r.Subject, c.record.Subject) || agrees(r.Subject, c.record.SubjectClaim())) &&
		agrees(r.SessionID, c.record.SessionID) &&
		agrees(r.TokenID, c.record.TokenID) &&
		(r.KeyID == "" || r.KeyID == k.ID()) &&
		(r.IssuedBefore.IsZero() || c.record.IssuedAt == 0 || c.record.IssuedAt.Time().Before(r.IssuedBefore))
}

func agrees(want, got string) bool { return want == "" || want == got }

// describe words the revocation for an operator.
func (r Revocation) describe() string {
	var text string
	for _, part := range []struct{ name, value string }{
		{"issuer", r.Issuer}, {"subject", r.Subject}, {"session ID", r.SessionID},
		{"token ID", r.TokenID}, {"key ID", r.KeyID},
	} {
		if part.value != "" {
			text += ", " + part.name + " " + refusal.Quote(part.value)
		}
	}
	if !r.IssuedBefore.IsZero() {
		text += ", issued before " + timeText(r.IssuedBefore)
	}
	return "revoked" + text
}

// Revoke withdraws the tokens that r matches: [Authenticator.Authenticate]
// refuses them with [ErrRevoked], and live sessions under them end, before
// Revoke returns. With [Config.Revocations] the other servers of the cluster
// follow. If the log does not take the revocation at once, the error says so
// ([ErrRevocationsUnavailable], with the log's own), and it holds in this process
// all the same. It is shared later then: the log is tried again, at most a minute
// apart, until it takes the revocation, or that is over, or the Authenticator is
// closed. What the error says beside tells what else to do:
//
//   - [ErrRevocationWaits]: nothing, with [Config.RevocationDir], from which it is
//     shared even after a restart. Without, it is lost with this process.
//   - [ErrRevocationNotWritten]: it waits, but not in that directory, and is lost
//     with this process.
//   - [ErrRevocationNotShared]: 10,000 wait already, and it will not be shared.
//
// To repeat Revoke is always right. It takes no further place: of revocations that
// differ in their times alone the one that covers the others waits.
//
// An empty revocation, one that ended in the past and one that names an unknown
// issuer (without [Config.AnyIssuer]) are errors ([ErrMalformedRequest]) and
// change nothing.
func (a *Authenticator) Revoke(ctx context.Context, r Revocation) error {
	r, err := a.completed(r)
	if err != nil {
		return err
	}
	return a.shareOrLater(ctx, r)
}

// completed checks a revocation and fills in what it leaves open.
func (a *Authenticator) completed(r Revocation) (Revocation, error) {
	if a.closed.Load() {
		return r, refusal.New(refusal.Revocation, ErrClosed, "", "")
	}
	if r.isEmpty() {
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "an empty revocation", "what the tokens have in common")
	}
	switch t, known := a.trusts[r.Issuer]; {
	case known && t.Tenants != nil:
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "issuer "+refusal.Quote(r.Issuer), "the issuer of one tenant")
	case known:
		r.Issuer = t.URL
	case r.Issuer != "" && a.tenantTrust(r.Issuer) == nil && a.anyone == nil:
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "issuer "+refusal.Quote(r.Issuer), refusal.OneOf(a.names))
	}
	now := a.now()
	if r.Until.IsZero() {
		r.Until = a.lastMatch(&r, now)
	}
	if !now.Before(r.Until) {
		return r, refusal.New(refusal.Revocation, ErrMalformedRequest, "Until "+timeText(r.Until), "later than "+timeText(now))
	}
	return r.normal(), nil
}

// normal returns the revocation with its times in the form that they have after
// they were written and read again, so that equal ones compare as equal.
func (r Revocation) normal() Revocation {
	if !r.IssuedBefore.IsZero() {
		r.IssuedBefore = r.IssuedBefore.Round(0).UTC()
	}
	if !r.EndedAt.IsZero() {
		r.EndedAt = r.EndedAt.Round(0).UTC()
	}
	r.Until = r.Until.Round(0).UTC()
	return r
}

// lastWritable is the last second that JSON has a form for.
var lastWritable = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// lastMatch returns when the last token can expire that a revocation matches now,
// or will until the time of issue that it is restricted to.
func (a *Authenticator) lastMatch(r *Revocation, now time.Time) time.Time {
	last := a.lastExpiry(later(now, r.IssuedBefore))
	if last.After(lastWritable) {
		return lastWritable
	}
	return last
}

// lastExpiry returns when the last token that is valid at a time can expire. A
// local issuer's may live for longer than a year, and those that it issued while
// it was configured otherwise, too.
func (a *Authenticator) lastExpiry(at time.Time) time.Time {
	longest := defaultRevocationTime
	for _, t := range a.order {
		lifetime, never := t.local.longest()
		if never || t.Shape.NoExpiry {
			return at.AddDate(lastingYears, 0, 0)
		}
		longest = max(longest, lifetime)
	}
	if a.maxLifetime != 0 {
		longest = a.maxLifetime
	} else if longest == defaultRevocationTime {
		return at.Add(longest)
	}
	// Leeway counts twice: in the token's lifetime and after its expiry. The
	// third is for a time of issue that lies ahead of our clock.
	return at.Add(longest + 3*a.leeway)
}

// longest returns how long tokens live that the issuer has ever issued, and
// whether there are any that never expire. It may be called on nil.
func (l *LocalIssuer) longest() (lifetime time.Duration, never bool) {
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.maxLifetime, l.ring.Longest), l.ring.NoExpiry
}

// share makes a revocation hold here and then everywhere: at once, or else, with
// an error, when that is possible again. Durable says that it is in the log or
// waits where it survives this process, or that there is nobody to share it with.
func (a *Authenticator) share(ctx context.Context, r Revocation) (durable bool, err error) {
	a.apply(r)
	if a.follower == nil {
		return true, nil
	}
	if _, err := a.follower.log.Append(ctx, r); err != nil {
		return a.follower.later(ctx, r, err)
	}
	a.follower.shared(ctx, &r)
	return true, nil
}

// shareOrLater is share for those who want to know whether it was at once.
func (a *Authenticator) shareOrLater(ctx context.Context, r Revocation) error {
	_, err := a.share(ctx, r)
	return err
}

// shareLogout shares one of the revocations that a logout is. It returns nil also
// if that is done later, but certainly.
func (a *Authenticator) shareLogout(ctx context.Context, l *logout, r Revocation) error {
	r.Until = a.lastExpiry(l.issuedAt.Add(maxLogoutAge))
	if r.IssuedBefore.IsZero() {
		r.EndedAt = l.issuedAt
	}
	durable, err := a.share(ctx, r.normal())
	if durable {
		return nil
	}
	return err
}

// apply makes a revocation hold in this process, and another if there is one that
// takes the place of many.
func (a *Authenticator) apply(r Revocation) {
	added, cutoff := a.revocations.add(r)
	if added {
		a.endRevoked(r)
	}
	if cutoff != nil {
		a.logger.LogAttrs(context.Background(), slog.LevelWarn, "too many logouts are kept: earlier tokens of the issuer are refused",
			slog.String("issuer", cutoff.Issuer), slog.Time("issued_before", cutoff.IssuedBefore))
		a.endRevoked(*cutoff)
	}
}

// endRevoked ends the sessions that a revocation matches, unless it is over.
func (a *Authenticator) endRevoked(r Revocation) {
	if !a.now().Before(r.Until) {
		return
	}
	cause := refusal.New(refusal.Revocation, ErrRevoked, r.describe(), "")
	for _, s := range a.sessions.candidates(&r) {
		a.sessions.stop(s, cause, r.matches)
	}
}

// candidates returns the sessions that a revocation may match.
func (x *sessionIndex) candidates(r *Revocation) []*Session {
	switch {
	case r.TokenID != "":
		return x.list(byTokenID, x.hash(r.TokenID))
	case r.SessionID != "":
		return x.list(bySessionID, x.hash(r.SessionID))
	case r.Subject != "":
		return append(x.list(bySubject, x.hash(r.Subject)), x.list(bySubjectClaim, x.hash(r.Subject))...)
	}
	return x.all(func(s *Session) bool { return r.matches(s.claims.Load(), s.key.Load()) })
}
