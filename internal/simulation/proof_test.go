package simulation_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
)

// By what servers know that a proof is not used again.
const (
	remembered   = "remembered"    // by each process for itself
	nonces       = "nonces"        // that a process gave, and no other takes
	sharedNonces = "shared nonces" // that one process gave, and all take
	replays      = "replays"       // in the log, which the servers share
)

// What requests are for, and proofs mostly.
const (
	publicURL = "https://db.test"
	calledURL = publicURL + "/v1/call"
)

// freshFor and ahead are how old a proof may be, and how much later than now.
const (
	freshFor   = time.Minute
	ahead      = 30 * time.Second
	nonceFresh = 5 * time.Minute
)

// A prover is a client's key.
type prover struct {
	*oidctest.Prover
	name   string
	shared bool // the log is asked whether its proofs were used
}

// A proof is one that a client has made, and what is true of it.
type proof struct {
	text    string
	about   string
	by      *prover
	url     string // that it says
	token   string // that it is for
	made    time.Time
	nonce   nonce
	taken   map[*node]int // by which process, at last
	count   int           // how often it was taken
	touched bool          // it may be used up, though it was not taken
}

// A nonce is one that a process gave, or a session.
type nonce struct {
	text    string
	of      *node
	process int
	made    time.Time // by the clock of its server
}

func (w *world) addProvers() {
	for _, name := range []string{"laptop", "phone", "thief"} {
		w.provers = append(w.provers, &prover{oidctest.NewProver(w.t, "EdDSA"), name, w.plan.proofs == replays})
	}
	w.nonceKey = make([]byte, 32)
	rand.Read(w.nonceKey)
}

// owner is the prover of an honest client, thief that of another.
func (w *world) owner() *prover { return w.provers[w.random.IntN(len(w.provers)-1)] }
func (w *world) thief() *prover { return w.provers[len(w.provers)-1] }

// verifier is what checks proofs in a process.
func (n *node) verifier() *dpop.Verifier {
	w := n.w
	cfg := dpop.Config{PublicURL: publicURL, Now: n.now}
	switch w.plan.proofs {
	case nonces:
		cfg.Nonces = true
	case sharedNonces:
		cfg.Nonces, cfg.NonceKey = true, bytes.Clone(w.nonceKey)
	case replays:
		cfg.Replays = n.link
	}
	v, err := dpop.New(cfg)
	if err != nil {
		w.fail(nil, "dpop.New() error = %v", err)
	}
	return v
}

// nonceOf is the nonce that a client gets from a server now, nothing where none are
// asked for.
func (n *node) nonceOf() nonce {
	if n.w.plan.proofs != nonces && n.w.plan.proofs != sharedNonces {
		return nonce{}
	}
	return nonce{text: n.proofs.Nonce(), of: n, process: n.process, made: n.now().Truncate(time.Millisecond)}
}

// prove makes a proof for a use of a token at a server.
func (w *world) prove(by *prover, t *token, c nonce, claims map[string]any) *proof {
	p := &proof{about: "good", by: by, url: calledURL, token: t.text, made: time.Now().Truncate(time.Second), nonce: c, taken: map[*node]int{}}
	full := map[string]any{"iat": p.made}
	if c.text != "" {
		full["nonce"] = c.text
	}
	for name, value := range claims {
		full[name] = value
	}
	if at, other := full["iat"].(time.Time); other {
		p.made = at.Truncate(time.Second)
	}
	if address, other := full["htu"].(string); other {
		p.url = address
	}
	p.text = by.Proof("POST", calledURL, t.text, full)
	return p
}

// honestProof is what comes with a token of an honest client: nothing with a bearer token.
func (w *world) honestProof(n *node, t *token) *proof {
	if t.prover == nil || w.plan.proofs == "" {
		return nil
	}
	return w.prove(t.prover, t, n.nonceOf(), nil)
}

// dishonest is what comes with a token that somebody has stolen, or with a proof.
func (w *world) dishonest(n *node, t *token) *proof {
	by := t.prover
	if by == nil {
		by = w.owner()
	}
	var p *proof
	switch w.random.IntN(7) {
	case 0:
		p = w.prove(w.thief(), t, n.nonceOf(), nil)
		p.about = "by another key"
	case 1:
		p = w.prove(by, t, n.nonceOf(), map[string]any{"htu": publicURL + "/v1/other"})
		p.about = "for another address"
	case 2:
		other := *t
		other.text += "x"
		p = w.prove(by, &other, n.nonceOf(), nil)
		p.about = "for another token"
	case 3:
		p = w.prove(by, t, n.nonceOf(), map[string]any{"iat": time.Now().Add(-w.upTo(2 * time.Minute))})
		p.about = "of some time ago"
	case 4:
		p = w.prove(by, t, n.nonceOf(), map[string]any{"iat": time.Now().Add(w.upTo(time.Minute))})
		p.about = "made in store"
	case 5:
		p = w.prove(by, t, w.node().nonceOf(), nil)
		p.about = "with some server's nonce"
	default:
		return nil // none
	}
	return p
}

// dueProof is the check of the key that a token is bound to. Of a session that is being
// renewed the nonce is its own; else, and for nil, the server's.
func (n *node) dueProof(t *token, p *proof, renewed *liveSession) due {
	switch {
	case t.prover == nil && p == nil:
		return only(nil)
	case t.prover == nil, p == nil, p.by != t.prover:
		return only(oidcauth.ErrProof)
	case p.url != calledURL:
		return only(dpop.ErrInvalidProof)
	}
	now, d := n.now(), only(nil)
	oldest := now.Add(-freshFor)
	if begun := n.begun.Truncate(time.Second); n.forgets() && renewed == nil && begun.After(oldest) {
		oldest = begun // before that it may have been used
	}
	switch {
	case p.made.Before(oldest), p.made.After(now.Add(ahead)), p.token != t.text:
		return only(dpop.ErrInvalidProof)
	case renewed == nil:
		d = n.dueNonce(p.nonce)
	case p.nonce.text != renewed.given:
		d = only(dpop.ErrUseNonce)
	}
	if d.accepts() {
		d = n.dueUse(p)
	}
	return d
}

// forgets reports whether a process knows nothing of what was used before it started,
// and has no nonces that nobody can have used then.
func (n *node) forgets() bool {
	return n.w.plan.proofs == remembered || n.w.plan.proofs == sharedNonces
}

// takesProofs reports whether a server accepts the proofs of an honest client, whose
// clock is right: as it does not where its own is not, nor, for what may have been used
// before it started, where that was ahead.
func (n *node) takesProofs() bool {
	return n.w.plan.proofs != "" && n.ahead.Abs() <= ahead/2 && n.faultOfLink() == "" && !(n.forgets() && n.begun.After(n.now()))
}

// dueNonce is the check of the nonce that a proof has of a server.
func (n *node) dueNonce(c nonce) due {
	mode, now := n.w.plan.proofs, n.now()
	switch {
	case mode != nonces && mode != sharedNonces:
		return only(nil)
	case c.text == "", mode == nonces && (c.of != n || c.process != n.process):
		return only(dpop.ErrUseNonce)
	case now.Sub(c.made) > nonceFresh, c.made.Sub(now) > ahead, n.forgets() && c.made.Before(n.begun.Truncate(time.Millisecond)):
		return only(dpop.ErrUseNonce)
	}
	return only(nil)
}

// dueUse is the last check of a proof, whether it was used before.
func (n *node) dueUse(p *proof) due {
	usedHere := p.taken[n] == n.process && p.count > 0
	if usedHere || n.w.plan.proofs == replays && p.count > 0 {
		d := only(dpop.ErrInvalidProof)
		if n.w.plan.proofs == replays {
			d = d.or(only(oidcauth.ErrAnswerUnavailable)) // nobody can say
		}
		return d
	}
	d := only(nil)
	if p.touched {
		d = d.or(only(dpop.ErrInvalidProof))
	}
	if n.w.plan.proofs == replays && n.faultOfLink() != "" {
		d = d.or(only(oidcauth.ErrAnswerUnavailable)).without(nil)
	}
	// After a clock was ahead it is not known what was used till then.
	const unknown = 3 * time.Minute
	if !n.clockSet.IsZero() && time.Since(n.clockSet) < unknown {
		d = d.or(only(dpop.ErrInvalidProof))
	}
	return d
}

// proved notes what became of a proof. A token that is refused by it alone has passed
// all other checks, and is known from now on.
func (w *world) proved(n *node, t *token, p *proof, err error) {
	if errors.Is(err, oidcauth.ErrProof) || errors.Is(err, oidcauth.ErrIdentityMismatch) || errors.Is(err, oidcauth.ErrAnswerUnavailable) && w.plan.proofs == replays {
		t.good[n] = n.process
	}
	if p == nil {
		return
	}
	switch {
	case err == nil:
		p.count++
		p.taken[n] = n.process
		w.tally["proof taken"]++
	case errors.Is(err, oidcauth.ErrProof), errors.Is(err, oidcauth.ErrAnswerUnavailable):
		p.touched = true
		w.tally["proof refused: "+p.about]++
	}
	const kept = 40
	if p.touched || err == nil {
		w.proofs = append(w.proofs, sentProof{p, t})
		w.proofs = w.proofs[max(0, len(w.proofs)-kept):]
	}
}

// A sentProof is a proof that somebody on the way may have seen, and its token.
type sentProof struct {
	*proof
	t *token
}

// replay presents a token with a proof that was used before, mostly one of just now, to
// any server, and after a restart too.
func (w *world) replay() {
	if len(w.proofs) == 0 {
		return
	}
	x := w.proofs[max(0, len(w.proofs)-1-w.random.IntN(6))]
	n := w.node()
	switch w.random.IntN(8) {
	case 0:
		n.restart()
	case 1:
		w.kill(n)
	}
	w.tally["replays"]++
	w.askWith(n, x.t, shown{x.proof, x.t.certificate})
}
