// Package idp is an OpenID Connect issuer inside the process, for
// measurements: it serves discovery and a JWKS, counts the fetches of the
// latter, rotates keys, and answers late, wrongly or not at all when told to.
package idp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is the audience of the issuer's tokens.
const Audience = "https://db.example.com"

// Behaviour is how the issuer answers requests for its JWKS. The zero value
// is an issuer in good health.
type Behaviour struct {
	Delay  time.Duration // before the answer
	Status int           // instead of 200; 0 is 200
	Empty  bool          // a key set without keys
	MaxAge time.Duration // of the answer; 0 is 10 minutes
}

// Issuer is the issuer. It is safe for concurrent use.
type Issuer struct {
	URL     string
	started time.Time        // what the tokens' times are counted from
	server  *httptest.Server // nil when offline
	fetches atomic.Int64

	mu         sync.Mutex // guards all below
	behaviour  Behaviour
	generation int
	keys       map[string]*Key // the signing key by algorithm
	published  jose.JSONWebKeySet
}

// Start returns an issuer that listens on loopback.
func Start() (*Issuer, error) {
	i := &Issuer{started: time.Now(), keys: make(map[string]*Key)}
	if err := i.Rotate(); err != nil {
		return nil, err
	}
	i.server = httptest.NewServer(i)
	i.URL = i.server.URL
	return i, nil
}

// Offline returns an issuer that is reached through [Issuer.Client] only,
// without a network: it can live in a synctest bubble.
func Offline() (*Issuer, error) {
	i := &Issuer{started: time.Now(), keys: make(map[string]*Key), URL: "https://issuer.example.com"}
	return i, i.Rotate()
}

// Close stops the issuer's server.
func (i *Issuer) Close() {
	if i.server != nil {
		i.server.Close()
	}
}

// Loopback reports whether the issuer listens on loopback, without TLS.
func (i *Issuer) Loopback() bool { return i.server != nil }

// Client returns an HTTP client that reaches the issuer.
func (i *Issuer) Client() *http.Client {
	if i.server != nil {
		return i.server.Client()
	}
	return &http.Client{Transport: inMemory{i}}
}

// JWKSURL returns the address of the key set.
func (i *Issuer) JWKSURL() string { return i.URL + "/jwks" }

// Fetches returns how often the key set has been asked for.
func (i *Issuer) Fetches() int64 { return i.fetches.Load() }

// ResetFetches sets the count of fetches to zero.
func (i *Issuer) ResetFetches() { i.fetches.Store(0) }

// Behave sets how the issuer answers from now on.
func (i *Issuer) Behave(b Behaviour) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.behaviour = b
}

// Rotate makes new signing keys and publishes them beside the old ones.
func (i *Issuer) Rotate() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.generation++
	for _, algorithm := range Algorithms() {
		k, err := newKey(algorithm, i.generation)
		if err != nil {
			return err
		}
		i.keys[algorithm] = k
		i.published.Keys = append(i.published.Keys, k.jwk())
	}
	return nil
}

// Key returns the signing key of an algorithm, nil when there is none.
func (i *Issuer) Key(algorithm string) *Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[algorithm]
}

// ServeHTTP answers requests for the discovery document and the key set.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, map[string]any{
			"issuer":                                i.URL,
			"jwks_uri":                              i.JWKSURL(),
			"authorization_endpoint":                i.URL + "/authorize",
			"token_endpoint":                        i.URL + "/token",
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": Algorithms(),
		})
	case "/jwks":
		i.fetches.Add(1)
		i.serveKeys(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	behaviour := i.behaviour
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if !behaviour.Empty {
		set.Keys = append(set.Keys, i.published.Keys...)
	}
	i.mu.Unlock()

	if !wait(r, behaviour.Delay) {
		return
	}
	if behaviour.Status != 0 {
		http.Error(w, http.StatusText(behaviour.Status), behaviour.Status)
		return
	}
	maxAge := behaviour.MaxAge
	if maxAge == 0 {
		maxAge = 10 * time.Minute
	}
	w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d", int(maxAge.Seconds())))
	writeJSON(w, set)
}

// wait pauses for d and reports whether the client is still there.
func wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// A client that has gone away is its own affair.
	_ = json.NewEncoder(w).Encode(v)
}

// inMemory is a transport that hands requests to the issuer itself.
type inMemory struct{ issuer *Issuer }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	m.issuer.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := recorder.Result()
	response.Request = r
	return response, nil
}
