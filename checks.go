package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An evaluation is one token on its way through the checks.
type evaluation struct {
	claims.Reader // of the payload, into the claims
	auth          *Authenticator
	raw           string
	now           time.Time
	token         jws.Token
	trust         *trust        // who has to vouch for the token
	keys          []*keyset.Key // whose signature it may be
	offered       []*keyset.Key // of which keys are those of the token's tenant
	lookups       uint64        // of the issuer, before its keys were tried
	tried         attempts      // to verify it
	claims        *Claims
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

// reset empties the evaluation and keeps its buffers for the next token.
func (e *evaluation) reset() {
	e.Reader.Reset()
	e.auth, e.trust, e.keys, e.offered, e.claims = nil, nil, nil, nil, nil
	e.raw, e.tried = "", attempts{}
	e.token.Reset()
}

// form checks the token's shape, as the package jws describes it.
func (e *evaluation) form(context.Context) error {
	var err error
	if e.Members, err = e.token.ParseInto(e.Members[:0], e.raw, e.auth.maxTokenBytes); err != nil {
		return malformedToken(err)
	}
	e.setClaims(e.token.Payload)
	return nil
}

// setClaims begins new claims, for the reader to fill in.
func (e *evaluation) setClaims(payload string) {
	e.claims = &Claims{record: claims.Record{Payload: payload}}
	e.Record = &e.claims.record
}

// setTrust says whose token it is, if anybody's.
func (e *evaluation) setTrust(t *trust) {
	e.trust, e.claims.trust, e.Shape = t, t, &t.Shape
}

// malformedToken names the rule that the token breaks.
func malformedToken(err error) error {
	rule := strings.TrimPrefix(err.Error(), ErrMalformedToken.Error()+": ")
	return &Refusal{Check: refusal.Form, Err: fmt.Errorf("%w: %s", ErrMalformedToken, rule)}
}

func (e *evaluation) issuer(context.Context) error {
	iss, err := e.UntrustedIssuer()
	if err != nil {
		return err
	}
	trust, err := e.auth.trustIn(iss)
	if err != nil {
		return err
	}
	e.setTrust(trust)
	return trust.NameIssuer(&e.Reader, iss)
}

func (e *evaluation) algorithm(context.Context) error {
	i := slices.Index(e.trust.Algorithms, e.token.Algorithm)
	if i < 0 {
		return refusal.New(refusal.Algorithm, ErrAlgorithm, refusal.Quote(e.token.Algorithm), refusal.OneOf(e.trust.Algorithms))
	}
	// A number, because the token's own text would keep its header in memory.
	e.claims.algorithm = uint8(i)
	return nil
}

// candidates finds the keys that may have signed the token: those with its key
// ID, or all if it has none.
func (e *evaluation) candidates(ctx context.Context) error {
	if e.trust.RequireKeyID && !e.token.HasKeyID {
		return refusal.New(refusal.Key, ErrUnknownKey, "no key ID", "a key of issuer "+refusal.Quote(e.trust.URL))
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
	if err := e.ReadExpiry(); err != nil {
		return err
	}
	if err := e.auth.checkExpiry(e.claims, e.now); err != nil {
		return err
	}
	return e.auth.checkLifetime(refusal.Expiry, e.claims, e.now)
}

func (e *evaluation) notBefore(context.Context) error {
	if err := e.ReadNotBefore(); err != nil {
		return err
	}
	return e.auth.checkNotBefore(e.claims, e.now)
}

// refusal.Expiry refuses from the instant of the expiry plus leeway on.
func (a *Authenticator) checkExpiry(c *Claims, now time.Time) error {
	if c.record.NeverExpires {
		return nil
	}
	if claims.At(now) >= c.record.Expiry.Plus(a.leeway) {
		return refusal.New(refusal.Expiry, ErrExpired, timeText(c.record.Expiry.Time()), "later than "+timeText(now.Add(-a.leeway)))
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
	if limit := start.Add(a.maxLifetime + a.leeway); c.record.Expiry.Time().After(limit) {
		return refusal.New(check, ErrClaim, `"exp" `+timeText(c.record.Expiry.Time()), "not later than "+timeText(limit))
	}
	return nil
}

func (a *Authenticator) checkNotBefore(c *Claims, now time.Time) error {
	if claims.At(now).Plus(a.leeway) < c.record.NotBefore {
		return refusal.New(refusal.NotBefore, ErrNotYetValid, timeText(c.record.NotBefore.Time()), "not later than "+timeText(now.Add(a.leeway)))
	}
	return nil
}

func (e *evaluation) issuedAt(context.Context) error {
	if err := e.ReadIssuedAt(); err != nil {
		return err
	}
	if claims.At(e.now).Plus(e.auth.leeway) < e.claims.record.IssuedAt {
		return refusal.New(refusal.IssuedAt, ErrIssuedInFuture, timeText(e.claims.record.IssuedAt.Time()), "not later than "+timeText(e.now.Add(e.auth.leeway)))
	}
	if e.claims.record.IssuedAt == 0 {
		return e.undated()
	}
	return e.auth.checkLifetime(refusal.IssuedAt, e.claims, e.claims.record.IssuedAt.Time())
}

// undated refuses a token without time of issue where lifetimes are bounded: it may
// have outlived its revocation, however little of its life is left.
func (e *evaluation) undated() error {
	if e.auth.maxLifetime == 0 || e.claims.record.NeverExpires {
		return nil
	}
	return refusal.New(refusal.IssuedAt, ErrClaim, `no "iat"`, "a time of issue, by which MaxTokenLifetime is checked")
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (e *evaluation) audience(context.Context) error {
	if err := e.ReadAudience(); err != nil {
		return err
	}
	return e.trust.CheckAudience(&e.Reader)
}

func (e *evaluation) tokenType(context.Context) error {
	return e.trust.CheckType(&e.token, &e.Reader)
}

func (e *evaluation) subject(context.Context) error { return e.ReadSubject() }

func (e *evaluation) otherClaims(context.Context) error { return e.ReadOthers() }

// rules applies the issuer's own demands.
func (e *evaluation) rules(context.Context) error {
	if err := e.trust.CheckDemands(&e.Reader); err != nil {
		return err
	}
	return e.trust.checkRules(e.claims)
}

func (e *evaluation) revocation(context.Context) error {
	return e.auth.revocations.check(e.claims, e.claims.key, e.now)
}
