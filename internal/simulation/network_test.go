package simulation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// latency is how long each request is under way.
const latency = 40 * time.Millisecond

// staleLimit is how long keys serve after they were last confirmed.
const staleLimit = 24 * time.Hour

// A view is what a server was last told by a provider of its keys, by an answer
// that it can use.
type view struct {
	keys    map[string]bool // of published keys
	ids     map[string]bool // their key IDs
	at      time.Time       // when they were confirmed
	atLeast time.Time       // the same, for keys that come from a file
}

// A network carries a server's requests, and takes down what it is told.
type network struct {
	n    *node
	base http.RoundTripper

	mu       sync.Mutex // guards what follows
	contacts []time.Time
	keySets  map[*provider]int // how often they were asked for
	evil     string            // what nobody may ask for
	dead     bool              // the process was killed
	unknown  int               // questions under way about opaque tokens that nobody has issued
}

func newNetwork(n *node) *network {
	var issuers []*oidctest.Issuer
	for _, p := range n.w.providers {
		issuers = append(issuers, p.Issuer)
	}
	return &network{n: n, base: oidctest.Client(issuers...).Transport, keySets: map[*provider]int{}}
}

// RoundTrip implements [http.RoundTripper].
func (x *network) RoundTrip(r *http.Request) (*http.Response, error) {
	p := x.n.w.providerAt(r.URL)
	discovery := strings.HasSuffix(r.URL.Path, "openid-configuration")
	x.mu.Lock()
	if discovery && (p == nil || p.kind == stranger) {
		x.contacts = append(x.contacts, time.Now())
	}
	supplies := p != nil && r.URL.Path == userinfoPath
	if p != nil && !discovery && !supplies && r.Method == http.MethodGet {
		x.keySets[p]++
	}
	if r.URL.Path == evilPath {
		x.evil = r.URL.String() + ", which a document of another issuer named"
	}
	x.mu.Unlock()
	about := askedAbout(r)
	if strings.HasPrefix(about, madeUp) || strings.HasPrefix(about, hangs) {
		defer x.countUnknown()()
	}
	select {
	case <-time.After(latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if supplies {
		return p.registry.serve(r)
	}
	if p == nil && strings.HasPrefix(r.URL.Host, "hangs-") || strings.HasPrefix(about, hangs) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	began := x.n.generation(p)
	answer, err := x.base.RoundTrip(r)
	if x.isDead() {
		return nil, errors.New("the process is dead")
	}
	if err != nil || p == nil || discovery || r.Method == http.MethodPost {
		return answer, err
	}
	switch answer.StatusCode {
	case http.StatusOK:
		answer.Body = &recorder{ReadCloser: answer.Body, whole: func(body []byte) { x.told(p, began, body) }}
	case http.StatusNotModified:
		x.n.confirmed(p, began)
	}
	return answer, nil
}

// countUnknown counts a question about a token that nobody has issued, until done.
func (x *network) countUnknown() (done func()) {
	const most = 16
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unknown++
	if x.unknown > most && x.evil == "" {
		x.evil = "more than 16 questions at once about tokens that nobody knows"
	}
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.unknown--
	}
}

// askedAbout returns the token that an issuer is asked about, if that is the request.
func askedAbout(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	body, err := r.GetBody()
	if err != nil {
		return ""
	}
	text, _ := io.ReadAll(body)
	form, _ := url.ParseQuery(string(text))
	return form.Get("token")
}

// told notes an answer of a provider's, unless nobody is there any more.
func (x *network) told(p *provider, generation int, body []byte) {
	if !x.isDead() {
		x.n.told(p, generation, body)
	}
}

// restarted forgets what a process before has asked for: budgets are each process's.
func (x *network) restarted() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.contacts = nil
}

// asked returns how often a provider was asked for its keys.
func (x *network) asked(p *provider) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.keySets[p]
}

// A recorder has a body looked at once it was read to its end.
type recorder struct {
	io.ReadCloser
	read  bytes.Buffer
	whole func([]byte)
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.read.Write(b[:n])
	if err == io.EOF && r.whole != nil {
		r.whole(r.read.Bytes())
		r.whole = nil
	}
	return n, err
}

// told notes an answer of a provider's. One without any key that can be used
// replaces nothing.
func (n *node) told(p *provider, generation int, body []byte) {
	var set struct {
		Keys []struct{ Kty, Kid, X string }
	}
	if json.Unmarshal(body, &set) != nil {
		return
	}
	v := &view{keys: map[string]bool{}, ids: map[string]bool{}, at: time.Now(), atLeast: time.Now()}
	for _, k := range set.Keys {
		if k.Kty == "OKP" {
			v.keys[k.Kid+" "+k.X], v.ids[k.Kid] = true, true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(v.keys) > 0 && n.generations[p] == generation {
		if former := n.views[p]; former != nil && !v.hasAll(former) {
			n.keysLost[p] = time.Now()
		}
		n.views[p] = v
		n.viewsChanged[p] = time.Now()
	}
}

// hasAll reports whether no key of another view is left out.
func (v *view) hasAll(o *view) bool {
	for k := range o.keys {
		if !v.keys[k] {
			return false
		}
	}
	return true
}

// lostKeys returns when a key of those who may have signed a token was left out last.
func (n *node) lostKeys(t *token) time.Time {
	if t.p == nil {
		return time.Time{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if first := t.p.named(); t.p.scoped() {
		return latest(n.keysLost[first], n.keysLost[first.other])
	}
	return n.keysLost[t.p]
}

// confirmed notes that a provider said that its keys are what they were.
func (n *node) confirmed(p *provider, generation int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v := n.views[p]; v != nil && n.generations[p] == generation {
		c := *v
		c.at, c.atLeast = time.Now(), time.Now()
		n.views[p] = &c
	}
}

// generation tells apart what asks a provider for its keys, which may be let go of
// with an answer on its way.
func (n *node) generation(p *provider) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.generations[p]
}

// keysLetGo notes that a server has let go of a provider's keys, but for what it has
// in a file.
func (n *node) keysLetGo(p *provider) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.generations[p]++
	v := n.views[p]
	if v == nil {
		return
	}
	if p.kind == stranger || !n.w.plan.keyCache {
		delete(n.views, p)
		return
	}
	// The file is not written for the sake of its time alone more often than that.
	const written = 5 * time.Minute
	c := *v
	c.atLeast = c.at.Add(-written)
	n.views[p] = &c
}

func (n *node) view(p *provider) *view {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.views[p]
}
