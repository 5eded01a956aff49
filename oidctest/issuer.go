package oidctest

import (
	"crypto"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DefaultURL is the URL of an issuer whose [Config] names none.
const DefaultURL = "https://issuer.test"

// Config says what an [Issuer] is like. The zero value is useful.
type Config struct {
	// URL is the issuer's URL, the "iss" of its tokens, exactly as written: a
	// path and a trailing slash are kept. Empty means [DefaultURL].
	URL string
	// Algorithm is that of the first key and of those that [Issuer.Rotate]
	// makes. Empty means ES256, whose keys cost nothing to make.
	Algorithm string
	// Claims are members of every token that [Key.Token] or [Issuer.OpaqueToken]
	// makes, unless the call says otherwise, and "aud" of logout tokens too. Nil
	// adds nothing.
	Claims map[string]any
	// Now is the clock for the times in tokens. Nil means [time.Now], which
	// inside a testing/synctest bubble is the bubble's clock.
	Now func() time.Time
	// JWKSPath is where the key set is served, below the URL: a path that begins with a
	// slash. Empty means "/jwks.json". For a program that has the address of the keys, and
	// not below the issuer's URL, URL and JWKSPath together are that address, and Claims
	// have the "iss" of the tokens.
	JWKSPath string
	// Other answers requests that are for neither the discovery document nor
	// the key set nor "/introspect" below the URL, such as those for a token
	// endpoint of your own. Nil answers 404.
	Other http.Handler
}

// TB is the part of [testing.TB] that an [Issuer] uses.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// An Issuer is a fake OpenID issuer that lives in memory: it signs tokens and
// answers requests for its discovery document and its key set, and about opaque
// tokens, well or, when told to, badly.
//
// All methods are safe for concurrent use, and may be called while requests
// run.
type Issuer struct {
	tb       TB
	now      func() time.Time
	alg      string
	claims   map[string]any
	jwksPath string
	other    http.Handler

	mu        sync.Mutex // guards what follows; never held while waiting
	url       string
	signing   *Key
	set       []entry
	changed   time.Time // when the key set last changed
	lastID    int
	borrowed  map[crypto.Signer]int // RSA pairs to hand back, and their bits
	discovery map[string]any
	opaque    map[string][]byte // what is said about opaque tokens
	caching   map[Endpoint]Caching
	stored    map[Endpoint]storedAnswer
	faults    map[Endpoint]*faultQueue
	eras      map[Endpoint]int // how often faults were cleared
	visits    map[*visit]struct{}
	log       []*Fetch
	arrivals  map[chan struct{}]struct{}
	conns     map[net.Conn]struct{}
	servers   []*httptest.Server
	closed    bool
}

// NewIssuer returns an issuer with one key. It starts no goroutine and opens
// no socket. It is closed when the test ends; mistakes in using it are fatal
// to the test.
//
// Outside tests t may be nil: then mistakes panic, and [Issuer.Close] is up to
// the caller.
func NewIssuer(t TB, cfg Config) *Issuer {
	i := &Issuer{
		tb:       t,
		now:      cfg.Now,
		alg:      cfg.Algorithm,
		claims:   maps.Clone(cfg.Claims),
		jwksPath: cfg.JWKSPath,
		other:    cfg.Other,
		borrowed: map[crypto.Signer]int{},
		opaque:   map[string][]byte{},
		caching:  map[Endpoint]Caching{},
		stored:   map[Endpoint]storedAnswer{},
		faults:   map[Endpoint]*faultQueue{},
		eras:     map[Endpoint]int{},
		visits:   map[*visit]struct{}{},
		arrivals: map[chan struct{}]struct{}{},
		conns:    map[net.Conn]struct{}{},
	}
	i.helper()
	if i.now == nil {
		i.now = time.Now
	}
	if i.alg == "" {
		i.alg = "ES256"
	}
	if i.jwksPath == "" {
		i.jwksPath = "/jwks.json"
	}
	if !strings.HasPrefix(i.jwksPath, "/") || strings.ContainsAny(i.jwksPath, "?#") {
		i.fatalf("oidctest: Config.JWKSPath %q: want a path that begins with a slash, and no query", i.jwksPath)
		return nil
	}
	if cfg.URL == "" {
		cfg.URL = DefaultURL
	}
	i.SetURL(cfg.URL)
	i.Rotate()
	if t != nil {
		t.Cleanup(i.Close)
	}
	return i
}

// URL returns the issuer's URL, the "iss" of its tokens.
func (i *Issuer) URL() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.url
}

// SetURL changes the issuer's URL. Tokens and the discovery document carry the
// new one from now on, and [Issuer.Client] answers for its host.
func (i *Issuer) SetURL(issuer string) {
	i.helper()
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		i.fatalf("oidctest: not an issuer URL: %q", issuer)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.url = issuer
}

// DiscoveryURL returns where the discovery document is served.
func (i *Issuer) DiscoveryURL() string {
	return i.base() + discoveryPath
}

// JWKSURL returns where the key set is served.
func (i *Issuer) JWKSURL() string {
	return i.base() + i.jwksPath
}

// Close breaks off the requests that are under way, and ends the servers that
// [Issuer.Start] and [Issuer.StartTLS] started. Later requests are refused. The
// issuer still signs. Calling Close again does nothing.
func (i *Issuer) Close() {
	i.mu.Lock()
	i.closed = true
	servers := i.servers
	i.servers = nil
	for v := range i.visits {
		v.release()
	}
	conns := i.conns
	i.conns = map[net.Conn]struct{}{}
	pairs := i.borrowed
	i.borrowed = map[crypto.Signer]int{}
	i.mu.Unlock()

	for c := range conns {
		c.Close()
	}
	for _, s := range servers {
		s.CloseClientConnections()
		s.Close()
	}
	for pair, bits := range pairs {
		rsaPairs.put(bits, pair)
	}
}

func (i *Issuer) isClosed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.closed
}

// base is the URL that paths are appended to.
func (i *Issuer) base() string {
	return strings.TrimSuffix(i.URL(), "/")
}

func (i *Issuer) helper() {
	if i.tb != nil {
		i.tb.Helper()
	}
}

func (i *Issuer) fatalf(format string, args ...any) {
	if i.tb == nil {
		panic(fmt.Sprintf(format, args...))
	}
	i.tb.Helper()
	i.tb.Fatalf(format, args...)
}
