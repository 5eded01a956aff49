package verify

import (
	"context"
	"crypto"
	"net/http"
	"slices"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An issuer may have several descriptions, each of one kind of its tokens. What is
// chosen among them is only who judges: whichever it is, the token has to pass all
// of its checks. So nothing that a token says gets it past one, and a signature is
// demanded before its words count for the choice.

// A check is one that decides whether a description is a token's.
type check = func(*Evaluation, context.Context) error

// fitting are the checks behind the signature that a token has to pass for a
// description to be the one that decides about it: those of the table up to the
// subject, whichever they are, and the demands on claims.
var fitting = append(stepsBetween(stepSignature, stepSubject),
	func(e *Evaluation, _ context.Context) error { return e.Trust.CheckDemands(&e.Reader) })

// stepsBetween returns the checks of the table behind one and before another.
func stepsBetween(after, before int) []check {
	var checks []check
	for _, step := range Steps[after+1 : before] {
		checks = append(checks, step.Run)
	}
	return checks
}

// How far a token comes with a description. Behind the last are the checks that
// follow the signature. That the keys are not known stands above a bad signature:
// nothing is known of the token then.
const (
	atIssuer = iota
	atAlgorithm
	atKey
	atSignature
	atUnknown
	signed
)

// A keyOutcome is what came of a token and the keys of one set, whose signature is
// checked once.
type keyOutcome struct {
	keys       *keyset.Set
	candidates []*keyset.Key
	key        *keyset.Key // nil if none has signed it
	failed     int         // atKey or atSignature
	err        error
	tried      attempts
	open       bool // there may be other keys, of whose issuer nobody has asked yet
}

// Choose finds the description that decides about the token, among those that its
// issuer has: the first that it passes the checks of, from the issuer's name to the
// signature and then the given ones. If it passes those of none, the error is that
// of the one with which it came furthest, and the first of these. Where an issuer
// has descriptions with other keys, the first whose keys have signed the token counts,
// and those that share these.
func (e *Evaluation) Choose(ctx context.Context, then ...func(context.Context) error) error {
	checks := make([]check, len(then))
	for i, run := range then {
		checks[i] = func(_ *Evaluation, ctx context.Context) error { return run(ctx) }
	}
	return e.choose(ctx, checks)
}

func (e *Evaluation) choose(ctx context.Context, checks []check) error {
	if len(e.descriptions) < 2 {
		_, err := e.pass(ctx, checks)
		return err
	}
	var last *attempt
	e.outcomes = e.outcomes[:0]
	for _, looking := range [...]bool{false, true} {
		if !looking && !e.severalKeys() {
			continue
		}
		e.still = !looking
		if last = e.tryAll(ctx, checks); last == nil {
			continue
		}
		if last.err == nil || last.reached >= signed {
			break
		}
	}
	e.still = false
	if last.err != nil {
		// What is told of the token is told by this one.
		_ = e.use(last.trust)
	}
	return last.err
}

// An attempt is how far a token came with one description.
type attempt struct {
	trust   *Trust
	reached int
	err     error
}

// tryAll returns the attempt that counts: the first that did not fail, or else the
// one that came furthest. It is nil if there was none.
func (e *Evaluation) tryAll(ctx context.Context, checks []check) *attempt {
	var best *attempt
	for _, t := range e.descriptions {
		if e.still && !e.mayBeOf(t) || best != nil && best.reached >= signed && best.trust.Keys != t.Keys {
			continue
		}
		reached, err := atIssuer, e.use(t)
		if err == nil {
			reached, err = e.pass(ctx, checks)
		}
		if best == nil || err == nil || reached > best.reached {
			best = &attempt{t, reached, err}
		}
		if err == nil {
			return best
		}
	}
	return best
}

// use makes the description the one that judges.
func (e *Evaluation) use(t *Trust) error {
	e.SetTrust(t)
	e.Key, e.Candidates, e.offered, e.tried = nil, nil, nil, e.triedOf(t.Keys)
	e.Record.NeverExpires, e.Record.Type, e.Record.Confirmation = false, 0, nil
	return t.NameIssuer(&e.Reader, e.named)
}

// pass runs the checks for one description, and returns which one failed.
func (e *Evaluation) pass(ctx context.Context, checks []check) (reached int, err error) {
	for i, run := range [...]check{atAlgorithm: (*Evaluation).CheckAlgorithm, atKey: (*Evaluation).checkKeyOnce, atSignature: (*Evaluation).checkSignatureOnce} {
		if run == nil {
			continue
		}
		if err := run(e, ctx); err != nil {
			if refusal.Find(err).Status == http.StatusServiceUnavailable {
				i = atUnknown
			}
			return i, err
		}
	}
	for i, run := range checks {
		if err := run(e, ctx); err != nil {
			return signed + i, err
		}
	}
	return signed + len(checks), nil
}

// Recognize takes the place of the check of the signature where it was checked
// before, with a key that may have come from elsewhere: the same public key has to be
// among those that may have signed the token.
func (e *Evaluation) Recognize(was *keyset.Key) error {
	public, comparable := was.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, k := range e.Candidates {
		if k != was && (!comparable || !public.Equal(k.Public())) {
			continue
		}
		if e.Fits(k) && e.Trust.Allows(k, e.Token.KeyID.Has) {
			e.Key = k
			return nil
		}
	}
	return refusal.New(refusal.Key, refusal.ErrUnknownKey, "a key of the issuer as it was described before", "one of the issuer's keys "+DescribeKeys(e.Candidates))
}

// withoutOpaque leaves out the descriptions that no JWT fits, unless there are no
// others.
func withoutOpaque(all []*Trust) []*Trust {
	isOpaque := func(t *Trust) bool { return t.Opaque }
	if !slices.ContainsFunc(all, isOpaque) {
		return all
	}
	if rest := slices.DeleteFunc(slices.Clone(all), isOpaque); len(rest) > 0 {
		return rest
	}
	return all
}

// severalKeys reports whether the descriptions have other keys.
func (e *Evaluation) severalKeys() bool {
	return slices.ContainsFunc(e.descriptions, func(t *Trust) bool { return t.Keys != e.descriptions[0].Keys })
}

// mayBeOf reports whether the keys in hand may have signed the token, so that
// nobody has to be asked for others on its account.
func (e *Evaluation) mayBeOf(t *Trust) bool {
	if !e.Token.KeyID.Has {
		return t.Keys.InHand()
	}
	return len(t.Keys.Peek(e.Token.KeyID.Text)) > 0
}

// outcomeOfKeys returns what came of the token and the keys of the description, nil if
// that is not known, or only as far as nobody is asked for other keys.
func (e *Evaluation) outcomeOfKeys() *keyOutcome {
	for i := range e.outcomes {
		if o := &e.outcomes[i]; o.keys == e.Trust.Keys && (!o.open || e.still) {
			return o
		}
	}
	return nil
}

// outcomeBefore returns what came of the token at the first look at a set, nil if it was
// not looked at.
func (e *Evaluation) outcomeBefore(keys *keyset.Set) *keyOutcome {
	for i := range e.outcomes {
		if e.outcomes[i].keys == keys {
			return &e.outcomes[i]
		}
	}
	return nil
}

// triedOf returns the signature checks that the token has caused with keys of a set: what
// one token is worth is not more because the set is looked at twice.
func (e *Evaluation) triedOf(keys *keyset.Set) attempts {
	if before := e.outcomeBefore(keys); before != nil {
		return before.tried
	}
	return attempts{}
}

// remember keeps what came of the token and the keys of the description.
func (e *Evaluation) remember(failed int, err error) error {
	if len(e.descriptions) > 1 {
		open := e.still && err != nil && (!e.Token.KeyID.Has || e.Trust.Keys.ReusesKeyIDs())
		e.outcomes = append(e.outcomes, keyOutcome{e.Trust.Keys, e.Candidates, e.Key, failed, err, e.tried, open})
	}
	return err
}

// checkKeyOnce is CheckKey, unless another description of the same keys has asked.
func (e *Evaluation) checkKeyOnce(ctx context.Context) error {
	known := e.outcomeOfKeys()
	if known == nil || e.Trust.RequireKeyID && !e.Token.KeyID.Has {
		err := e.CheckKey(ctx)
		if err != nil && !(e.Trust.RequireKeyID && !e.Token.KeyID.Has) {
			return e.remember(atKey, err)
		}
		return err
	}
	if known.failed == atKey {
		return known.err
	}
	e.Candidates = known.candidates
	return nil
}

// checkSignatureOnce is the check of the signature, unless it was checked with the
// same keys.
func (e *Evaluation) checkSignatureOnce(ctx context.Context) error {
	if known := e.outcomeOfKeys(); known != nil {
		e.Key = known.key
		return known.err
	}
	if e.signed != nil {
		return e.remember(atSignature, e.signed(ctx))
	}
	return e.remember(atSignature, e.CheckSignature(ctx))
}
