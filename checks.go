package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An evaluation is one token on its way through the checks.
type evaluation struct {
	auth    *Authenticator
	raw     string
	now     time.Time
	token   jws.Token
	members []jws.Member  // the payload's, in room that is used again
	values  []string      // of "aud", then the roles, in room that is used again
	trust   *trust        // who has to vouch for the token
	keys    []*keyset.Key // whose signature it may be
	offered []*keyset.Key // of which keys are those of the token's tenant
	lookups uint64        // of the issuer, before its keys were tried
	tried   attempts      // to verify it
	claims  *Claims
}

// checks are all the checks in their order. Before the signature is known to be
// good, nothing that the token says decides anything but who has to vouch for
// it. The first check that fails decides alone.
var checks = [...]check{
	{refusal.Form, (*evaluation).form},
	{refusal.Issuer, (*evaluation).issuer},
	{refusal.Algorithm, (*evaluation).algorithm},
	{refusal.Key, (*evaluation).candidates},
	{refusal.Signature, (*evaluation).signature},
	{refusal.Expiry, (*evaluation).expiry},
	{refusal.NotBefore, (*evaluation).notBefore},
	{refusal.IssuedAt, (*evaluation).issuedAt},
	{refusal.Audience, (*evaluation).audience},
	{refusal.Type, (*evaluation).tokenType},
	{refusal.Subject, (*evaluation).subject},
	{refusal.Claims, (*evaluation).otherClaims},
	{refusal.Rules, (*evaluation).rules},
	{refusal.Revocation, (*evaluation).revocation},
}

type check struct {
	name string
	run  func(*evaluation, context.Context) error
}

// The room that an unusual token leaves behind is bounded.
const (
	maxKeptMembers = 4 << 10 // as many as fit into 16 KiB
	maxKeptValues  = 64
)

// reset forgets the token but keeps the room for the next one.
func (e *evaluation) reset() {
	e.auth, e.trust, e.keys, e.offered, e.claims = nil, nil, nil, nil, nil
	e.raw, e.tried = "", attempts{}
	e.token.Reset()
	if clear(e.members); cap(e.members) > maxKeptMembers {
		e.members = nil
	}
	e.members = e.members[:0] // the rest has been empty all the time
	e.values = emptied(e.values, maxKeptValues)
}

// emptied returns the room of a slice with nothing in it, or no room when it has
// become more than limit.
func emptied[T any](s []T, limit int) []T {
	if cap(s) > limit {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

// form checks the token's shape, as the package jws describes it.
func (e *evaluation) form(context.Context) error {
	var err error
	if e.members, err = e.token.ParseInto(e.members[:0], e.raw, e.auth.maxTokenBytes); err != nil {
		return malformedToken(err)
	}
	e.claims = &Claims{payload: e.token.Payload}
	return nil
}

// malformedToken names the rule that the token breaks.
func malformedToken(err error) error {
	rule := strings.TrimPrefix(err.Error(), ErrMalformedToken.Error()+": ")
	return &Refusal{Check: refusal.Form, Err: fmt.Errorf("%w: %s", ErrMalformedToken, rule)}
}

func (e *evaluation) issuer(context.Context) error {
	iss, err := e.untrustedIssuer()
	if err != nil {
		return err
	}
	trust, err := e.auth.trustIn(iss)
	if err != nil {
		return err
	}
	e.trust, e.claims.trust = trust, trust
	return e.nameIssuer(iss)
}

func (e *evaluation) algorithm(context.Context) error {
	i := slices.Index(e.trust.algorithms, e.token.Algorithm)
	if i < 0 {
		return refusal.New(refusal.Algorithm, ErrAlgorithm, refusal.Quote(e.token.Algorithm), refusal.OneOf(e.trust.algorithms))
	}
	// A number, because the token's own text would keep its header in memory.
	e.claims.algorithm = uint8(i)
	return nil
}

// candidates finds the keys that may have signed the token: those with its key
// ID, or all if it has none.
func (e *evaluation) candidates(ctx context.Context) error {
	if e.trust.requireKeyID && !e.token.HasKeyID {
		return refusal.New(refusal.Key, ErrUnknownKey, "no key ID", "a key of issuer "+refusal.Quote(e.trust.url))
	}
	keys, err := e.findKeys(ctx)
	if err != nil {
		return err
	}
	e.keys, e.offered = e.ofTenant(keys), keys
	anyFits := func() bool { return slices.ContainsFunc(e.keys, e.fits) }
	if anyFits() {
		return nil
	}
	found, err := e.lookAgain(ctx, anyFits)
	switch {
	case err != nil:
		return err
	case len(e.keys) == 0:
		return e.keysRefusal(keyset.ErrUnknownKey)
	case !found:
		return refusal.New(refusal.Algorithm, ErrAlgorithm, refusal.Quote(e.token.Algorithm), "an algorithm of the issuer's key "+describeKeys(e.keys))
	}
	return nil
}

func (e *evaluation) findKeys(ctx context.Context) ([]*keyset.Key, error) {
	e.lookups = e.trust.keys.Lookups()
	if e.trust.strangers != nil {
		return e.strangersKeys(ctx)
	}
	keys, err := e.trust.keys.Keys(ctx, e.token.KeyID, e.token.HasKeyID)
	if e.trust.local != nil && errors.Is(err, keyset.ErrUnknownKey) {
		e.trust.local.reread(false)
		keys, err = e.trust.keys.Keys(ctx, e.token.KeyID, e.token.HasKeyID)
	}
	if err != nil {
		return nil, e.keysRefusal(err)
	}
	return keys, nil
}

// fits reports whether the key's type, curve and own restrictions permit the
// token's algorithm.
func (e *evaluation) fits(k *keyset.Key) bool { return k.Permits(e.token.Algorithm) }

func (e *evaluation) keysRefusal(err error) error {
	var unavailable *keyset.UnavailableError
	switch {
	case errors.Is(err, keyset.ErrUnknownKey):
		return e.unknownKey()
	case errors.Is(err, keyset.ErrClosed):
		return refusal.New(refusal.Key, ErrClosed, "", "")
	case errors.As(err, &unavailable):
		r := refusal.Because(refusal.Key, ErrKeysUnavailable, err)
		if errors.Is(err, keyset.ErrNoUsableKey) {
			r = e.noUsableKey(err)
		}
		r.After(unavailable.RetryAfter)
		return r
	}
	return refusal.Because(refusal.Key, ErrKeysUnavailable, err)
}

// describeKeys names the first keys and what they are restricted to. How many
// there are, and their long names, may be a stranger's choice.
func describeKeys(keys []*keyset.Key) string {
	const limit = 8
	var b strings.Builder
	for i, k := range keys {
		if i == limit {
			fmt.Fprintf(&b, " … %d more", len(keys)-limit)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(refusal.Quote(k.ID()))
		if k.Algorithm() != "" {
			fmt.Fprintf(&b, " (%s)", k.Algorithm())
		}
	}
	return b.String()
}

func (e *evaluation) expiry(context.Context) error {
	if err := e.readExpiry(); err != nil {
		return err
	}
	if err := e.auth.checkExpiry(e.claims, e.now); err != nil {
		return err
	}
	return e.auth.checkLifetime(refusal.Expiry, e.claims, e.now)
}

func (e *evaluation) notBefore(context.Context) error {
	if err := e.readNotBefore(); err != nil {
		return err
	}
	return e.auth.checkNotBefore(e.claims, e.now)
}

// refusal.Expiry refuses from the instant of the expiry plus leeway on.
func (a *Authenticator) checkExpiry(c *Claims, now time.Time) error {
	if c.neverExpires {
		return nil
	}
	if claimTimeAt(now) >= c.expiry.plus(a.leeway) {
		return refusal.New(refusal.Expiry, ErrExpired, timeText(c.expiry.time()), "later than "+timeText(now.Add(-a.leeway)))
	}
	return nil
}

// checkLifetime refuses an expiry too far ahead of start: of now or of the time
// of issue. The latter keeps a token from outliving its own revocation, which is
// dropped when all tokens of its time must have expired.
func (a *Authenticator) checkLifetime(check string, c *Claims, start time.Time) error {
	if a.maxLifetime == 0 {
		return nil
	}
	if limit := start.Add(a.maxLifetime + a.leeway); c.expiry.time().After(limit) {
		return refusal.New(check, ErrClaim, `"exp" `+timeText(c.expiry.time()), "not later than "+timeText(limit))
	}
	return nil
}

func (a *Authenticator) checkNotBefore(c *Claims, now time.Time) error {
	if claimTimeAt(now).plus(a.leeway) < c.notBefore {
		return refusal.New(refusal.NotBefore, ErrNotYetValid, timeText(c.notBefore.time()), "not later than "+timeText(now.Add(a.leeway)))
	}
	return nil
}

func (e *evaluation) issuedAt(context.Context) error {
	if err := e.readIssuedAt(); err != nil {
		return err
	}
	if claimTimeAt(e.now).plus(e.auth.leeway) < e.claims.issuedAt {
		return refusal.New(refusal.IssuedAt, ErrIssuedInFuture, timeText(e.claims.issuedAt.time()), "not later than "+timeText(e.now.Add(e.auth.leeway)))
	}
	if e.claims.issuedAt == 0 {
		return nil
	}
	return e.auth.checkLifetime(refusal.IssuedAt, e.claims, e.claims.issuedAt.time())
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (e *evaluation) audience(context.Context) error {
	if err := e.readAudience(); err != nil {
		return err
	}
	if e.trust.anyAudience {
		return nil
	}
	if e.trust.dedicatedKeys && !e.has("aud") {
		return nil
	}
	got, err := e.audienceClaim()
	if err != nil {
		return err
	}
	for _, aud := range got {
		if e.trust.accepts(aud) {
			return nil
		}
	}
	return refusal.New(refusal.Audience, ErrAudience, refusal.QuoteAll(got), e.wantedAudience())
}

// audienceClaim returns the values that Issuer.Audiences are compared with.
func (e *evaluation) audienceClaim() ([]string, error) {
	if e.trust.audienceClaim == "" {
		return e.claims.audienceList(), nil
	}
	m, found := e.member(e.trust.audienceClaim)
	if !found {
		return nil, nil
	}
	values, err := appendStrings(nil, m)
	if err != nil {
		return nil, wrongType(refusal.Audience, m, "a string or an array of strings")
	}
	return values, nil
}

// tokenType keeps out tokens that are signed by the same issuer for another
// purpose (RFC 8725, section 3.11).
func (e *evaluation) tokenType(context.Context) error {
	typ := mediaType(e.token.Type)
	if !e.token.HasType {
		typ = typeJWT
	}
	if neverAuthenticates(typ) || !slices.Contains(e.trust.types, typ) {
		return refusal.New(refusal.Type, ErrTokenType, refusal.Quote(e.token.Type), refusal.OneOf(e.trust.types))
	}
	if e.has("events") {
		return refusal.New(refusal.Type, ErrTokenType, `a security event ("events")`, "a token that authenticates")
	}
	if e.has("cnf") {
		return refusal.New(refusal.Type, ErrTokenType, `a token bound to a key ("cnf"), sent without proof`, "a bearer token")
	}
	return nil
}

const typeJWT = "jwt"

// mediaType returns the "typ" value in one spelling (RFC 7515, section 4.1.9).
func mediaType(typ string) string {
	if typ == "JWT" {
		return typeJWT // without the allocation that lower case costs
	}
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// neverAuthenticates reports whether tokens of the type have another purpose:
// logout (OpenID Connect Back-Channel Logout 1.0), proof of possession (RFC
// 9449), security events (RFC 8417), and tickets, which AuthenticateTicket takes.
func neverAuthenticates(mediaType string) bool {
	switch mediaType {
	case "logout+jwt", "dpop+jwt", "secevent+jwt", typeTicket:
		return true
	}
	return false
}

func (e *evaluation) subject(context.Context) error { return e.readSubject() }

func (e *evaluation) otherClaims(context.Context) error { return e.readOthers() }

// rules applies the issuer's own demands.
func (e *evaluation) rules(context.Context) error {
	for i := range e.trust.demands {
		if err := e.trust.demands[i].Check(e.lookup); err != nil {
			return refusal.Because(refusal.Rules, ErrRule, err)
		}
	}
	return e.trust.checkRules(e.claims)
}

func (e *evaluation) revocation(context.Context) error {
	return e.auth.revocations.check(e.claims, e.claims.key, e.now)
}
