package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/asked"
	"github.com/oidcauth/oidcauth/internal/call"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// A caller is who a context acts for: the bearer of the claims, the server itself
// if internal, or nobody.
type caller struct {
	claims   *Claims
	internal bool
	session  context.Context // that the call is made on, which ends with it; nil for none
}

// A callerContext is a context that acts for a caller.
type callerContext struct {
	context.Context
	caller caller
}

// callerKey finds the caller of the innermost callerContext.
type callerKey struct{}

// Value returns the caller for callerKey, and the session that the call is made on.
func (c *callerContext) Value(key any) any {
	switch key.(type) {
	case callerKey:
		return &c.caller
	case call.SessionKey:
		return c.caller.session // that of whoever ctx acted for before is not this caller's
	}
	return c.Context.Value(key)
}

// String is for package fmt, which would write the claims out otherwise.
func (c *callerContext) String() string { return fmt.Sprint(c.Context) + ".NewContext" }

// onSession returns a context for a call on a session by the bearer of its token.
func onSession(session context.Context, claims *Claims) context.Context {
	return &callerContext{session, caller{claims: claims, session: session}}
}

// renewableKey finds a session, which is renewable, in the values of its context.
type renewableKey struct{}

// A renewable is a session as the calls on it know it.
type renewable interface {
	// checkCall returns why a call may not go on, though the session lives: the claims
	// that it acts for are not those that the session lives by now, and are revoked. That
	// they have expired since is no reason.
	checkCall(c *Claims) error
}

// ended returns why a call that acts for claims may not go on. It may unless it is made on
// a session, whose context is given.
func ended(session context.Context, c *Claims) error {
	if session == nil {
		return nil
	}
	if session.Err() != nil {
		return context.Cause(session)
	}
	if s, is := session.Value(renewableKey{}).(renewable); is {
		return s.checkCall(c)
	}
	return nil
}

// nobody is who a context acts for that nobody prepared.
var nobody = new(caller)

// NewContext returns a context that acts for the bearer of a verified token. It
// replaces whoever ctx acted for before. With nil claims, and with the zero value, it
// acts for nobody. A nil ctx counts as [context.Background]. Nobody looks at the token
// again: what goes on until it may have expired, or been revoked, takes the contexts of a
// [Session].
func NewContext(ctx context.Context, claims *Claims) context.Context {
	if claims.isNobodys() {
		claims = nil
	}
	return &callerContext{orBackground(ctx), caller{claims: claims}}
}

// orBackground returns ctx, or one for a caller that gave none.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// withoutCaller returns a context with the same values, but for the caller, whom
// the one who asks replaces. What belongs to the caller's request can be collected.
func withoutCaller(ctx context.Context) context.Context {
	if c, ok := ctx.(*callerContext); ok {
		return c.Context
	}
	return ctx
}

// FromContext returns the claims of the caller that ctx acts for. It returns
// nil and false for an internal call and when nobody is known, which is never so behind
// [Authenticator.Middleware]. The claims may be kept after the call.
func FromContext(ctx context.Context) (*Claims, bool) {
	c := callerOf(ctx).claims
	return c, c != nil
}

// NewInternalContext returns a context for a call that the server makes on its
// own behalf, a scheduled or an initial one: [Require] lets it pass. It replaces
// whoever ctx acted for before, so never derive it from a client's request.
func NewInternalContext(ctx context.Context) context.Context {
	return &callerContext{orBackground(ctx), caller{internal: true}}
}

// IsInternal reports whether ctx is of a call that the server makes on its own
// behalf. A context that nobody prepared is not.
func IsInternal(ctx context.Context) bool { return callerOf(ctx).internal }

func callerOf(ctx context.Context) *caller {
	if ctx == nil {
		return nobody
	}
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return nobody
}

// A Rule returns nil if the claims satisfy it, or else an error that says what
// they have and what they need. Whatever that error is, it refuses the caller as
// a broken rule does: with [ErrRule] in [Issuer.Rules], with [ErrForbidden] in
// [Require]. One that panics refuses with [ErrAnswerUnavailable], because nobody knows
// what it would have said. Those of this package are not satisfied by nil claims.
type Rule func(*Claims) error

// Require returns nil if the caller that ctx acts for satisfies all of the
// rules, or if the call is internal. Without rules it requires any verified
// token. The error is [ErrNoToken] when nobody is known, [ErrForbidden] when
// a rule is not satisfied, and [ErrAnswerUnavailable] when one panicked. Where ctx is that
// of a [Session.CallContext], or comes from it, and the session has ended, be it while the
// call runs, it is the cause of that: [ErrRevoked], for instance. It is that, too, where the
// session goes on by another token and the call's own was revoked; that it has expired
// since counts for nothing. Package guard refuses the requests whose handlers do not ask.
func Require(ctx context.Context, rules ...Rule) error {
	err := require(ctx, rules)
	if note := asked.From(ctx); err == nil {
		note.Grant()
	} else {
		note.Refuse()
	}
	return err
}

func require(ctx context.Context, rules []Rule) error {
	c := callerOf(ctx)
	if c.internal {
		return nil
	}
	if c.claims == nil {
		return whyNobody(ctx)
	}
	if err := ended(call.SessionOf(ctx), c.claims); err != nil {
		return err
	}
	err := All(rules...)(c.claims)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, panics.Err):
		return refusal.Because(refusal.Rules, ErrAnswerUnavailable, err)
	}
	return refusal.Because(refusal.Rules, ErrForbidden, err)
}

// whyNobody says why a context acts for nobody: that of a call on a session has ended with
// what ended the session, or with what could not be asked.
func whyNobody(ctx context.Context) error {
	if ctx != nil {
		if ended, is := errors.AsType[*Refusal](context.Cause(ctx)); is {
			return ended
		}
	}
	return refusal.New(refusal.Rules, ErrNoToken, "", "")
}

// HasRole demands that role is among the caller's roles. Roles are names that
// the caller's issuer hands out: with several issuers, join it with [HasIssuer]
// unless all of them are trusted with the role.
func HasRole(role string) Rule {
	return func(c *Claims) error {
		if c.HasRole(role) {
			return nil
		}
		return fmt.Errorf("role: got %s, want %q", refusal.QuoteAll(slices.Collect(c.Roles())), role)
	}
}

// HasScope demands that scope is among the token's scopes.
func HasScope(scope string) Rule {
	return func(c *Claims) error {
		if c.HasScope(scope) {
			return nil
		}
		return fmt.Errorf("scope: got %s, want %q", refusal.QuoteAll(slices.Collect(c.Scopes())), scope)
	}
}

// HasIssuer demands that the token comes from one of the issuers, given by
// their [Issuer.URL]. Of a template ([Issuer.TenantClaim]) each tenant is an issuer of its
// own, given by the "iss" of its tokens: a role is what its own tenant calls so.
func HasIssuer(issuers ...string) Rule {
	issuers = slices.Clone(issuers)
	return func(c *Claims) error {
		if c.isNobodys() {
			return errNobody
		}
		if slices.Contains(issuers, c.record.Issuer) {
			return nil
		}
		return fmt.Errorf("issuer: got %s, want %s", refusal.Quote(c.record.Issuer), refusal.OneOf(issuers))
	}
}

// HasAudience demands that the token is for one of the audiences.
func HasAudience(audiences ...string) Rule {
	audiences = slices.Clone(audiences)
	return func(c *Claims) error {
		if slices.ContainsFunc(audiences, c.HasAudience) {
			return nil
		}
		return fmt.Errorf("audience: got %s, want %s", refusal.QuoteAll(slices.Collect(c.Audience())), refusal.OneOf(audiences))
	}
}

// errNobody is why claims that nobody has satisfy no rule.
var errNobody = errors.New("nobody's claims")

// All demands every one of the rules. A nil rule is never satisfied.
func All(rules ...Rule) Rule {
	return func(c *Claims) error {
		if c.isNobodys() {
			return errNobody
		}
		for _, rule := range rules {
			if err := ask(rule, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// ask asks a rule. A nil one, which somebody meant to be one, is never satisfied.
func ask(rule Rule, c *Claims) error {
	if rule == nil {
		return errors.New("a nil rule, which nobody satisfies")
	}
	return rule.of(c)
}

// Any demands one at least of the rules. Without rules nothing satisfies it. A
// nil rule is never satisfied.
func Any(rules ...Rule) Rule {
	return func(c *Claims) error {
		if c.isNobodys() {
			return errNobody
		}
		var broken brokenRules
		for _, rule := range rules {
			err := ask(rule, c)
			if err == nil {
				return nil
			}
			broken = append(broken, err)
		}
		if len(broken) == 0 {
			return errors.New("any of no rules")
		}
		return broken
	}
}

// brokenRules are why none of several rules is satisfied.
type brokenRules []error

func (b brokenRules) Error() string {
	texts := make([]string, len(b))
	for i, err := range b {
		texts[i] = err.Error()
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return "none of: " + strings.Join(texts, "; ")
}

func (b brokenRules) Unwrap() []error { return b }

// callerAddrKey finds the address in a context of [WithCallerAddr].
type callerAddrKey struct{}

// WithCallerAddr returns a context for a call from addr, which is what
// [AnyIssuer] accounts the work to that the call's token causes. It is for programs
// outside net/http, and for those that know better than the connection does: behind
// a proxy on a Unix socket, for instance. Within net/http see
// [Authenticator.CallerContext]. Give the address of the caller, not of a proxy. The
// zero address stands for all callers whose address is not known.
func WithCallerAddr(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(orBackground(ctx), callerAddrKey{}, addr)
}

// callerAddrOf returns the account of the caller that ctx is for.
func callerAddrOf(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(callerAddrKey{}).(netip.Addr)
	return strangers.Account(addr)
}

// onAccountOf returns ctx on the account of the caller that begun is for, unless it is on
// one already.
func onAccountOf(ctx, begun context.Context) context.Context {
	addr := begun.Value(callerAddrKey{})
	if addr == nil || ctx.Value(callerAddrKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, callerAddrKey{}, addr)
}

// A ClaimRule is a demand on one claim, as data. It demands one thing: exactly
// one of In, All, NotIn, Prefix, Suffix, Differs, Present and Absent is set. A demand for
// several is several rules.
//
// The values of a claim are the string itself, the strings of an array, or the
// text of a number or boolean; they are compared byte for byte. A claim of any
// other shape breaks every rule about its values, and so does an array with
// anything in it but strings.
type ClaimRule struct {
	// Claim is where the claim is. Required.
	Claim Path `json:"claim"`

	// Supplement says that the claim is looked for in the answer of
	// [Issuer.Supplement], and there alone. False means in the token alone.
	Supplement bool `json:"supplement,omitempty"`

	// In demands that one value of the claim at least is among these.
	In []string `json:"in,omitempty"`

	// All demands that each of these is a value of the claim.
	All []string `json:"all,omitempty"`

	// NotIn demands that no value of the claim is among these. A missing claim
	// satisfies it. A number in a spelling that others of the same value have (1.0,
	// 1e0, -0) does not: it cannot be told from those listed.
	NotIn []string `json:"not_in,omitempty"`

	// Prefix demands that one value of the claim at least begins with one of these.
	Prefix []string `json:"prefix,omitempty"`

	// Suffix demands that one value of the claim at least ends with one of these.
	Suffix []string `json:"suffix,omitempty"`

	// Differs demands that the claim and the one that it names are both there, and that
	// no value of the one is a value of the other: {"client_id"} at "sub" keeps out the
	// tokens that a client gets for itself, whose subject is the client's ID at many
	// issuers, in one space with people's names.
	Differs Path `json:"differs,omitempty"`

	// Present demands that the claim is there and holds something: that it is not
	// null and no empty string, array or object.
	Present bool `json:"present,omitempty"`

	// Absent demands that the claim is not there, not even as null.
	Absent bool `json:"absent,omitempty"`

	// Optional lets a missing claim satisfy In, All, Prefix or Suffix. Null is not
	// missing.
	Optional bool `json:"optional,omitempty"`

	// Or are further rules: a token that satisfies any of them need not satisfy
	// this one. Empty means that it must.
	Or []ClaimRule `json:"or,omitempty"`
}

// Rule returns the demand as a rule for [Require], for what one route or one table
// demands and not every token of the issuer. The error says why it can demand nothing,
// as [New] does of [Issuer.ClaimRules]. With Supplement nobody satisfies it whose
// issuer has none; where that gave nothing, the claim is missing. Changes of r have no
// effect on the rule, which is safe for concurrent use.
func (r ClaimRule) Rule() (Rule, error) {
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("oidcauth: %w", err)
	}
	d := r.demand()
	return func(c *Claims) error {
		if c.isNobodys() {
			return errNobody
		}
		supplement := noSupplement
		if c.supplied != nil { // be it with nothing
			supplement = lookupIn(c.supplied.text)
		}
		return d.Check(lookupIn(c.record.Payload), supplement)
	}, nil
}

// noSupplement is where a rule looks whose token nothing supplements.
func noSupplement(Path) (jws.Member, bool, error) {
	return jws.Member{}, false, errors.New("nothing supplements the token")
}

// compared returns the one list of values that is set, and how it is compared.
func (r *ClaimRule) compared() (kind policy.Kind, values []string) {
	switch {
	case r.In != nil:
		return policy.In, r.In
	case r.All != nil:
		return policy.All, r.All
	case r.NotIn != nil:
		return policy.NotIn, r.NotIn
	case r.Prefix != nil:
		return policy.Prefix, r.Prefix
	case r.Suffix != nil:
		return policy.Suffix, r.Suffix
	}
	return "", nil
}

func (r *ClaimRule) validate() error {
	if !r.Claim.IsValid() {
		return errors.New("claim rule: the path to the claim is empty or has an empty name")
	}
	demands := 0
	for _, set := range []bool{r.In != nil, r.All != nil, r.NotIn != nil, r.Prefix != nil, r.Suffix != nil, r.Differs != nil, r.Present, r.Absent} {
		if set {
			demands++
		}
	}
	kind, values := r.compared()
	switch {
	case demands != 1:
		return fmt.Errorf("claim rule %s: got %d demands, want one of In, All, NotIn, Prefix, Suffix, Differs, Present and Absent", r.Claim, demands)
	case kind != "" && len(values) == 0:
		return fmt.Errorf("claim rule %s %s: got no values, want one at least", r.Claim, kind)
	case (r.Prefix != nil || r.Suffix != nil) && slices.Contains(values, ""):
		return fmt.Errorf("claim rule %s: an empty %s demands nothing", r.Claim, kind)
	case r.Differs != nil && (!r.Differs.IsValid() || slices.Equal(r.Differs, r.Claim)):
		return fmt.Errorf("claim rule %s: Differs is %q, want the path to another claim", r.Claim, r.Differs)
	case r.Optional && (kind == "" || r.NotIn != nil):
		return fmt.Errorf("claim rule %s: Optional is for In, All, Prefix and Suffix", r.Claim)
	}
	for i := range r.Or {
		if err := r.Or[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

// vouchesFor reports whether every token that satisfies the rule says of a claim that
// it is "true", or has none.
func (r *ClaimRule) vouchesFor(verified Path) bool {
	return slices.Equal(r.Claim, verified) && !r.Supplement && !r.Optional && len(r.Or) == 0 && (r.Absent || slices.Equal(r.In, []string{"true"}))
}

// demand returns what a valid rule demands, with copies of all that it holds.
func (r *ClaimRule) demand() policy.Demand {
	d := policy.Demand{Claim: slices.Clone(r.Claim), Optional: r.Optional, Or: demands(r.Or), Supplement: r.Supplement}
	switch {
	case r.Present:
		d.Kind = policy.Present
	case r.Absent:
		d.Kind = policy.Absent
	case r.Differs != nil:
		d.Kind, d.Other = policy.Differs, slices.Clone(r.Differs)
	default:
		var values []string
		d.Kind, values = r.compared()
		d.Values = slices.Clone(values)
	}
	return d
}

func demands(rules []ClaimRule) []policy.Demand {
	all := make([]policy.Demand, len(rules))
	for i := range rules {
		all[i] = rules[i].demand()
	}
	return all
}

// A Path leads to a claim by its member names from the top of the payload:
// Path{"realm_access", "roles"}. Names are matched exactly, and a dot in one is a dot:
// Path{"realm_access.roles"} is another claim. It is a []string, with
// the methods String, which joins the names with "/", and IsValid, which is false
// of one without names or with an empty one. [Issuer.Subject] and others hold it.
type Path = claims.Path
