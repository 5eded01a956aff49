package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Step is one check: its name, the names of those whose results it works with,
// what it does, and what it reports of a token that passed.
type Step struct {
	Name     string
	Needs    []string
	Run      func(*Evaluation, context.Context) error
	Describe func(*Evaluation) (got, want string)
}

// Steps are all checks on a token in their order. Before the signature is known
// to be good, nothing that the token says decides anything but who has to vouch
// for it. The first check that fails decides alone. A new check has its place
// here, its name in package refusal and in what the rules need; the page on the
// architecture has the rest.
var Steps = []Step{
	{refusal.Form, nil, (*Evaluation).CheckForm, describeForm},
	{refusal.Issuer, []string{refusal.Form}, (*Evaluation).CheckIssuer, describeIssuer},
	{refusal.Algorithm, []string{refusal.Issuer}, (*Evaluation).CheckAlgorithm, describeAlgorithm},
	{refusal.Key, []string{refusal.Issuer}, (*Evaluation).checkKeyOnce, describeKey},
	{refusal.Signature, []string{refusal.Key}, (*Evaluation).checkSignatureOnce, describeSignature},
	{refusal.Expiry, []string{refusal.Form}, (*Evaluation).CheckExpiry, describeExpiry},
	{refusal.NotBefore, []string{refusal.Form}, (*Evaluation).CheckNotBefore, describeNotBefore},
	{refusal.IssuedAt, []string{refusal.Form}, (*Evaluation).CheckIssuedAt, describeIssuedAt},
	{refusal.Audience, []string{refusal.Issuer}, (*Evaluation).CheckAudience, describeAudience},
	{refusal.Type, []string{refusal.Issuer}, (*Evaluation).CheckType, describeType},
	{refusal.Subject, []string{refusal.Issuer}, (*Evaluation).CheckSubject, describeSubject},
	{refusal.Claims, []string{refusal.Issuer}, (*Evaluation).CheckClaims, describeClaims},
	// The program's own rules see nothing but accepted tokens.
	{refusal.Rules, []string{
		refusal.Form, refusal.Issuer, refusal.Algorithm, refusal.Key, refusal.Signature, refusal.Expiry,
		refusal.NotBefore, refusal.IssuedAt, refusal.Audience, refusal.Type, refusal.Subject, refusal.Claims,
	}, (*Evaluation).CheckRules, describeRules},
	{refusal.Revocation, []string{refusal.Signature, refusal.IssuedAt, refusal.Subject, refusal.Claims}, (*Evaluation).CheckRevocation, describeRevocation},
}

// Where some of the steps stand.
var stepAlgorithm, stepSignature, stepSubject = place(refusal.Algorithm), place(refusal.Signature), place(refusal.Subject)

func place(name string) int {
	return slices.IndexFunc(Steps, func(s Step) bool { return s.Name == name })
}

// CheckForm checks the token's shape, as the package jws describes it, and finds out
// whether it is an opaque one that somebody can be asked about.
func (e *Evaluation) CheckForm(ctx context.Context) error {
	err := e.checkJWT(ctx)
	if err != nil && e.isOpaque() {
		return nil
	}
	return err
}

// checkJWT is CheckForm for what is never opaque.
func (e *Evaluation) checkJWT(context.Context) error {
	var err error
	if e.Members, err = e.Token.Parse(e.Members[:0], e.Raw, e.env.MaxBytes); err != nil {
		return Malformed(err)
	}
	e.SetPayload(e.Token.Payload)
	return nil
}

// CheckIssuer finds out who has to vouch for the token.
func (e *Evaluation) CheckIssuer(ctx context.Context) error {
	iss, err := e.UntrustedIssuer()
	if err != nil {
		return err
	}
	descriptions, err := e.env.Find(ctx, iss)
	if err != nil {
		return err
	}
	if !e.ofAll {
		descriptions = withoutOpaque(descriptions)
	}
	e.SetTrust(descriptions[0])
	e.named, e.descriptions = iss, descriptions
	if len(descriptions) > 1 {
		return nil // each names it for itself
	}
	return e.Trust.NameIssuer(&e.Reader, iss)
}

// CheckAlgorithm accepts the algorithms that the issuer's tokens may have.
func (e *Evaluation) CheckAlgorithm(context.Context) error {
	i := slices.Index(e.Trust.Algorithms, e.Token.Algorithm)
	if i < 0 {
		err := refusal.ErrAlgorithm
		if !jws.Known(e.Token.Algorithm) {
			err = refusal.With(err, errNeverAccepted)
		}
		return refusal.New(refusal.Algorithm, err, refusal.Quote(e.Token.Algorithm), refusal.OneOf(e.Trust.Algorithms))
	}
	// A number, because the token's own text would keep its header in memory.
	e.Algorithm = uint8(i)
	return nil
}

// CheckKey finds the keys that may have signed the token: those with its key ID,
// or all if it has none.
func (e *Evaluation) CheckKey(ctx context.Context) error {
	if e.Trust.RequireKeyID && !e.Token.KeyID.Has {
		return &refusal.Refusal{
			Check: refusal.Key, Err: refusal.With(refusal.ErrUnknownKey, errNoKeyID),
			Got: "no key ID", Want: "one, which this issuer's tokens must have (Keys.RequireKeyID)",
		}
	}
	keys, err := e.findKeys(ctx)
	if err != nil {
		return err
	}
	e.Candidates, e.offered = e.ofTenant(keys), keys
	anyFits := func() bool { return slices.ContainsFunc(e.Candidates, e.Fits) }
	if anyFits() {
		return nil
	}
	found, err := e.LookAgain(ctx, anyFits)
	switch {
	case err != nil:
		return err
	case len(e.Candidates) == 0:
		return e.keysRefusal(keyset.ErrUnknownKey)
	case !found:
		return &refusal.Refusal{
			Check: refusal.Algorithm, Err: refusal.With(refusal.ErrAlgorithm, errOtherAlgorithm),
			Got: refusal.Quote(e.Token.Algorithm), Want: "an algorithm of the issuer's key " + DescribeKeys(e.Candidates),
		}
	}
	return nil
}

func (e *Evaluation) findKeys(ctx context.Context) ([]*keyset.Key, error) {
	e.lookups = e.Trust.Keys.Lookups()
	if e.Trust.Stray != nil {
		return e.strayKeys(ctx)
	}
	keys, err := e.Trust.Keys.Keys(ctx, e.Token.KeyID)
	if e.Trust.Local != nil && errors.Is(err, keyset.ErrUnknownKey) {
		if err := e.Trust.refreshLocal(); err != nil {
			return nil, err
		}
		keys, err = e.Trust.Keys.Keys(ctx, e.Token.KeyID)
	}
	if err != nil {
		return nil, e.keysRefusal(err)
	}
	return keys, nil
}

// refreshLocal has the source of the keys look for newer ones.
func (t *Trust) refreshLocal() error {
	if err := t.Local.Refresh(); err != nil {
		return refusal.Because(refusal.Key, refusal.ErrKeysUnavailable, fmt.Errorf("Keys.Source: Refresh: %w", err))
	}
	return nil
}

// strayKeys finds the candidates of a token of an issuer that nobody configured,
// contacting it if need be. It tries twice, because an issuer can be evicted
// between the two steps.
func (e *Evaluation) strayKeys(ctx context.Context) ([]*keyset.Key, error) {
	stray := e.Trust.Stray
	var err error
	for range 2 {
		trust, refused := stray.Contact(ctx, e.Trust, e.Token.KeyID)
		if refused != nil {
			return nil, refused
		}
		e.SetTrust(trust)
		var keys []*keyset.Key
		if keys, err = trust.Keys.Keys(ctx, e.Token.KeyID); err == nil {
			return keys, nil
		}
		if !errors.Is(err, keyset.ErrClosed) {
			break
		}
	}
	return nil, e.strayRefusal(ctx, err)
}

func (e *Evaluation) strayRefusal(ctx context.Context, err error) error {
	if errors.Is(err, keyset.ErrUnknownKey) {
		return e.keysRefusal(err)
	}
	return e.Trust.Stray.Refuse(ctx, err)
}

func (e *Evaluation) keysRefusal(err error) error {
	var unavailable *keyset.UnavailableError
	switch {
	case errors.Is(err, keyset.ErrUnknownKey):
		return e.unknownKey()
	case errors.Is(err, keyset.ErrClosed):
		return refusal.New(refusal.Key, refusal.ErrClosed, "", "")
	case errors.As(err, &unavailable):
		r := refusal.Because(refusal.Key, refusal.ErrKeysUnavailable, err)
		if errors.Is(err, keyset.ErrNoUsableKey) {
			r = e.noUsableKey(err)
		}
		return r.After(unavailable.RetryAfter)
	}
	return refusal.Because(refusal.Key, refusal.ErrKeysUnavailable, err)
}

// CheckExpiry refuses what has expired, and what expires too far ahead.
func (e *Evaluation) CheckExpiry(context.Context) error {
	if err := e.ReadExpiry(); err != nil {
		return err
	}
	if err := CheckUnexpired(e.Record, e.leeway(), e.Now); err != nil {
		return err
	}
	return e.checkLifetime(refusal.Expiry, e.Now)
}

// CheckNotBefore refuses what is not valid yet.
func (e *Evaluation) CheckNotBefore(context.Context) error {
	if err := e.ReadNotBefore(); err != nil {
		return err
	}
	return CheckBegun(e.Record, e.leeway(), e.Now)
}

// CheckIssuedAt refuses what claims to be issued later than now, and what lives
// too long from then on.
func (e *Evaluation) CheckIssuedAt(context.Context) error {
	if err := e.ReadIssuedAt(); err != nil {
		return err
	}
	if claims.At(e.Now).Plus(e.leeway()) < e.Record.IssuedAt {
		return refusal.New(refusal.IssuedAt, refusal.ErrIssuedInFuture, refusal.Time(e.Record.IssuedAt.Time()), "not later than "+refusal.Time(e.Now.Add(e.leeway()))+byLeeway(e.leeway(), "plus"))
	}
	if e.Record.IssuedAt == 0 {
		return e.env.checkDated(e.Record)
	}
	return e.checkLifetime(refusal.IssuedAt, e.Record.IssuedAt.Time())
}

// checkDated refuses a token without time of issue where lifetimes are bounded: it may
// have outlived its revocation, however little of its life is left.
func (v *Env) checkDated(r *claims.Record) error {
	if v.MaxLifetime == 0 || r.NeverExpires {
		return nil
	}
	return refusal.New(refusal.IssuedAt, refusal.ErrClaim, `no "iat"`, "a time of issue, by which Config.MaxTokenLifetime is checked")
}

// CheckAudience refuses a token that is for somebody else.
func (e *Evaluation) CheckAudience(context.Context) error {
	if err := e.ReadAudience(); err != nil {
		return err
	}
	return e.Trust.CheckAudience(&e.Reader)
}

// CheckType keeps out tokens that are signed for another purpose, and those that are
// bound to what nobody here could have proved.
func (e *Evaluation) CheckType(context.Context) error {
	if err := e.Trust.CheckType(&e.Token, &e.Reader); err != nil {
		return err
	}
	return e.Trust.CheckBinding(&e.Reader, e.env.Proves)
}

// CheckSubject reads who the token is about.
func (e *Evaluation) CheckSubject(context.Context) error {
	if err := e.ReadSubject(); err != nil {
		return err
	}
	return e.Trust.CheckSubject(&e.Reader)
}

// CheckClaims reads the other claims.
func (e *Evaluation) CheckClaims(context.Context) error { return e.ReadOthers() }

// CheckRules applies the issuer's own demands, and the program's rules, unless
// these have to see what supplements the token.
func (e *Evaluation) CheckRules(context.Context) error {
	if err := e.Trust.CheckDemands(&e.Reader); err != nil {
		return err
	}
	if e.Trust.Supplement != nil {
		return nil
	}
	return e.env.Rules(e)
}

// CheckRevocation refuses what was revoked.
func (e *Evaluation) CheckRevocation(context.Context) error { return e.env.Revoked(e) }

// CheckUnexpired refuses from the instant of the expiry plus leeway on.
func CheckUnexpired(r *claims.Record, leeway time.Duration, now time.Time) error {
	if r.NeverExpires {
		return nil
	}
	if claims.At(now) >= r.Expiry.Plus(leeway) {
		return refusal.New(refusal.Expiry, refusal.ErrExpired, refusal.Time(r.Expiry.Time()), "later than "+refusal.Time(now.Add(-leeway))+byLeeway(leeway, "less"))
	}
	return nil
}

// byLeeway says by how much a time that is wanted differs from now.
func byLeeway(leeway time.Duration, word string) string {
	if leeway == 0 {
		return " (now)"
	}
	return " (now, " + word + " " + leeway.String() + " of leeway)"
}

// CheckBegun refuses before the not-before time less leeway.
func CheckBegun(r *claims.Record, leeway time.Duration, now time.Time) error {
	if claims.At(now).Plus(leeway) < r.NotBefore {
		return refusal.New(refusal.NotBefore, refusal.ErrNotYetValid, refusal.Time(r.NotBefore.Time()), "not later than "+refusal.Time(now.Add(leeway))+byLeeway(leeway, "plus"))
	}
	return nil
}

// checkLifetime refuses an expiry too far ahead of start: of now or of the time of
// issue. The latter keeps a token from outliving its own revocation, which is
// dropped when all tokens of its time must have expired.
func (e *Evaluation) checkLifetime(check string, start time.Time) error {
	if e.env.MaxLifetime == 0 {
		return nil
	}
	if limit := start.Add(e.env.MaxLifetime + e.leeway()); e.Record.Expiry.Time().After(limit) {
		from := "now"
		if check == refusal.IssuedAt {
			from = `"iat"`
		}
		return refusal.New(check, refusal.ErrClaim, fmt.Sprintf(`"exp" %s`, refusal.Time(e.Record.Expiry.Time())),
			fmt.Sprintf("not later than %s (%s, plus Config.MaxTokenLifetime and %s of leeway)", refusal.Time(limit), from, e.leeway()))
	}
	return nil
}
