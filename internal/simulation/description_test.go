package simulation_test

import (
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A description is one of several that a server has of an issuer: whose keys count by
// it, for whom its tokens are, and what stands in front of its subjects.
type description struct {
	name, prefix, aud string
	keys              *provider
}

// Of the second issuer there are three descriptions in some worlds: people and jobs,
// whose tokens the same keys sign, and another cluster by the same name, which has keys
// of its own, and the same subjects.
const (
	jobsAudience = "my-jobs"
	jobsPrefix   = "job:"
	westPrefix   = "west:"
)

// described are the descriptions that a server has of a provider, by the name of which
// its tokens come.
func (n *node) described(p *provider) []description {
	if p.kind != configured {
		return []description{{aud: audience, keys: p}}
	}
	aud := n.trusted[p]
	switch {
	case p.other != nil:
		return []description{
			{"people", "", aud, p}, {"jobs", jobsPrefix, jobsAudience, p}, {"west", westPrefix, audience, p.other},
		}
	case p.opaque:
		return []description{{"people", "", aud, p}}
	}
	return []description{{aud: aud, keys: p}}
}

// description is the one that decides about a token: the first that it fits of those
// whose keys have signed it, or else the first of them.
func (n *node) description(t *token) description {
	var first description
	holder := n.holder(t)
	for _, d := range slices.Backward(n.described(t.p.named())) {
		if d.keys == holder && (t.fits(d.aud) || !t.fits(first.aud)) {
			first = d
		}
	}
	return first
}

// holder is whose keys have signed a token, as a server knows: the first of the issuer's
// key sets that has its key, which may be one that lies about another's, or else those
// that are to have.
func (n *node) holder(t *token) *provider {
	if !t.p.scoped() {
		return t.p
	}
	for _, d := range n.described(t.p.named()) {
		if v := n.view(d.keys); v != nil && v.keys[t.of] && time.Since(v.at) < staleLimit {
			return d.keys
		}
	}
	return t.p
}

func (t *token) fits(aud string) bool { return aud != "" && (t.aud == aud || t.also == aud) }

// as is a token as a server reads it at present: by what its issuer has answered about
// it last, and by the description that decides about it.
func (n *node) as(t *token) *token {
	r := *t
	if t.p == nil || t.read {
		return &r
	}
	r.read = true
	if t.opaque != nil {
		r.wanted, r.description = n.trusted[t.p], "opaque"
		if _, good := n.answers(t); t.held != "" {
			r.sub = t.held
		} else if good != nil {
			r.sub = good.said.sub
		}
		return &r
	}
	d := n.description(t)
	r.wanted, r.description, r.prefix = d.aud, d.name, d.prefix
	r.sub = d.prefix + t.sub
	r.reserved = len(n.described(t.p.named())) > 1 && d.prefix == "" && (strings.HasPrefix(t.sub, jobsPrefix) || strings.HasPrefix(t.sub, westPrefix))
	return &r
}

// named is the provider by whose name a provider's tokens come: mostly itself.
func (p *provider) named() *provider {
	if p.west != nil {
		return p.west
	}
	return p
}

// scoped reports whether there are callers of a provider that revocations tell from
// others by a prefix.
func (p *provider) scoped() bool { return p.named().other != nil }

// issuersOf is what a server is configured with of a provider.
func (n *node) issuersOf(p *provider) []oidcauth.Issuer {
	aud := n.trusted[p]
	if aud == "" {
		return nil
	}
	var list []oidcauth.Issuer
	for _, d := range n.described(p) {
		i := p.describe(d.aud)
		i.Name, i.SubjectPrefix = d.name, d.prefix
		if p == n.w.providers[0] {
			i.Rules = []oidcauth.Rule{n.w.rules.rule}
		}
		if p.registry != nil {
			i.Supplement, i.AnswerAge = n.supplement(p), n.w.plan.answerAge
		}
		if d.keys != p {
			i.Keys.JWKSURL = d.keys.URL() + "/jwks.json"
		}
		list = append(list, i)
	}
	if p.opaque {
		i := n.introspection(p)
		i.Audiences, i.Rules = []string{aud}, []oidcauth.Rule{n.w.rules.rule}
		list = append(list, i)
	}
	return list
}

// describeOtherwise has a token be of another description than people, or of none, or
// say that its subject is one of another's.
func (w *world) describeOtherwise(t *token) {
	switch w.random.IntN(7) {
	case 0, 1:
		t.about, t.aud = "for jobs", jobsAudience // the other cluster has none
	case 2:
		t.about, t.also = "for people and jobs", jobsAudience
	case 3:
		t.about, t.sub = "of a subject that looks like another's", pick(w.random, []string{jobsPrefix, westPrefix})+t.sub
	}
}

// narrow revokes all that one kind of an issuer's callers has, and then what one of
// another kind has, who may not go on.
func (w *world) narrow() {
	p, n := w.providers[1], w.node()
	if !p.scoped() || n.trusted[p] == "" {
		return
	}
	list := n.described(p)
	at := w.random.IntN(len(list))
	d, other := list[at], list[(at+1)%len(list)]
	t := w.draft(d.keys, d.keys.current())
	t.aud = d.aud
	t.sign(d.keys.current())
	w.tokens = append(w.tokens, t)
	w.ask(n, t)
	time.Sleep(w.upTo(2 * time.Second))
	w.revokeThis(n, oidcauth.Revocation{Issuer: p.URL() + "|" + other.prefix, IssuedBefore: n.now()})
	r := oidcauth.Revocation{Issuer: p.URL(), Subject: d.prefix + t.sub, IssuedBefore: t.issued.Add(time.Second)}
	if w.chance(2) {
		r.Issuer += "|" + d.prefix
	}
	if !w.chance(3) {
		r.Until = n.now().Add(time.Minute + w.upTo(time.Hour))
	}
	w.revokeThis(n, r)
	w.ask(n, t)
}
