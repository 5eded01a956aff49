package simulation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// How a provider comes to be trusted.
const (
	configured = "configured"
	found      = "found"    // in the program's table
	cluster    = "cluster"  // as the second one that calls itself by a configured one's name
	stranger   = "stranger" // by Config.AnyIssuer
)

// evilPath is where a discovery document that lies says the keys are.
const evilPath = "/evil/jwks.json"

// A provider is an issuer, and what is true of it.
type provider struct {
	*oidctest.Issuer
	w        *world
	kind     string
	host     string
	keys     []*key
	fault    string    // empty while nothing is wrong
	faultEnd time.Time // when the last one ended
	slowEnd  time.Time // when the last one ended with which answers do not arrive
	opaque   bool      // it has opaque tokens, too
	registry *registry // of what its tokens do not say; nil where they say everything
	other    *provider // the second one of its name
	west     *provider // whose name it calls itself by
}

// A key is a key pair of a provider. What tells it apart is both its ID and its
// material, since issuers lie about which belongs to which.
type key struct {
	*oidctest.Key
	of        string // its ID and its material
	published time.Time
	removed   time.Time
	early     map[*node]bool // who was asked about it before it was published
}

func newKey(k *oidctest.Key) *key {
	var jwk struct{ X string }
	_ = json.Unmarshal(k.JWK(), &jwk)
	return &key{Key: k, of: k.ID() + " " + jwk.X, early: map[*node]bool{}}
}

func (k *key) there() bool { return !k.published.IsZero() && k.removed.IsZero() }

func (w *world) addProviders() {
	kinds := []string{configured, configured}
	if w.plan.found {
		kinds = append(kinds, found)
	}
	if w.plan.anyone {
		kinds = append(kinds, stranger, stranger)
	}
	if w.plan.clusters {
		kinds = append(kinds, cluster)
	}
	w.table = newTable()
	for i, k := range kinds {
		p := &provider{w: w, kind: k, host: fmt.Sprintf("%s-%d.test", k, i)}
		p.Issuer = oidctest.NewIssuer(w.t, oidctest.Config{URL: "https://" + p.host, Algorithm: "EdDSA"})
		if w.plan.maxAge > 0 || w.chance(2) {
			p.SetCaching(oidctest.JWKS, oidctest.Caching{MaxAge: w.plan.maxAge, ETag: w.chance(2)})
		}
		first := newKey(p.Key())
		first.published = time.Now()
		p.keys = []*key{first}
		p.faultEnd = time.Now().Add(-time.Hour)
		w.providers = append(w.providers, p)
		if k == found {
			w.table.set(p, true)
		}
	}
	w.providers[0].opaque = w.plan.opaque
	if w.plan.supplied {
		w.providers[0].registry = newRegistry()
	}
	if w.plan.clusters {
		last := w.providers[len(w.providers)-1]
		last.west, w.providers[1].other = w.providers[1], last
	}
}

func (p *provider) describe(aud string) oidcauth.Issuer {
	return oidcauth.Issuer{URL: p.URL(), Audiences: []string{aud}, Algorithms: []string{"EdDSA"}}
}

// wellFor reports whether nothing has been wrong for so long.
func (p *provider) wellFor(d time.Duration) bool {
	return p.fault == "" && time.Since(p.faultEnd) >= d
}

// slow reports whether an answer may be on its way for long.
func (p *provider) slow() bool {
	const timeout = 10 * time.Second
	return p.fault == "hangs" || p.fault == "stalls" || time.Since(p.slowEnd) < timeout
}

// rotate publishes another key and signs with it from now on.
func (p *provider) rotate() *key {
	k := p.unpublished()
	p.publish(k)
	p.SignWith(k.Key)
	return k
}

// unpublished makes a key that nobody knows of yet.
func (p *provider) unpublished() *key {
	k := newKey(p.NewKey(oidctest.KeyConfig{}))
	p.keys = append(p.keys, k)
	return k
}

func (p *provider) publish(k *key) {
	k.published = time.Now()
	p.Publish(k.Key)
}

// withdraw takes a key out of the set, unless it is the last one.
func (p *provider) withdraw() *key {
	there := slices.DeleteFunc(slices.Clone(p.keys), func(k *key) bool { return !k.there() })
	if len(there) < 2 {
		return nil
	}
	k := there[p.w.random.IntN(len(there)-1)] // not the newest, which signs
	k.removed = time.Now()
	p.RemoveKey(k.ID())
	return k
}

// current returns the newest key that is published.
func (p *provider) current() *key {
	for _, k := range slices.Backward(p.keys) {
		if k.there() {
			return k
		}
	}
	panic("a provider without a key")
}

// A lie is a document that says what is not so.
const (
	emptySet   = "empty set"
	otherSet   = "another issuer's keys"
	foreignKey = "a foreign key under a known key ID"
	otherName  = "a discovery document of another issuer"
)

// harm has something be wrong from now on.
func (p *provider) harm() {
	p.heal()
	r := p.w.random
	documents := oidctest.BrokenDocuments()
	endpoint := oidctest.JWKS
	if r.IntN(3) == 0 {
		endpoint = oidctest.Discovery
	}
	if p.opaque && r.IntN(2) == 0 {
		endpoint = oidctest.Introspection
	}
	fail := func(f oidctest.Fault) { p.Fail(endpoint, f) }
	faults := []struct {
		name string
		do   func()
	}{
		{"refuses", func() { fail(oidctest.Fault{Refuse: true}) }},
		{"hangs", func() { fail(oidctest.Fault{Hang: true}) }},
		{"stalls", func() { fail(oidctest.Fault{Stall: true}) }},
		{"answers 500", func() { fail(oidctest.Fault{Status: 500}) }},
		{"answers 404", func() { fail(oidctest.Fault{Status: 404}) }},
		{"answers 429", func() {
			fail(oidctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"200"}}})
		}},
		{"has a page", func() { fail(oidctest.HTMLPage(200)) }},
		{"is broken", func() { fail(oidctest.Fault{Body: documents[r.IntN(len(documents))].Bytes}) }},
		{emptySet, func() { p.Fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`{"keys":[]}`)}) }},
		{otherSet, func() { p.Fail(oidctest.JWKS, oidctest.Fault{Body: p.w.elsewhere(p).KeySet()}) }},
		{foreignKey, p.lieAboutKeys},
		{otherName, p.lieAboutName},
	}
	f := pick(r, faults)
	p.fault = f.name
	f.do()
}

// lieAboutKeys publishes a stranger's key under the ID of one of the provider's.
func (p *provider) lieAboutKeys() {
	k := newKey(p.NewKey(oidctest.KeyConfig{ID: p.current().ID()}))
	p.keys = append(p.keys, k)
	p.Fail(oidctest.JWKS, oidctest.Fault{Body: []byte(fmt.Sprintf(`{"keys":[%s]}`, k.JWK()))})
}

// lieAboutName has the discovery document name another issuer, and send whoever
// believes it elsewhere.
func (p *provider) lieAboutName() {
	document := map[string]any{
		"issuer": "https://other.test", "jwks_uri": p.URL() + evilPath,
		"id_token_signing_alg_values_supported": []string{"EdDSA"},
	}
	body, _ := json.Marshal(document)
	p.Fail(oidctest.Discovery, oidctest.Fault{Body: body})
}

// heal ends what is wrong.
func (p *provider) heal() {
	if p.slow() {
		p.slowEnd = time.Now()
	}
	if p.fault != "" {
		p.faultEnd = time.Now()
	}
	p.fault = ""
	p.Clear()
}

func (w *world) providerAt(u *url.URL) *provider {
	for _, p := range w.providers {
		if p.host == u.Host {
			return p
		}
	}
	return nil
}

// of returns the providers of a kind.
func (w *world) of(kind string) (list []*provider) {
	for _, p := range w.providers {
		if p.kind == kind {
			list = append(list, p)
		}
	}
	return list
}

// elsewhere returns a provider whose keys are not those of a provider, nor of another
// one by the same name: what they sign would be good.
func (w *world) elsewhere(p *provider) *provider {
	if other := pick(w.random, w.providers); other == p || other.named() != p.named() {
		return other
	}
	return p
}
