package simulation_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

// coolDown is how long a key ID is not looked for again that was looked for in vain.
const coolDown = 10 * time.Second

// A due is what a token may be answered with. Accepted is nil among them.
type due struct {
	outcomes []error
	soon     bool // that it is accepted takes a request to its issuer
}

func only(outcomes ...error) due { return due{outcomes: outcomes} }

func (d due) allows(err error) bool {
	for _, o := range d.outcomes {
		if o == nil && err == nil || o != nil && errors.Is(err, o) {
			return true
		}
	}
	return false
}

func (d due) accepts() bool { return d.allows(nil) }

// must reports whether the token has to be accepted.
func (d due) must() bool { return d.accepts() && len(d.outcomes) == 1 }

func (d due) String() string {
	var names []string
	for _, o := range d.outcomes {
		names = append(names, kind(o))
	}
	return strings.Join(names, " or ")
}

// or is what may be answered where either may be right: what is due has changed
// meanwhile.
func (d due) or(o due) due {
	return due{outcomes: append(append([]error{}, d.outcomes...), o.outcomes...), soon: d.soon || o.soon}
}

// due says what a token has to be answered with by a server now. The checks have an
// order, and the first that fails decides alone.
func (n *node) due(t *token) due {
	d := n.dueAlone(t)
	if d.accepts() {
		d = d.and(n.dueSupplied(t))
	}
	return n.dueRuled(t, d)
}

// dueAlone is due without what supplements a token.
func (n *node) dueAlone(t *token) due {
	if t.opaque != nil {
		return n.dueOpaque(t)
	}
	trust := n.dueIssuer(t)
	if !trust.accepts() {
		return trust
	}
	d := n.dueKey(t)
	if d.accepts() {
		d = d.and(n.dueContent(t))
	}
	return trust.and(d)
}

// without leaves out an outcome.
func (d due) without(err error) due {
	d.outcomes = slices.DeleteFunc(slices.Clone(d.outcomes), func(o error) bool { return o == err })
	return d
}

// and is what may be answered after one check by the next.
func (d due) and(next due) due {
	for _, o := range d.outcomes {
		if o != nil {
			next.outcomes = append(next.outcomes, o)
		}
	}
	next.soon = next.soon || d.soon
	return next
}

// dueIssuer is the check whose token it is.
func (n *node) dueIssuer(t *token) due {
	switch {
	case t.p == nil && n.local != nil:
		return only(nil)
	case t.p == nil && n.w.plan.found && !n.w.table.answers():
		return only(oidcauth.ErrUnknownIssuer, oidcauth.ErrKeysUnavailable)
	case t.p == nil:
		return only(oidcauth.ErrUnknownIssuer)
	}
	known := n.dueKind(t.p.named())
	if n.w.plan.found && !n.w.table.answers() && (t.p.named().kind != configured || n.trusted[t.p.named()] == "") {
		// Whoever is not configured is looked for in the table first.
		known.outcomes = append(known.outcomes, oidcauth.ErrKeysUnavailable)
	}
	return known
}

func (n *node) dueKind(p *provider) due {
	switch {
	case p.kind == configured && n.trusted[p] == "":
		return only(oidcauth.ErrUnknownIssuer)
	case p.kind == found && !n.w.table.settled(p):
		return only(nil, oidcauth.ErrUnknownIssuer, oidcauth.ErrKeysUnavailable)
	case p.kind == found && !n.w.table.has(p):
		return only(oidcauth.ErrUnknownIssuer)
	case p.kind == stranger && !n.proven[p]:
		return only(nil, oidcauth.ErrUnknownIssuer, oidcauth.ErrKeysUnavailable)
	}
	return only(nil)
}

// dueKey is the check of the key and of the signature.
func (n *node) dueKey(t *token) due {
	if t.p == nil {
		return n.w.vault.due(n, t)
	}
	if t.unnamed {
		return n.dueUnnamed(t)
	}
	v, now := n.view(n.holder(t)), time.Now()
	if v == nil || now.Sub(v.at) >= staleLimit || !v.ids[t.keyID] {
		return n.dueUnseen(t, v)
	}
	d := only(nil)
	if !v.keys[t.of] || t.tampered {
		d = only(oidcauth.ErrSignature)
		if t.p.scoped() {
			return n.dueElsewhere(d)
		}
		if t.supplied() { // its key may have gone while its issuer was asked about it
			d = d.or(only(oidcauth.ErrUnknownKey))
		}
	}
	if now.Sub(v.atLeast) >= staleLimit {
		d = d.or(only(oidcauth.ErrKeysUnavailable, oidcauth.ErrUnknownKey))
		d.soon = true // and its issuer may be asked again, for which it waits
	}
	if t.p.kind == found {
		// What was found is let go of while nobody uses it, and its keys with it.
		d.outcomes, d.soon = append(d.outcomes, oidcauth.ErrKeysUnavailable), true
	}
	return d
}

// dueUnseen is what a token gets whose key the server has not been told of. The call
// may bring it to ask: then what is due afterwards counts as well.
func (n *node) dueUnseen(t *token, v *view) due {
	if t.p.scoped() {
		return n.dueElsewhere(noKey)
	}
	d := due{outcomes: []error{oidcauth.ErrKeysUnavailable}, soon: true}
	k := t.p.keyOf(t.of)
	genuine := k != nil && k.there() && t.p.fault != foreignKey && t.p.fault != otherSet
	lied := genuine && v != nil && v.at.After(k.published)
	if !genuine || lied || n.askedEarly(k) {
		d.outcomes = append(d.outcomes, oidcauth.ErrUnknownKey)
	}
	return d
}

var noKey = due{outcomes: []error{oidcauth.ErrKeysUnavailable}, soon: true}

// dueElsewhere is what a token gets that the keys in hand have not signed, where there
// are several sets of them: each may be asked for, and that may fail.
func (n *node) dueElsewhere(d due) due {
	return d.or(noKey).or(only(oidcauth.ErrUnknownKey, oidcauth.ErrSignature))
}

// askedEarly reports whether a key may have been looked for just before it was
// published, so that it is not looked for again for a while.
func (n *node) askedEarly(k *key) bool {
	const request = 10 * time.Second
	return k.early[n] && time.Since(k.published) < coolDown+request
}

func (p *provider) keyOf(of string) *key {
	for _, k := range p.keys {
		if k.of == of {
			return k
		}
	}
	return nil
}

// dueContent is the checks of what a token says.
func (n *node) dueContent(t *token) due { return n.dueContentAt(t, n.now()) }

func (n *node) dueContentAt(t *token, now time.Time) due {
	leeway := n.leeway()
	t = n.as(t)
	switch {
	case !now.Before(t.expires.Add(leeway)):
		return only(oidcauth.ErrExpired)
	case now.Add(leeway).Before(t.begins):
		return only(oidcauth.ErrNotYetValid)
	case now.Add(leeway).Before(t.issued) && t.good[n] == n.process:
		// When a token was issued is looked at when it is first seen, and once more if
		// the cache has not got it.
		return n.dueRules(t).or(only(oidcauth.ErrIssuedInFuture))
	case now.Add(leeway).Before(t.issued):
		return only(oidcauth.ErrIssuedInFuture)
	case t.p != nil && !t.fits(t.wanted):
		return only(oidcauth.ErrAudience)
	case t.prover != nil && n.w.plan.proofs == "", t.certificate != nil && !n.w.plan.readsCertificates:
		return only(oidcauth.ErrTokenType)
	case t.reserved:
		return only(oidcauth.ErrClaim)
	}
	return n.dueRules(t)
}

// dueEarly is what else a token may be refused with whose keys, or whose issuer's answer,
// were waited for so long: what is due by the time at which it came, and by what became
// known meanwhile.
func (n *node) dueEarly(t *token, waited time.Duration) due {
	if waited == 0 {
		return due{}
	}
	d := n.dueContentAt(t, n.now().Add(-waited))
	if t.supplied() && d.accepts() {
		d = d.or(noAnswer) // of an issuer that was asked before the token expired
	}
	return d.without(nil)
}

func (n *node) leeway() time.Duration {
	switch l := n.w.plan.leeway; {
	case l == 0:
		return 30 * time.Second
	case l < 0:
		return 0
	default:
		return l
	}
}

// explain says what the model knows of a token at a server.
func (n *node) explain(t *token) string {
	text := fmt.Sprintf("%s, process %d, clock %s (ahead %v)", n.name, n.process, n.now().Format(time.DateTime), n.ahead)
	if t.p != nil {
		text += fmt.Sprintf("; %s: fault %q", t.p.host, t.p.fault)
		if v := n.view(t.p); v != nil {
			text += fmt.Sprintf("; told %v at %.3fs", v.keys, v.at.Sub(n.w.began).Seconds())
		}
	}
	if n.link != nil {
		fault, _ := n.link.state()
		text += fmt.Sprintf("; log: fault %q, caught up %v", fault, n.link.caughtUp)
	}
	return text
}
