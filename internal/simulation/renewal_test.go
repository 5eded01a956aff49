package simulation_test

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
)

// renew puts a session under another token: of its own identity, or of another, with
// what proves that its client still has the key of before, or without.
func (w *world) renew(s *liveSession) {
	if ctx := s.CallContext(); oidcauth.Require(ctx) == nil {
		s.run(ctx)
	}
	t := w.nextOf(s)
	came := w.renewing(s, t)
	p := came.proof
	before, is := s.dueRenewal(t, came), s.n.as(t)
	_, err := s.Renew(came.context(w.t.Context()), t.text)
	synctest.Wait()
	d := before.or(s.dueRenewal(t, came))
	w.proved(s.n, t, p, err)
	if p != nil && (err == nil || errors.Is(err, oidcauth.ErrIdentityMismatch)) {
		s.given, s.used = "", s.given
	}
	t.note(w, "%s: a session of %s is renewed: %s, due %v", s.n.name, s.t.jti, kind(err), d)
	same := t.issuer == s.t.issuer && s.n.as(t).sub == s.sub
	if t.opaque != nil && same && is.sub != s.sub {
		d = d.or(only(oidcauth.ErrIdentityMismatch))
	}
	w.tally["renewals"]++
	w.tally["renewal: "+kind(err)]++
	switch {
	case err == nil && (!same || !d.accepts()):
		w.fail(t, "%s: a session of %s, %s is renewed, due is %v\n%s", s.n.name, s.t.issuer, s.sub, d, s.n.explain(t))
	case err == nil:
		was := s.t
		s.t = t.hold(s.sub)
		w.expectAgain(s)
		if t != was && w.beside.IntN(3) == 0 {
			w.revokeThis(s.n, oidcauth.Revocation{TokenID: was.jti})
			w.checkCalls(s)
		}
		s.last, s.looked = s.due(), time.Now()
	case errors.Is(err, oidcauth.ErrIdentityMismatch) && !same:
	case context.Cause(s.Context()) != nil: // it has ended meanwhile, which is looked at elsewhere
	case !d.allows(err):
		w.fail(t, "%s: a session is not renewed: %v, due is %v\n%s", s.n.name, err, d, s.n.explain(t))
	}
	s.n.noteEarly(t)
	if err == nil {
		w.accepted(s.n, t, s.Claims())
	}
}

// nextOf returns a token that a session is to be renewed with: mostly one of the same
// caller, which is mostly bound as the session is, and at times the one that it has.
func (w *world) nextOf(s *liveSession) *token {
	if s.t.opaque == nil && s.t.seller == nil && w.beside.IntN(4) == 0 {
		return s.t
	}
	if w.chance(4) || s.t.p == nil {
		return pick(w.random, w.tokens)
	}
	k := s.t.p.current()
	t := w.draft(s.t.p, k)
	t.sub, t.aud, t.also = s.t.sub, s.t.aud, s.t.also
	if s.t.opaque != nil {
		t.sub = s.sub
	}
	if !w.chance(4) {
		t.prover = s.t.prover
	}
	if w.beside.IntN(4) > 0 {
		t.certificate = s.t.certificate
	}
	if s.t.opaque != nil && w.chance(2) {
		t.opaque, t.keyID, t.of, t.unnamed = new(opaque), "", "", false
		t.register()
	} else {
		t.sign(k)
	}
	w.tokens = append(w.tokens, t)
	return t
}

// renewing is what comes with the token of a renewal: on the connection of the session,
// or by a request over one that is said.
func (w *world) renewing(s *liveSession, t *token) shown {
	came := shown{proof: w.renewingProof(s, t)}
	switch w.beside.IntN(4) {
	case 0:
		came.over = t.certificate
	case 1:
		came.over = w.otherCertificate(t)
	}
	return came
}

// renewingProof is mostly a proof over the nonce of the session by the token's key.
func (w *world) renewingProof(s *liveSession, t *token) *proof {
	if w.plan.proofs == "" || t.prover == nil && !w.chance(8) {
		return nil
	}
	given := s.given
	if !w.chance(4) {
		given = s.Nonce()
		if s.given != "" && given != s.given && s.Context().Err() == nil { // a call may have ended it just now
			w.fail(s.t, "the nonce of a session has changed, and nobody has used it")
		}
		if given == s.used && given != "" {
			w.fail(s.t, "a session gives a nonce that was used")
		}
		s.given = given
	}
	c := nonce{text: given}
	by := t.prover
	switch w.random.IntN(8) {
	case 0:
		by = w.thief()
	case 1:
		c = s.n.nonceOf()
	case 2:
		return nil
	case 3:
		if len(w.proofs) > 0 {
			c = w.proofs[len(w.proofs)-1].nonce // of another session, perhaps
		}
	case 4:
		if s.used != "" {
			c = nonce{text: s.used}
		}
	}
	if by == nil {
		by = w.owner()
	}
	return w.prove(by, t, c, nil)
}

// dueRenewal is what a renewal has to be answered with, but for whose token it is.
func (s *liveSession) dueRenewal(t *token, came shown) due {
	d, was := s.n.due(t), s.t
	if !d.accepts() {
		return d
	}
	switch {
	case was.prover != nil && t.prover != was.prover, was.certificate != nil && t.certificate != was.certificate:
		return d.and(only(oidcauth.ErrProof)) // whoever has stolen a token goes on with nothing else
	case t.prover != nil && s.given == "":
		return d.and(only(dpop.ErrUseNonce))
	}
	return d.and(s.n.duePossession(t, came, s))
}
