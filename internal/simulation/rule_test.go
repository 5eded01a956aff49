package simulation_test

import (
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// What the program's own rule about the first issuer's tokens makes of a subject.
const (
	barred = "is barred"
	panics = "has the rule panic"
)

// A rulebook is what that rule knows, at all servers alike.
type rulebook struct {
	mu sync.Mutex // guards what follows
	of map[string]string

	spared map[string]time.Time // when a subject was barred the last time that it no longer is
}

// rule is the rule.
func (b *rulebook) rule(c *oidcauth.Claims) error {
	switch b.on(c.Subject()) {
	case barred:
		return errors.New("barred")
	case panics:
		panic("a rule that panics")
	}
	return nil
}

func (b *rulebook) on(sub string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[sub]
}

func (b *rulebook) set(sub, what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[sub] == barred {
		b.spared[sub] = time.Now()
	}
	b.of[sub] = what
}

// barredAfter reports whether a subject was barred at some time after another.
func (b *rulebook) barredAfter(sub string, after time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[sub] == barred || b.spared[sub].After(after)
}

func (b *rulebook) heal() {
	for _, sub := range subjects {
		b.set(sub, "")
	}
}

// changeRules has the rule be another about a subject.
func (w *world) changeRules() {
	sub := subjects[w.beside.IntN(len(subjects))]
	what := [...]string{"", "", barred, panics}[w.beside.IntN(4)]
	w.rules.set(sub, what)
	w.note("the rule: %s %q", sub, what)
}

// ruled reports whether there is a rule about a token.
func (t *token) ruled() bool { return t.p != nil && t.p == t.p.w.providers[0] }

// dueRules is the check of the rule, where that sees nothing beside the token, and of what
// was revoked.
func (n *node) dueRules(t *token) due {
	if rule := n.dueRule(t); !rule.accepts() && !t.supplied() {
		return rule
	}
	return n.dueRevocation(t)
}

// dueRuled is what is due of a token with the rule, where that sees what supplements the
// token: it is asked last, about an answer of now.
func (n *node) dueRuled(t *token, d due) due {
	if rule := n.dueRule(t); t.supplied() && !rule.accepts() {
		return d.without(nil).or(rule).or(noAnswer)
	}
	return d
}

// dueRule is the check of the program's own rule.
func (n *node) dueRule(t *token) due {
	if !t.ruled() {
		return only(nil)
	}
	switch n.w.rules.on(t.sub) {
	case barred:
		return only(oidcauth.ErrRule)
	case panics:
		return only(oidcauth.ErrAnswerUnavailable)
	}
	return only(nil)
}
