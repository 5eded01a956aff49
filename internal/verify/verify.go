// Package verify runs the checks on a token, each in its place in one table. It
// judges by a policy, by keys and by a clock; what else there is to ask, the
// program's rules and what was revoked, it asks through functions.
package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Trust is what the checks know of an issuer: what its tokens must be like, and
// who knows its keys.
type Trust struct {
	policy.Policy
	Keys   *keyset.Set   // nil for an issuer that has to be contacted first
	Leeway time.Duration // for the issuer's clock
	Order  *Order        // in which keys are tried
	Local  Local         // where the keys come from, if not from elsewhere; else nil
	Stray  Stray         // of an issuer that nobody configured; else nil
	Owner  any           // whoever made the trust

	// Supplement adds to an evaluation what the token does not say itself. Nil
	// where the token says everything.
	Supplement func(context.Context, *Evaluation) error

	// Introspect returns what the issuer answers about an opaque token, and when it was
	// asked. Nil where the tokens are JWTs.
	Introspect func(context.Context, *Evaluation) (answer string, asked time.Time, err error)
}

// A Local knows the keys of an issuer in this process.
type Local interface {
	// Refresh looks whether there are other keys, for a token that none fits. With an
	// error nobody knows.
	Refresh() error
	// SignsWithoutID reports whether a key may have signed tokens that bear no key
	// ID: elsewhere, before it came here.
	SignsWithoutID(*keyset.Key) bool
}

// Allows reports whether tokens under a key may be without key ID, if this one is: those of
// an issuer in this process may if its source says so of the key.
func (t *Trust) Allows(k *keyset.Key, named bool) bool {
	return named || t.Local == nil || t.Local.SignsWithoutID(k)
}

// A Stray contacts an issuer that nobody configured.
type Stray interface {
	// Contact returns the trust in the issuer with its keys, which it waits for.
	Contact(ctx context.Context, t *Trust, keyID jws.KeyID) (*Trust, error)
	// Refuse returns the refusal of a token whose issuer has worked before. What was
	// behind it stays behind: it may be about an address that the issuer chose.
	Refuse(ctx context.Context, err error) error
}

// An Env is what is the same for all tokens.
type Env struct {
	MaxBytes    int           // of a token
	Leeway      time.Duration // for the clock of an issuer that is not known
	MaxLifetime time.Duration // of a token; zero for no limit

	// Find returns all descriptions of the issuer of a name, one at least. Issuers names
	// those that it knows.
	Find    func(ctx context.Context, name string) ([]*Trust, error)
	Issuers func() string

	// Proves are the methods by which tokens may be bound, because possession of what
	// they are bound to is proved at each use.
	Proves policy.Methods

	// FindOpaque returns the trust in the issuer that is asked about an opaque token, by
	// the form of the token, or nil. Nil finds none.
	FindOpaque func(token string) *Trust

	// New returns an empty record, and what it is a part of.
	New func() (*claims.Record, any)

	// Supplied tells what was supplied about a token.
	Supplied func(*Evaluation) string

	// Rules applies the program's own rules, of which there are so many for an
	// issuer, and all others that see what was supplied. Revoked refuses what was revoked.
	Rules     func(*Evaluation) error
	RuleCount func(*Trust) int
	Revoked   func(*Evaluation) error
}

// An Evaluation is one token on its way through the checks. Its zero value becomes
// one with Begin; it can be used again after Reset.
type Evaluation struct {
	claims.Reader // of the payload, into the record
	Raw           string
	Now           time.Time
	Token         jws.Token
	Trust         *Trust        // who has to vouch for the token
	Candidates    []*keyset.Key // whose signature it may be
	Algorithm     uint8         // of the token, among those of Trust
	Key           *keyset.Key   // that signed it
	Whole         any           // what the record is a part of
	Known         bool          // the token was found good before, so that anybody may ask about it
	Asked         time.Time     // when its issuer was asked about an opaque token; zero for a JWT

	env          *Env
	named        string   // what the token calls its issuer
	descriptions []*Trust // of the issuer, if it has several
	outcomes     []keyOutcome
	signed       func(context.Context) error // in place of the check of the signature; nil for that
	still        bool                        // asks no issuer for other keys than those in hand
	opaque       bool                        // the token is no JWT
	ofAll        bool                        // the token is of all of the issuer's descriptions, opaque tokens' included

	offered []*keyset.Key // of which Candidates are those of the token's tenant
	lookups uint64        // of the issuer, before its keys were tried
	tried   attempts      // to verify it
}

// Begin starts the evaluation of a token.
func (e *Evaluation) Begin(env *Env, raw string, now time.Time) {
	e.env, e.Raw, e.Now = env, raw, now
}

// Reset empties the evaluation and keeps its buffers for the next token.
func (e *Evaluation) Reset() {
	e.Reader.Reset()
	e.env, e.Trust, e.Candidates, e.offered, e.Key, e.Whole = nil, nil, nil, nil, nil, nil
	e.Raw, e.tried, e.named, e.descriptions, e.signed, e.still = "", attempts{}, "", nil, nil, false
	e.Known, e.Asked, e.opaque, e.ofAll = false, time.Time{}, false, false
	clear(e.outcomes)
	e.outcomes = e.outcomes[:0]
	e.Token.Reset()
	e.Algorithm = 0
}

// SetPayload begins a new record, for the reader to fill in.
func (e *Evaluation) SetPayload(payload string) {
	e.Record, e.Whole = e.env.New()
	e.Record.Payload = payload
}

// SetTrust says whose token it is, if anybody's.
func (e *Evaluation) SetTrust(t *Trust) {
	e.Trust, e.Shape = t, &t.Shape
}

// leeway returns how far the clock of the token's issuer may differ. A report shows
// the times of a token whose issuer is not known, too.
func (e *Evaluation) leeway() time.Duration {
	if e.Trust == nil {
		return e.env.Leeway
	}
	return e.Trust.Leeway
}

// Run runs all checks until one fails.
func (e *Evaluation) Run(ctx context.Context) error {
	if err := e.CheckForm(ctx); err != nil {
		return err
	}
	if e.opaque {
		return e.runSteps(ctx, opaqueSteps[1:])
	}
	return e.Judge(ctx, nil)
}

// Judge runs all checks but that of the form on a payload, and a header, that are
// set. What signed does takes the place of the check of the signature: it says
// which key made it. Nil means that the signature itself is there to be checked.
func (e *Evaluation) Judge(ctx context.Context, signed func(context.Context) error) error {
	if err := e.CheckIssuer(ctx); err != nil {
		return err
	}
	e.signed = signed
	steps := Steps[stepAlgorithm:]
	if len(e.descriptions) > 1 {
		if err := e.choose(ctx, fitting); err != nil {
			return err
		}
		steps = Steps[stepSubject:]
	}
	return e.runSteps(ctx, steps)
}

// Malformed names the rule that a token breaks by its form.
func Malformed(err error) error {
	return &refusal.Refusal{Check: refusal.Form, Err: fmt.Errorf("%w: %s", refusal.ErrMalformedToken, jws.Rule(err))}
}

// ofTenant leaves out the keys with which other tenants' tokens are signed.
func (e *Evaluation) ofTenant(keys []*keyset.Key) []*keyset.Key {
	if e.Trust.Tenants == nil {
		return keys
	}
	var own []*keyset.Key
	for _, k := range keys {
		if e.Trust.Tenants.Owns(k.Issuer(), e.Record.Issuer) {
			own = append(own, k)
		}
	}
	return own
}

// Fits reports whether the key's type, curve and own restrictions permit the
// token's algorithm.
func (e *Evaluation) Fits(k *keyset.Key) bool { return k.Permits(e.Token.Algorithm) }

// DescribeKeys names the first keys and what they are restricted to. How many
// there are, and their long names, may be a stranger's choice.
func DescribeKeys(keys []*keyset.Key) string {
	const limit = 8
	var b strings.Builder
	for i, k := range keys[:min(limit, len(keys))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(refusal.Quote(k.ID()))
		if k.Algorithm() != "" {
			fmt.Fprintf(&b, " (%s)", k.Algorithm())
		}
	}
	if len(keys) > limit {
		fmt.Fprintf(&b, " … %d more", len(keys)-limit)
	}
	return b.String()
}

// without returns the keys that are not among others. Nearly always they are the same.
func without(keys, others []*keyset.Key) []*keyset.Key {
	if slices.Equal(keys, others) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k *keyset.Key) bool { return slices.Contains(others, k) })
}
