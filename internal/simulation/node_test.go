package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"reflect"
	"sync"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/mtls"
)

// A node is a server: one process after the other, on the same directories.
type node struct {
	w     *world
	name  string
	dir   string // of the process
	clock authtest.Clock
	link  *link // nil without a log
	net   *network
	auth  *oidcauth.Authenticator
	local *localissuer.Issuer // nil where its directory could not be opened

	process  int // counts starts
	started  time.Time
	begun    time.Time // the same by its clock
	proofs   *dpop.Verifier
	clockSet time.Time // when the clock was last set
	ahead    time.Duration
	peak     time.Time            // the latest that the clock has shown
	trusted  map[*provider]string // configured ones: the audience that is wanted
	retrust  time.Time            // when that last changed
	proven   map[*provider]bool   // strangers whose tokens this process has accepted

	introspect func(context.Context, string) (json.RawMessage, error) // of this process

	mu           sync.Mutex // guards what follows
	views        map[*provider]*view
	viewsChanged map[*provider]time.Time
	keysLost     map[*provider]time.Time // when one was left out last
	generations  map[*provider]int
	asked        map[string][]*asked // by this process, about each token
}

func newNode(w *world, i int) *node {
	n := &node{
		w: w, name: fmt.Sprint("server-", i), dir: filepath.Join(w.dir, fmt.Sprint("server-", i)), trusted: map[*provider]string{},
		views: map[*provider]*view{}, viewsChanged: map[*provider]time.Time{},
		keysLost: map[*provider]time.Time{}, generations: map[*provider]int{},
	}
	n.net = newNetwork(n)
	if w.log != nil {
		n.link = newLink(w.log)
	}
	for _, p := range w.of(configured) {
		n.trusted[p] = audience
	}
	return n
}

func (n *node) now() time.Time { return n.clock.Now() }

// seen notes how late it has been by the node's clock.
func (n *node) seen() {
	if now := n.now(); now.After(n.peak) {
		n.peak = now
	}
	if n.peak.After(n.w.latest) {
		n.w.latest = n.peak
	}
}

func (n *node) setClock(ahead time.Duration) {
	n.seen()
	n.ahead, n.clockSet = ahead, time.Now()
	n.clock.Set(ahead)
	n.seen()
}

// start begins a process.
func (n *node) start() {
	w := n.w
	n.process++
	n.started = time.Now()
	n.proven = map[*provider]bool{}
	n.forgetAnswers()
	n.net.restarted()
	n.seen()
	if w.vault != nil {
		n.local = w.vault.open(n)
	}
	cfg := oidcauth.Config{
		Issuers: n.issuers(), Client: &http.Client{Transport: n.net}, Leeway: w.plan.leeway,
		CacheBytes: w.plan.cacheBytes, KeepWarm: w.plan.keepWarm, Now: n.now,
	}
	if w.plan.keyCache {
		cfg.KeyCacheDir = filepath.Join(n.dir, "keys")
	}
	if w.plan.found {
		cfg.FindIssuer = w.table.find
	}
	if w.plan.anyone {
		cfg.AnyIssuer = &oidcauth.AnyIssuer{
			Audiences: []string{audience}, Accept: isStranger, MaxIssuers: w.plan.maxStrangers,
			MaxFirstContacts: w.plan.strangersAtOnce, FirstContactsPerSecond: w.plan.strangersRate,
		}
		inMemory(cfg.AnyIssuer)
	}
	n.begun = n.now()
	if w.plan.proofs != "" {
		n.proofs = n.verifier()
		cfg.DPoP = n.proofs
	}
	if w.plan.readsCertificates {
		cfg.Certificate = mtls.Connection
	}
	if n.link != nil {
		n.link.restarted()
		cfg.Revocations, cfg.RequireRevocations = n.link, w.plan.requireAll
	}
	if w.plan.revocationDir {
		cfg.RevocationDir = filepath.Join(n.dir, "revocations")
	}
	var err error
	if n.auth, err = oidcauth.New(cfg); err != nil {
		w.fail(nil, "%s does not start: %v", n.name, err)
	}
	synctest.Wait()
}

// inMemory lets strangers' issuers be reached over a transport that has no addresses
// to check.
func inMemory(o *oidcauth.AnyIssuer) {
	f := reflect.ValueOf(o).Elem().FieldByName("permit")
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().
		Set(reflect.ValueOf(func(netip.AddrPort) bool { return false }))
}

// stop ends the process. What it knew is gone, but for its files.
func (n *node) stop() {
	if n.auth == nil {
		return
	}
	n.seen()
	synctest.Wait()
	_ = n.auth.Close() // says what waits, which the model knows
	if n.local != nil {
		n.local.Close()
		n.local = nil
	}
	n.auth = nil
	for _, p := range n.w.providers {
		n.keysLetGo(p)
	}
	n.w.processEnds(n)
}

func (n *node) restart() {
	n.w.note("%s restarts", n.name)
	n.stop()
	n.w.dropSessions(n)
	time.Sleep(n.w.upTo(5 * time.Second))
	n.start()
}

// issuers is what the node is configured with.
func (n *node) issuers() (list []oidcauth.Issuer) {
	for _, p := range n.w.of(configured) {
		list = append(list, n.issuersOf(p)...)
	}
	if n.local != nil {
		list = append(list, n.local.Issuer())
	}
	return list
}

// setIssuers has a provider be trusted, for an audience, or not.
func (n *node) setIssuers(p *provider, aud string) {
	was := n.trusted[p]
	n.trusted[p] = aud
	n.retrust = time.Now()
	n.w.note("%s: %s is trusted for %q", n.name, p.host, aud)
	if err := n.auth.SetIssuers(n.issuers()...); err != nil {
		n.w.fail(nil, "SetIssuers() error = %v", err)
	}
	if was != "" && aud == "" {
		n.keysLetGo(p)
		if p.other != nil {
			n.keysLetGo(p.other)
		}
	}
}
