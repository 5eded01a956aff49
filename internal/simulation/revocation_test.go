package simulation_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

// shareWait is how long it takes at most until a server whose way to the log is free
// has tried again, in either direction.
const shareWait = 105 * time.Second

// A revocation is what was revoked, and what became of that.
type revocation struct {
	oidcauth.Revocation
	origin  *node
	process int // of the origin in which it holds
	at      time.Time
	holds   bool      // for certain, in that process
	kept    bool      // it waits in the origin's directory, unless it is in the log
	inside  bool      // it waits in the memory of that process, unless it is in the log
	inLog   time.Time // since when the log has it; zero while it has not
}

func (r *revocation) matches(t *token) bool { return revokes(&r.Revocation, t) }

// revokes says whether a token is withdrawn: what is set has to agree.
func revokes(r *oidcauth.Revocation, t *token) bool {
	agree := func(want, got string) bool { return want == "" || want == got }
	if x := t.seller; x != nil && r.KeyID == x.keyID && agree(r.Issuer, localName) && r.Subject+r.SessionID+r.TokenID == "" &&
		(r.IssuedBefore.IsZero() || x.issued.Before(r.IssuedBefore)) {
		return true // whoever has stolen the key that signed the ticket may have made it
	}
	name, prefix, scoped := strings.Cut(r.Issuer, "|")
	return agree(name, t.issuer) && (!scoped || prefix == t.prefix) && agree(r.Subject, t.sub) && agree(r.SessionID, t.sid) && agree(r.TokenID, t.jti) &&
		agree(r.KeyID, t.keyID) && (r.IssuedBefore.IsZero() || t.issued.Before(r.IssuedBefore))
}

// dueRevocation is the last check.
func (n *node) dueRevocation(t *token) due {
	if n.link == nil {
		return n.dueRevoked(t)
	}
	n.link.mu.Lock()
	caughtUp, since := n.link.caughtUp, n.link.since
	n.link.mu.Unlock()
	switch {
	case !n.w.plan.requireAll:
		return n.dueRevoked(t)
	case time.Since(since) < time.Millisecond:
		return n.dueRevoked(t).or(only(oidcauth.ErrRevocationsUnavailable))
	case !caughtUp:
		return only(oidcauth.ErrRevocationsUnavailable)
	}
	return n.dueRevoked(t)
}

func (n *node) dueRevoked(t *token) due {
	may := false
	for _, r := range n.w.revocations {
		if !r.matches(t) {
			continue
		}
		may = true
		if n.peak.Before(r.end()) && r.known(n) {
			return only(oidcauth.ErrRevoked)
		}
	}
	if n.link != nil {
		n.link.mu.Lock()
		defer n.link.mu.Unlock()
		for i := range n.link.applied {
			r := &n.link.applied[i]
			if revokes(r, t) && n.peak.Before(r.Until) {
				return only(oidcauth.ErrRevoked)
			}
		}
	}
	if may {
		return only(nil, oidcauth.ErrRevoked)
	}
	return only(nil)
}

// end is when it is over; for most after the end of the world.
func (r *revocation) end() time.Time {
	if r.Until.IsZero() {
		return r.at.AddDate(1, 0, 0)
	}
	return r.Until
}

// known reports whether a revocation holds at a server for certain: where it was made
// and did not get lost with the process, and wherever the log has had time to bring it.
func (r *revocation) known(n *node) bool {
	if r.origin == n && r.process == n.process && r.holds {
		return true
	}
	if n.link == nil || r.inLog.IsZero() {
		return false
	}
	n.link.mu.Lock()
	defer n.link.mu.Unlock()
	return !n.link.follows.IsZero() && time.Since(latest(r.inLog, n.link.follows, n.started)) > shareWait
}

// checkShared expects that what waits is in the log when there was time to share it.
func (w *world) checkShared() {
	for _, r := range w.revocations {
		o := r.origin
		switch {
		case w.log == nil || !r.inLog.IsZero():
			continue
		case w.log.covers(r):
			r.inLog = time.Now()
			continue
		case !r.kept && !r.inside || r.process != o.process || !latest(o.peak, o.now()).Before(r.end()):
			continue
		}
		o.link.mu.Lock()
		appends := o.link.appends
		o.link.mu.Unlock()
		if !appends.IsZero() && time.Since(latest(r.at, appends, o.started)) > shareWait {
			w.fail(nil, "%s, made at %s and acknowledged, is not in the log, though that has taken everything since %.3fs", describe(r.Revocation), o.name, appends.Sub(w.began).Seconds())
		}
	}
}

// processEnds notes what becomes of revocations that a process has not shared.
func (w *world) processEnds(n *node) {
	w.checkShared()
	for _, r := range w.revocations {
		if r.origin == n && r.process == n.process && r.inLog.IsZero() && r.kept {
			r.process++ // the next one has it from the directory
		}
	}
}

func latest(times ...time.Time) (t time.Time) {
	for _, other := range times {
		if other.After(t) {
			t = other
		}
	}
	return t
}

// revoke withdraws something at a server.
func (w *world) revoke(n *node) {
	if len(w.tokens) == 0 {
		return
	}
	t := n.as(pick(w.random, w.tokens))
	r := oidcauth.Revocation{Issuer: t.issuer}
	if err := n.auth.Revoke(w.t.Context(), r); !errors.Is(err, oidcauth.ErrMalformedRequest) {
		w.fail(t, "%s revokes an issuer and nothing else: %v", n.name, err)
	}
	if t.p != nil && t.p.scoped() && w.chance(2) {
		r.Issuer += "|" + t.prefix
	}
	switch w.random.IntN(8) {
	case 0:
		r.TokenID = t.jti
	case 1:
		r.TokenID, r.Issuer = t.jti, ""
	case 2:
		r.SessionID = t.sid
	case 3:
		r.Subject, r.IssuedBefore = t.sub, n.now()
	case 4:
		r.Subject, r.SessionID = t.sub, t.sid
	case 5:
		r.Subject, r.IssuedBefore = t.sub, t.issued.Add(time.Second)
	case 6:
		if t.opaque != nil {
			r.SessionID = t.sid
			break
		}
		r.KeyID, r.IssuedBefore = t.keyID, n.now()
	case 7:
		r.IssuedBefore = n.now().Add(-w.upTo(10 * time.Minute))
	}
	if r.Subject == "" && r.SessionID == "" && r.TokenID == "" && r.KeyID == "" && r.IssuedBefore.IsZero() {
		r.TokenID = t.jti // a token without a login session
	}
	if w.chance(5) {
		r.Until = n.now().Add(time.Minute + w.upTo(time.Hour))
	}
	w.revokeThis(n, r)
}

func (w *world) revokeThis(n *node, r oidcauth.Revocation) {
	made := &revocation{Revocation: r, origin: n, process: n.process, at: time.Now()}
	err := n.auth.Revoke(w.t.Context(), r)
	w.note("%s revokes, %s: %v", n.name, describe(r), err)
	switch {
	case errors.Is(err, oidcauth.ErrMalformedRequest) && !n.knowsIssuer(r.Issuer):
		return
	case err == nil:
		made.holds = true
		if n.link != nil {
			made.inLog = made.at
		}
		made.kept = n.link == nil && w.plan.revocationDir
	case errors.Is(err, oidcauth.ErrRevocationsUnavailable) && errors.Is(err, oidcauth.ErrRevocationWaits):
		made.holds, made.inside, made.kept = true, true, w.plan.revocationDir
		if n.faultOfLink() == "" {
			w.fail(nil, "Revoke(%s) error = %v, though the log takes everything", describe(r), err)
		}
	default:
		w.fail(nil, "Revoke(%s) error = %v", describe(r), err)
	}
	w.keep(made)
}

// keep notes a revocation. One that was acknowledged has to be in the log.
func (w *world) keep(r *revocation) {
	w.tally["revocations"]++
	w.revocations = append(w.revocations, r)
	for _, t := range w.tokens {
		if r.matches(t) {
			t.note(w, "revoked at %s by %s: in the log %v, waits %v", r.origin.name, describe(r.Revocation), !r.inLog.IsZero(), r.inside)
		}
	}
	if !r.inLog.IsZero() && !w.log.covers(r) {
		w.fail(nil, "%s was acknowledged, and the log does not have it", describe(r.Revocation))
	}
}

// knowsIssuer reports whether a server may have tokens of an issuer.
func (n *node) knowsIssuer(name string) bool {
	if n.w.plan.anyone || n.w.plan.found || name == localName && n.local != nil {
		return true
	}
	name, _, _ = strings.Cut(name, "|")
	for p, aud := range n.trusted {
		if aud != "" && p.URL() == name {
			return true
		}
	}
	return name == ""
}

func describe(r oidcauth.Revocation) string {
	text := "revocation"
	add := func(name, value string) {
		if value != "" {
			text += fmt.Sprintf(" %s=%s", name, value)
		}
	}
	add("issuer", r.Issuer)
	add("subject", r.Subject)
	add("session", r.SessionID)
	add("token", r.TokenID)
	add("key", r.KeyID)
	if !r.IssuedBefore.IsZero() {
		add("issued-before", r.IssuedBefore.Format(time.DateTime))
	}
	if !r.Until.IsZero() {
		add("until", r.Until.Format(time.DateTime))
	}
	return text
}
