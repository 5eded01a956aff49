package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/hidden"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
	"github.com/oidcauth/oidcauth/internal/verify"
)

const defaultAnswerAge = time.Minute

// A supplied is what [Issuer.Supplement] gave about a token. It never changes.
type supplied struct {
	token hidden.Value[string] // to ask again with; empty where nothing was asked
	text  string               // a JSON object, or empty
	own   int                  // how many of the record's lists are the token's
	asked time.Time
	until time.Time
}

// Supplement returns a copy of what [Issuer.Supplement] gave about the token, byte
// for byte, and nil if that was nothing or nobody was asked. It is no part of
// [Claims.Payload], [Claims.Lookup] and [Claims.Decode], which tell what the issuer
// signed; the roles in it are among [Claims.Roles]. A commit log keeps it beside the
// payload, for [Authenticator.UnverifiedClaims].
func (c *Claims) Supplement() json.RawMessage {
	if c.orNothing().supplied == nil || c.supplied.text == "" {
		return nil
	}
	return json.RawMessage(c.supplied.text)
}

// checkSupplement reports the first contradiction about who supplies more.
func (i *Issuer) checkSupplement() error {
	switch {
	case i.AnswerAge < 0:
		return fmt.Errorf("oidcauth: issuer %q: AnswerAge: got %v, want none or more", i.URL, i.AnswerAge)
	case policy.CheckDuration(i.AnswerAge) != nil:
		return fmt.Errorf("oidcauth: issuer %q: AnswerAge: %w", i.URL, policy.CheckDuration(i.AnswerAge))
	case i.Supplement != nil:
		return nil
	case i.AnswerAge != 0 && i.Introspect == nil:
		return fmt.Errorf("oidcauth: issuer %q: AnswerAge without Supplement or Introspect", i.URL)
	}
	for _, r := range i.ClaimRules {
		if d := r.demand(); d.Supplemented() {
			return fmt.Errorf("oidcauth: issuer %q: claim rule %s: Supplement, which the issuer's description has not", i.URL, r.Claim)
		}
	}
	return nil
}

// askBy has a trust ask about its tokens, if the description says whom.
func (t *trust) askBy(i Issuer, maxBytes int, logger *slog.Logger) {
	if t.answerAge = i.AnswerAge; t.answerAge == 0 {
		t.answerAge = defaultAnswerAge
	}
	if i.Supplement == nil {
		return
	}
	t.asker = supplement.New(supplement.Config{
		Age: t.answerAge, MaxBytes: maxBytes, Reserved: t.reserved(),
		Log: t.logAnswers(logger, "what supplements a token cannot be used", "Issuer.Supplement failed: tokens that need it are refused with 503"),
	})
	t.Trust.Supplement = func(ctx context.Context, e *verify.Evaluation) error {
		c, err := t.supplement(ctx, claimsOf(e), e.Raw)
		if err != nil {
			return err
		}
		e.Whole, e.Record = c, &c.record
		return nil
	}
}

// logAnswers returns what writes a line about an answer that is the program's fault, or
// about an outage of whom it asks.
func (t *trust) logAnswers(logger *slog.Logger, fault, outage string) func(error) {
	return func(err error) {
		level, message := slog.LevelWarn, outage
		if supplement.IsFault(err) {
			level, message = slog.LevelError, fault
		}
		logger.LogAttrs(context.Background(), level, message, slog.String("issuer", t.URL), slog.String("error", err.Error()))
	}
}

// reserved returns the names of claims that this description judges tokens by, or
// makes identities of.
func (t *trust) reserved() []string {
	var names []string
	if t.AudienceClaim != "" {
		names = append(names, t.AudienceClaim)
	}
	if t.Tenants != nil {
		names = append(names, t.Tenants.Claim())
	}
	for _, paths := range [][]Path{t.Shape.Subject, t.Shape.SubjectElse} {
		for _, p := range paths {
			names = append(names, p[0])
		}
	}
	return names
}

// supplement returns the claims of a token with what the program adds to them.
func (t *trust) supplement(ctx context.Context, c *Claims, token string) (*Claims, error) {
	if token == "" {
		return nil, refusal.New(refusal.Supplement, ErrAnswerUnavailable, "a ticket sold by a server without Issuer.Supplement", "")
	}
	if kept := t.of.answer(c, token); kept != nil {
		s := *kept
		return c.with(&s), nil // c is by a ticket, or was judged while the answer came
	}
	alone := c.alone()
	said := "" // of a JWT nobody but itself says what it is
	if c.answered != nil {
		said = c.record.Payload
	}
	answer, err := t.asker.AskOf(ctx, token, string(c.record.Identity[:]), said, func(ctx context.Context) (json.RawMessage, error) {
		return t.functions.Load().supplement(ctx, alone, token)
	})
	if err != nil {
		return nil, answerRefusal(refusal.Supplement, err)
	}
	s := &supplied{text: answer.Text, asked: answer.Asked, until: answer.Asked.Add(t.answerAge)}
	if c.supplied != nil {
		s.token = c.supplied.token
	} else {
		s.token = hidden.Of(strings.Clone(token)) // not a part of a request
	}
	return c.with(s), nil
}

// answerRefusal words the refusal of a token that was asked about in vain.
func answerRefusal(check string, err error) error {
	unavailable, ok := errors.AsType[*supplement.UnavailableError](err)
	switch {
	case !ok:
		return refusal.Because(check, ErrRevoked, err)
	case errors.Is(err, supplement.ErrClosed):
		return refusal.New(check, ErrClosed, "", "")
	}
	return refusal.Because(check, ErrAnswerUnavailable, err).After(unavailable.RetryAfter)
}

// with returns the claims with what was supplied, which has been checked, in place of what
// was before.
func (c *Claims) with(s *supplied) *Claims {
	members, _ := jws.ParseObject(nil, s.text) // none in no text
	next := c.alone()
	s.own = len(next.record.Lists)
	return next.copy(next.record.WithRoles(members, &c.trust.Shape), s)
}

// alone returns the claims without what was supplied.
func (c *Claims) alone() *Claims {
	if c.supplied == nil {
		return c
	}
	record := c.record
	record.Lists = slices.Clip(record.Lists[:c.supplied.own])
	return c.copy(record, nil)
}

// copy returns the same token's claims with another record.
func (c *Claims) copy(record claims.Record, s *supplied) *Claims {
	return &Claims{
		record: record, supplied: s,
		trust: c.trust, key: c.key, answered: c.answered, seller: c.seller,
	}
}

// current reports whether what was supplied, and answered, is young enough to be used.
func (c *Claims) current(now time.Time) bool {
	return (c.supplied == nil || !clocks.Reached(now, c.supplied.until)) && c.answered.current(now)
}

// checkSupplied applies the demands on what was supplied.
func (t *trust) checkSupplied(c *Claims) error {
	if c.supplied == nil {
		return nil
	}
	return t.CheckSupplement(lookupIn(c.record.Payload), lookupIn(c.supplied.text))
}

// lookupIn finds claims in a JSON object, none in no text.
func lookupIn(text string) policy.Lookup {
	return func(path claims.Path) (jws.Member, bool, error) {
		if text == "" {
			return jws.Member{}, false, nil
		}
		return jws.Lookup(text, path...)
	}
}

// allRules returns the name of the check of the program's own rules.
func (t *trust) allRules() string {
	if t.asker != nil {
		return refusal.AllRules
	}
	return refusal.Rules
}

// describeSupplement tells what was supplied, in a few words.
func (c *Claims) describeSupplement() string {
	if c.Supplement() == nil {
		return "nothing"
	}
	members, _ := jws.ParseObject(nil, c.supplied.text)
	return fmt.Sprintf("%d claims in %d bytes", len(members), len(c.supplied.text))
}

// hiddenBytes is what it takes to hide a token, beside the token.
const hiddenBytes = 24

// size estimates the memory that was supplied.
func (s *supplied) size() int {
	if s == nil {
		return 0
	}
	return int(unsafe.Sizeof(*s)) + hiddenBytes + len(s.token.Get()) + len(s.text)
}

// replayed checks what a commit log says was supplied, as an answer is.
func (c *Claims) replayed(text []byte) (*Claims, error) {
	switch {
	case len(text) == 0 && c.trust.asker == nil:
		return c, nil
	case len(text) == 0:
		return c.with(new(supplied)), nil // whoever was asked gave nothing
	case c.trust.strangers != nil:
		return nil, refusal.New(refusal.Supplement, ErrClaim, "a supplement", "none, for an issuer that nobody configured")
	}
	if err := supplement.Check(string(text), c.trust.reserved()); err != nil {
		return nil, refusal.Because(refusal.Supplement, ErrClaim, err)
	}
	return c.with(&supplied{text: string(text)}), nil
}

// An answered is what an issuer said about an opaque token, at some time. It never
// changes.
type answered struct {
	token   hidden.Value[string]
	asked   time.Time
	until   time.Time // when it counts no longer
	another *another  // shared by all claims that rest on the answer, or on one before it
}

// An another says of answers that a later one was another, by which the token is
// refused or somebody else's: why. It may be set at any time.
type another struct{ why atomic.Pointer[error] }

func newAnswered(token string, asked time.Time, age time.Duration) *answered {
	return &answered{token: hidden.Of(strings.Clone(token)), asked: asked, until: asked.Add(age), another: new(another)} // not a part of a request
}

// follows has what is learned of the answer count for those who go on by the one before
// it, about the same caller, too: a call on a session keeps its claims for as long as it
// runs. By one that is refused nobody goes on.
func (s *answered) follows(before *answered) {
	if before.refused() == nil {
		s.another = before.another
	}
}

// isSame reports whether both are one answer, which may be judged by two descriptions, or
// none.
func (s *answered) isSame(other *answered) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.asked.Equal(other.asked) && s.token.Get() == other.token.Get()
}

// learn notes why the token is refused by a later answer, unless that says that nobody
// knows.
func (s *answered) learn(why error) {
	if refusal.Find(why).Status < http.StatusInternalServerError {
		s.another.why.Store(&why)
	}
}

// refused returns why the token is refused by a later answer, or nil.
func (s *answered) refused() error {
	if s == nil {
		return nil
	}
	if why := s.another.why.Load(); why != nil {
		return *why
	}
	return nil
}

// current reports whether the answer counts: it is young enough, and no later one that
// somebody asked for was another. Nil always does.
func (s *answered) current(now time.Time) bool {
	return s == nil || !clocks.Reached(now, s.until) && s.refused() == nil
}

// size estimates the memory that an answer takes beside the claims.
func (s *answered) size() int {
	if s == nil {
		return 0
	}
	return int(unsafe.Sizeof(*s)+unsafe.Sizeof(*s.another)) + hiddenBytes + len(s.token.Get())
}

// age returns for how long the answer counts. Where it was judged by several descriptions,
// one after the other, that is the least AnswerAge of them.
func (s *answered) age() time.Duration { return s.until.Sub(s.asked) }

// graceAges is how many times AnswerAge old an answer may become that a session rests
// on, while there is no other.
const graceAges = 5

// askAgainAt returns when the issuer is asked again for the sake of sessions: at some
// moment of the latter half of the answer's age, so that not all are asked about at once.
func (c *Claims) askAgainAt() time.Time {
	half := c.answered.age() / 2
	return c.answered.asked.Add(half + rand.N(half+1))
}

// lastQuestion returns when the issuer is asked for the last time for the sake of sessions
// that begin to live by the answer now, if there is no other: of questions there is one at
// least.
func (c *Claims) lastQuestion() time.Time {
	last := c.answered.asked.Add(graceAges * c.answered.age())
	if now := time.Now(); now.After(last) {
		last = now
	}
	return last
}

// retryAt returns when the issuer is asked once more after a question in vain: soon,
// and at the last moment at the latest.
func (c *Claims) retryAt(now, last time.Time) time.Time {
	wait := max(c.answered.age()/12, time.Second)
	again := now.Add(wait + rand.N(wait))
	if again.After(last) && now.Before(last) {
		return last
	}
	return again
}

// questions are those that an issuer is asked about opaque tokens. Nil are none.
type questions struct {
	asker *supplement.Asker
	line  *strangers.Line  // of questions about tokens that were not found good before
	again supplement.Again // of what sessions live by
}

func (q *questions) stop() {
	if q != nil {
		q.asker.Stop()
		q.line.Close()
		q.again.Stop()
	}
}

func (q *questions) close() {
	if q != nil {
		q.stop()
		q.asker.Close()
	}
}

// checkIntrospect reports the first contradiction about opaque tokens.
func (i *Issuer) checkIntrospect() error {
	wrong := ""
	switch {
	case i.Introspect == nil && i.OpaquePrefix == "":
		return nil
	case i.Introspect == nil:
		wrong = "OpaquePrefix without Issuer.Introspect"
	case len(i.OpaquePrefix) > maxDescriptionName || strings.ContainsFunc(i.OpaquePrefix, notVisible):
		wrong = fmt.Sprintf("OpaquePrefix: got %s, want at most %d visible characters", refusal.Quote(i.OpaquePrefix), maxDescriptionName)
	case i.TenantClaim != "":
		wrong = "Issuer.Introspect with TenantClaim: an opaque token names no tenant"
	case strings.HasPrefix(i.URL, claims.SPIFFE):
		wrong = "Issuer.Introspect in a trust domain, whose tokens are JWTs"
	case i.Keys.Source != nil:
		wrong = "Issuer.Introspect with a KeySource, whose tokens are JWTs"
	case i.DedicatedKeys:
		wrong = "Issuer.Introspect with DedicatedKeys: no key vouches for an opaque token"
	case len(i.TokenTypes) > 0:
		wrong = "Issuer.Introspect with TokenTypes: describe the JWTs of the issuer by themselves, with another Name"
	default:
		return nil
	}
	return fmt.Errorf("oidcauth: issuer %q: %s", i.URL, wrong)
}

func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// checkPrefixes refuses descriptions that could both be an opaque token's. What begins
// with a prefix sorts right after it.
func checkPrefixes(issuers []Issuer) error {
	var opaque []*Issuer
	for n := range issuers {
		if issuers[n].Introspect != nil {
			opaque = append(opaque, &issuers[n])
		}
	}
	slices.SortStableFunc(opaque, func(a, b *Issuer) int { return strings.Compare(a.OpaquePrefix, b.OpaquePrefix) })
	for n := 1; n < len(opaque); n++ {
		if a, b := opaque[n-1], opaque[n]; strings.HasPrefix(b.OpaquePrefix, a.OpaquePrefix) {
			return fmt.Errorf("oidcauth: issuers %q and %q: OpaquePrefix: got %q and %q, want two of which none begins with the other", a.URL, b.URL, a.OpaquePrefix, b.OpaquePrefix)
		}
	}
	return nil
}

// A stranger says who asks about an opaque token, in which line, and is nil for a
// token that was found good before.
type stranger func(ctx context.Context, e *verify.Evaluation, line *strangers.Line) *supplement.Stranger

// introspectBy has a trust ask about its tokens, if the description says how.
func (t *trust) introspectBy(introspect func(context.Context, string) (json.RawMessage, error), who stranger, maxBytes int, logger *slog.Logger) {
	if introspect == nil {
		return
	}
	q := &questions{line: strangers.NewLine()}
	q.asker = supplement.New(supplement.Config{
		Age: t.answerAge, MaxBytes: maxBytes, Whole: true,
		Log: t.logAnswers(logger, "what an issuer answers about opaque tokens cannot be used", "Issuer.Introspect failed: opaque tokens are refused with 503"),
	})
	t.questions = q
	t.Trust.Introspect = func(ctx context.Context, e *verify.Evaluation) (string, time.Time, error) {
		token := e.Raw
		answer, err := q.asker.AskFor(ctx, who(ctx, e, q.line), token, func(ctx context.Context) (json.RawMessage, error) { return introspect(ctx, token) })
		if err != nil {
			return "", time.Time{}, answerRefusal(refusal.Introspection, err)
		}
		return answer.Text, answer.Asked, nil
	}
}
