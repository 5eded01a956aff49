package simulation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An opaque is what is true of an opaque token, wherever it is held.
type opaque struct {
	ended  time.Time // when its issuer ended it; zero for not yet
	turned time.Time // when it became another subject's
}

// madeUp and hangs are what opaque tokens begin with that nobody has issued; about the
// latter their issuer never answers.
const (
	madeUp = oidctest.OpaquePrefix + "made-up-"
	hangs  = oidctest.OpaquePrefix + "hangs-"
)

// introspection returns the function that asks a provider about its opaque tokens.
func (n *node) introspection(p *provider) oidcauth.Issuer {
	if n.introspect == nil {
		ask, err := introspect.New(introspect.Config{Endpoint: p.URL() + "/introspect", Client: &http.Client{Transport: n.net}})
		if err != nil {
			n.w.fail(nil, "introspect.New() error = %v", err)
		}
		n.introspect = n.asking(ask, readAnswer)
	}
	return oidcauth.Issuer{
		URL: p.URL(), Name: "opaque", Introspect: n.introspect, OpaquePrefix: oidctest.OpaquePrefix,
		AnswerAge: n.w.plan.answerAge,
	}
}

// readAnswer says what an issuer's answer about an opaque token means. One that cannot
// be an answer means nothing.
func readAnswer(text json.RawMessage) *said {
	var a struct {
		Active any
		Sub    string
	}
	if json.Unmarshal(text, &a) != nil {
		return nil
	}
	switch a.Active {
	case true:
		return &said{good: true, sub: a.Sub}
	case false:
		return &said{}
	}
	return nil
}

// issueOpaque has a provider issue a token that says nothing itself.
func (w *world) issueOpaque(p *provider) *token {
	t := w.draft(p, p.current())
	t.opaque, t.about, t.keyID, t.of, t.unnamed = new(opaque), "opaque", "", "", false
	switch w.random.IntN(8) {
	case 0:
		t.about = "opaque, expired"
		t.issued = t.issued.Add(-time.Hour)
		t.expires = t.issued.Add(w.upTo(time.Hour)).Truncate(time.Second)
	case 1:
		t.about = "opaque, not yet good"
		t.begins = t.issued.Add(w.upTo(20 * time.Minute)).Truncate(time.Second)
	case 2:
		t.about, t.aud = "opaque, for somebody else", "other-db"
	case 3:
		w.serial++
		t.about, t.text, t.opaque.ended = "opaque, made up", fmt.Sprint(madeUp, w.serial), w.began
		return t
	}
	return t.register()
}

// unheld is the token itself, whosever it is.
func (t *token) unheld() *token {
	itself := *t
	itself.held = ""
	return &itself
}

// register has the issuer of an opaque token know it.
func (t *token) register() *token {
	t.text = t.p.OpaqueToken(t.claims())
	return t
}

// withdrawOpaque has an issuer end an opaque token, or say from now on that it is
// another subject's.
func (w *world) withdrawOpaque() {
	var live []*token
	for _, t := range w.tokens {
		if t.opaque != nil && t.opaque.ended.IsZero() {
			live = append(live, t)
		}
	}
	if len(live) == 0 {
		return
	}
	t, n := pick(w.random, live), w.node()
	for _, s := range w.sessions { // some are of one that somebody acts by at present
		if s.t.opaque != nil && s.t.opaque.ended.IsZero() && w.chance(2) {
			t, n = w.original(s.t), s.n
		}
	}
	if w.chance(3) {
		t.sub = subjects[(indexOf(subjects, t.sub)+1)%len(subjects)]
		t.opaque.turned = time.Now()
		t.p.SetAnswer(t.text, t.answer())
		t.note(w, "its issuer says that it is %s's", t.sub)
		w.note("%s says that %s is %s's", t.p.host, t.jti, t.sub)
	} else {
		t.opaque.ended = time.Now()
		t.p.SetAnswer(t.text, nil)
		t.note(w, "its issuer ends it")
		w.note("%s ends %s", t.p.host, t.jti)
	}
	switch w.random.IntN(3) { // somebody notices, sooner or later, or time alone has to
	case 0:
		w.ask(n, t)
	case 1:
		time.Sleep(w.upTo(w.answerAge()))
		w.checkSessions()
		w.ask(n, t)
	}
}

// original returns the token that a session holds as its claims have it.
func (w *world) original(t *token) *token {
	for _, o := range w.tokens {
		if o.opaque == t.opaque {
			return o
		}
	}
	return t
}

func indexOf(list []string, text string) int {
	for i, s := range list {
		if s == text {
			return i
		}
	}
	return -1
}

// answer is what an issuer answers about a token.
func (t *token) answer() map[string]any {
	full := map[string]any{"active": true, "token_type": "Bearer"}
	for name, value := range t.claims() {
		if at, is := value.(time.Time); is {
			value = at.Unix()
		}
		full[name] = value
	}
	if t.prover != nil {
		full["token_type"] = "DPoP"
	}
	return full
}

// dueOpaque is what an opaque token has to be answered with: by what its issuer said
// last to this process, for as long as an answer counts.
func (n *node) dueOpaque(t *token) due {
	if n.trusted[t.p] == "" {
		return only(oidcauth.ErrMalformedToken)
	}
	last, good := n.answers(t)
	switch {
	case last == nil:
		return noAnswer
	case last != good:
		return only(oidcauth.ErrRevoked).or(noAnswer)
	case !n.young(good):
		return noAnswer
	}
	d := n.dueContent(t)
	if t.held != "" && t.held != good.said.sub {
		d = n.dueContent(t.unheld()).and(only(oidcauth.ErrIdentityMismatch))
	}
	if !d.must() || !n.inHand(t, good) {
		d = d.or(noAnswer)
	}
	return d
}

// dueCallOf is what a call on a session of an opaque token has to act for: nobody, but
// by an answer that counts.
func (n *node) dueCallOf(t *token) due {
	d := n.dueSessionOf(t)
	_, good := n.answers(t)
	if !n.young(good) {
		d = d.without(nil).or(noAnswer)
	}
	if since := time.Since(t.opaque.ended); !t.opaque.ended.IsZero() && since >= n.w.answerAge() {
		d = d.without(nil)
	}
	return d
}

// hold is a token as the claims of a session or of a ticket have it.
func (t *token) hold(sub string) *token {
	if t.opaque == nil {
		return t
	}
	held := *t
	held.held = sub
	return &held
}

// dueSessionOf is what a session of an opaque token lives by: by an answer that may
// become five times as old, while there is no other.
func (n *node) dueSessionOf(t *token) due {
	if n.trusted[t.p] == "" {
		return only(oidcauth.ErrMalformedToken)
	}
	const grace = 5
	d := n.dueContent(t)
	last, good := n.answers(t)
	age := n.w.answerAge()
	if good == nil {
		n.w.fail(t, "%s: a session of a token that was never answered for", n.name)
	}
	if last != good {
		d = d.or(only(oidcauth.ErrRevoked))
	}
	// What the rule made of an answer since then counts while there is none, and an answer
	// of which it makes nothing is none.
	known := good.begun
	if !n.dueRule(t).accepts() {
		known = t.acceptedBy[n].time
	}
	if t.ruled() && n.w.rules.barredAfter(t.sub, known) {
		d = d.or(only(oidcauth.ErrRule))
	}
	if !t.opaque.turned.IsZero() { // whoever it is of now may not be accepted at all, nor have been before it expired
		then := n.now().Add(-time.Since(t.opaque.turned))
		d = d.or(only(oidcauth.ErrIdentityMismatch)).or(n.dueContent(t.unheld()).or(n.dueContentAt(t.unheld(), then)).without(nil))
	}
	// A question takes five seconds at most, and one in vain is repeated.
	const slack = 16 * time.Second
	late := age + age/6 + slack
	if old := time.Since(good.begun); old >= grace*age {
		d = d.or(only(oidcauth.ErrAnswerUnavailable))
		if old > grace*age+slack {
			d = d.without(nil)
		}
	}
	if !t.opaque.ended.IsZero() && t.p.wellFor(late) && time.Since(t.opaque.ended) > late {
		d = d.without(nil)
	}
	if good.said.sub != t.held && t.p.wellFor(late) && time.Since(t.opaque.turned) > late {
		d = d.without(nil)
	}
	return d
}

// checkOpaque expects that no answer counts for longer than it may: neither one that
// says that the token is good, after the issuer has ended it, nor one that says whose
// it is, after that has changed.
func (w *world) checkOpaque(n *node, t *token, sub string) {
	age := w.answerAge()
	if !t.opaque.ended.IsZero() && time.Since(t.opaque.ended) >= age {
		w.fail(t, "%s accepted an opaque token %v after its issuer ended it\n%s", n.name, time.Since(t.opaque.ended), n.explain(t))
	}
	if last, good := n.answers(t); good == nil || last != good || !n.young(good) || good.said.sub != sub {
		w.fail(t, "%s took an opaque token for %s's, and no answer of the last %v says so, or a later one does not", n.name, sub, age)
	}
}

// floodOpaque has one caller come with tokens that nobody has issued, about half of
// which their issuer never answers, while another comes with honest ones.
func (w *world) floodOpaque() {
	p, n := w.providers[0], w.node()
	if !p.opaque || n.trusted[p] == "" {
		return
	}
	w.note("a flood of opaque tokens at %s", n.name)
	stop := w.flood(n, func(i int) string {
		return fmt.Sprintf("%s%d-%d", []string{madeUp, hangs}[i%2], time.Now().UnixNano(), i)
	}, 40, 15*time.Second)
	for range 3 {
		time.Sleep(w.upTo(4 * time.Second))
		t := w.draft(p, p.current())
		t.opaque, t.about, t.keyID, t.of, t.unnamed, t.prover = new(opaque), "opaque, in a flood", "", "", false, nil
		t.register()
		w.tokens = append(w.tokens, t)
		_, err := w.ask(n, t)
		if err != nil && p.wellFor(10*time.Second) && n.dueContent(t).must() {
			w.fail(t, "%s refused an honest token in a flood: %v", n.name, err)
		}
	}
	stop()
}

// insistentOpaque reports whether an opaque token has to be accepted, once its issuer
// was asked.
func (n *node) insistentOpaque(t *token) bool {
	const backOff = 10 * time.Second
	if t.prover != nil && !n.takesProofs() {
		return false
	}
	return n.trusted[t.p] != "" && t.opaque.ended.IsZero() && t.p.wellFor(backOff) && n.dueContent(t).must()
}

// checkAnswered expects that who is told that there is no answer is told to come back.
func (w *world) checkAnswered(n *node, t *token, err error) {
	if !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
		return
	}
	if status, _, _ := oidcauth.Answer(err); status != http.StatusServiceUnavailable {
		w.fail(t, "%s: status %d for %v", n.name, status, err)
	}
}
