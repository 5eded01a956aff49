package simulation_test

import (
	"context"
	"errors"
	"strings"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// patience is how long a client waits for an answer.
const patience = 15 * time.Second

// ask presents a token as an honest client does.
func (w *world) ask(n *node, t *token) (*oidcauth.Claims, error) {
	w.t.Helper()
	return w.askWith(n, t, w.honest(n, t))
}

// askWith presents a token with what is to prove that it is its client's, and holds the
// answer against what is due before or afterwards: a fetch under way may have changed
// that.
func (w *world) askWith(n *node, t *token, came shown) (*oidcauth.Claims, error) {
	w.t.Helper()
	synctest.Wait()
	n.seen()
	alone, before := n.dueAlone(t), n.dueWith(t, came)
	began := time.Now()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	claims, err := n.auth.Authenticate(came.context(ctx), t.text)
	waited := time.Since(began)
	synctest.Wait()
	n.seen()
	d := before.or(n.dueWith(t, came)).or(n.dueEarly(t, waited))
	if t.prover != nil && t.prover.shared && !n.lostKeys(t).Before(began) {
		d = d.or(only(oidcauth.ErrUnknownKey)) // its key went while the log was asked about its proof
	}
	if alone.accepts() && t.supplied() && n.lostKeys(t).Equal(time.Now()) {
		d = d.or(n.dueSupplied(t).and(n.duePossession(t, came, nil))) // its key went at the instant at which it was answered about
	}
	w.proved(n, t, came.proof, err)
	t.note(w, "%s: %s after %v, due %v: %v", n.name, kind(err), waited, d, err)
	w.tally["decisions"]++
	w.tally["token "+kind(err)]++
	switch {
	case !d.allows(err) && err == nil:
		w.fail(t, "%s accepted a token, as %q by %q, due is %v\n%s", n.name, claims.Subject(), claims.Description(), d, n.explain(t))
	case !d.allows(err):
		w.fail(t, "%s refused a token: %v, due is %v\n%s", n.name, err, d, n.explain(t))
	case waited > 0 && !d.soon && n.seenAll(t) && !t.waits():
		w.fail(t, "%s took %v for a token whose key it knows\n%s", n.name, waited, n.explain(t))
	case waited > patience:
		w.fail(t, "%s took %v", n.name, waited)
	}
	w.checkRetry(n, t, err)
	w.checkAnswered(n, t, err)
	switch {
	case before.must():
		w.tally["had to be accepted"]++
	case !d.accepts():
		w.tally["had to be refused"]++
	}
	n.noteEarly(t)
	if err == nil {
		w.accepted(n, t, claims)
	}
	return claims, err
}

// dueWith is what a token has to be answered with, by what comes with it.
func (n *node) dueWith(t *token, came shown) due {
	d := n.due(t)
	if !d.accepts() {
		return d
	}
	return d.and(n.duePossession(t, came, nil))
}

// waits reports whether a token may be waited for though its key is known: for the log,
// that its proof was not used; and for a discovery document that does not arrive, while
// the keys that were fetched before are not in use yet.
func (t *token) waits() bool {
	return t.prover != nil && t.prover.shared || t.supplied() || t.p != nil && t.p.slow()
}

// noteEarly notes that a server has been asked about a key that nobody has published.
func (n *node) noteEarly(t *token) {
	if t.p == nil {
		return
	}
	if k := t.p.keyOf(t.of); k != nil && k.published.IsZero() {
		k.early[n] = true
	}
}

// seenAll reports whether nothing has to be asked about a token but the keys.
func (n *node) seenAll(t *token) bool { return t.p == nil || t.p.named().kind == configured }

// checkRetry expects that who is told that nothing is known is told to come back.
func (w *world) checkRetry(n *node, t *token, err error) {
	if !errors.Is(err, oidcauth.ErrKeysUnavailable) {
		return
	}
	status, _, _ := oidcauth.Answer(err)
	refusal, ok := errors.AsType[*oidcauth.Refusal](err)
	if status != 503 || !ok || refusal.RetryAfter() < 0 || refusal.RetryAfter() > 5*time.Minute+time.Second {
		w.fail(t, "%s: status %d for %v", n.name, status, err)
	}
}

// accepted notes a token that was accepted, and holds its claims against what it says.
func (w *world) accepted(n *node, t *token, c *oidcauth.Claims) {
	is := n.as(t)
	if t.opaque != nil {
		is.sub = c.Subject()
		w.checkOpaque(n, t, is.sub)
		_, good := n.answers(t)
		t.acceptedBy[n] = acceptance{n.process, time.Now(), good}
	}
	if t.supplied() {
		w.checkSupplied(n, t, c)
		_, good := n.answers(t)
		t.acceptedBy[n] = acceptance{n.process, time.Now(), good}
		w.tally["accepted with roles"]++
	}
	if c.Issuer() != t.issuer || c.Subject() != is.sub || c.TokenID() != t.jti || c.KeyID() != t.keyID || c.Description() != is.description {
		w.fail(t, "%s: the claims are %s's, %q, token %q, key %q, by %q, want %q by %q", n.name, c.Issuer(), c.Subject(), c.TokenID(), c.KeyID(), c.Description(), is.sub, is.description)
	}
	w.tally[strings.TrimSpace("accepted "+is.description)]++
	if t.unnamed {
		w.tally["accepted without key ID"]++
	}
	t.good[n] = n.process
	if t.p != nil && t.p.kind == stranger {
		n.proven[t.p] = true
	}
}

// insist presents a token and, while it is told to, comes back. A token that is good
// is accepted in the end, if its issuer was well for long enough.
func (w *world) insist(n *node, t *token) {
	w.t.Helper()
	for try := 1; ; try++ {
		_, err := w.ask(n, t)
		if err == nil || !w.insistent(n, t) {
			return
		}
		refusal, _ := errors.AsType[*oidcauth.Refusal](err)
		wait := refusal.RetryAfter()
		w.tally["came back"]++
		if try > 4 {
			w.fail(t, "%s refused a good token for the %d. time: %v\n%s", n.name, try, err, n.explain(t))
		}
		if wait > 0 && wait <= coolDown && n.seenAll(t) && !t.p.scoped() && errors.Is(err, oidcauth.ErrKeysUnavailable) {
			w.comeBack(n, t, wait)
			return
		}
		time.Sleep(max(wait, coolDown/2))
	}
}

// comeBack presents a token at the end of the time that its client was told. Its
// issuer has been asked by then, whoever came meanwhile: so there is nothing more to
// wait for.
func (w *world) comeBack(n *node, t *token, wait time.Duration) {
	w.t.Helper()
	time.Sleep(wait + 5*latency)
	if !w.insistent(n, t) {
		return
	}
	began := time.Now()
	if _, err := w.ask(n, t); err != nil || time.Since(began) > 0 && !t.waits() {
		if w.insistent(n, t) {
			w.fail(t, "%s told a client to come back after %v, and then: %v after %v\n%s", n.name, wait, err, time.Since(began), n.explain(t))
		}
	}
}

// insistent reports whether a token has to be accepted, once its issuer has been
// asked for its keys.
func (w *world) insistent(n *node, t *token) bool {
	if t.opaque != nil {
		return n.insistentOpaque(t)
	}
	if t.p == nil || t.p.named().kind != configured && !w.table.answers() || t.p.kind == found && !w.table.settled(t.p) {
		return false
	}
	const backOff = 6 * time.Minute
	well := backOff
	if t.p.kind == stranger {
		well = 20 * time.Minute
	}
	if v := n.view(t.p); v != nil && v.ids[t.keyID] && !v.keys[t.of] {
		return false // the issuer has lied about this key, and nobody asks about a known one
	}
	k := t.p.keyOf(t.of)
	if v := n.view(t.p); t.unnamed && v != nil && len(v.keys) > t.p.checksOf() {
		return false // its key's turn may not have come
	}
	if t.supplied() && !t.p.registry.answers(t.sub) || !n.dueRule(t).accepts() {
		return false
	}
	if t.prover != nil && !n.takesProofs() {
		return false
	}
	return k != nil && k.there() && !t.tampered && t.p.wellFor(well) && n.dueContent(t).must() && n.dueIssuer(t).accepts()
}
