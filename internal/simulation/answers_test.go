package simulation_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
)

// An asked is a question that a server has put to an issuer about a token, and what
// came of it.
type asked struct {
	begun time.Time
	said  *said // nil where there was no answer
}

// A said is an answer: who the token is of, or that it is good no longer.
type said struct {
	good  bool
	sub   string
	roles []string
}

// asking has a function's questions taken down. It is the same function for as long as
// the process runs.
func (n *node) asking(put func(context.Context, string) (json.RawMessage, error), read func(json.RawMessage) *said) func(context.Context, string) (json.RawMessage, error) {
	process := n.process
	return func(ctx context.Context, token string) (json.RawMessage, error) {
		q := &asked{begun: time.Now()}
		text, err := put(ctx, token)
		switch {
		case ctx.Err() != nil: // nobody waits for it any more
		case errors.Is(err, oidcauth.ErrRevoked):
			q.said = &said{}
		case err == nil:
			q.said = read(text)
		}
		if q.said != nil {
			n.note(process, token, q)
		}
		return text, err
	}
}

// note keeps an answer. Of those by which a token is no longer good one is enough.
func (n *node) note(process int, token string, q *asked) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != process {
		return
	}
	list := slices.DeleteFunc(n.asked[token], func(o *asked) bool { return !o.said.good && !q.said.good })
	const kept = 12
	list = append(list, q)
	n.asked[token] = list[max(0, len(list)-kept):]
}

// forgetAnswers begins a process, which has asked about nothing.
func (n *node) forgetAnswers() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked, n.introspect = map[string][]*asked{}, nil
}

// answers returns the last answer that this process has got about a token, and the
// last by which it is good: the one whose question began last. Nil is none.
func (n *node) answers(t *token) (last, good *asked) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, q := range n.asked[t.text] {
		if last == nil || q.begun.After(last.begun) {
			last = q
		}
		if q.said.good && (good == nil || q.begun.After(good.begun)) {
			good = q
		}
	}
	return last, good
}

// toldOfEnd reports whether this process has got an answer by which a token is good no
// longer, whatever it was told since.
func (n *node) toldOfEnd(t *token) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.asked[t.text], func(q *asked) bool { return !q.said.good })
}

// answerAge is how long an answer counts.
func (w *world) answerAge() time.Duration {
	if w.plan.answerAge == 0 {
		return time.Minute
	}
	return w.plan.answerAge
}

// young reports whether an answer counts.
func (n *node) young(q *asked) bool {
	return q != nil && time.Since(q.begun) < n.w.answerAge()
}

// inHand reports whether a token is certainly known by an answer: it was accepted by
// it, and nothing has happened since that could have let go of that.
func (n *node) inHand(t *token, q *asked) bool {
	at, accepted := t.acceptedBy[n]
	return n.w.plan.cacheBytes >= 0 && accepted && at.answer == q && at.process == n.process &&
		!n.retrust.After(at.time) && !n.clockSet.After(at.time) && !n.lostKeys(t).After(at.time)
}

// An acceptance is when a token was accepted, and by which answer.
type acceptance struct {
	process int
	time    time.Time
	answer  *asked
}

// noAnswer is what is due where somebody has to be asked first.
var noAnswer = due{outcomes: []error{oidcauth.ErrAnswerUnavailable}, soon: true}
