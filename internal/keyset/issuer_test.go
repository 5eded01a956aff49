package keyset_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// bubble runs a subtest with a clock of its own.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

const (
	issuerURL    = "https://issuer.example"
	discoveryURL = issuerURL + "/.well-known/openid-configuration"
	jwksURL      = issuerURL + "/jwks"
)

// pool are keys made once: what they are does not matter to a key set.
var pool = sync.OnceValue(func() []crypto.PublicKey {
	keys := make([]crypto.PublicKey, 64)
	for i := range keys {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[i] = key.Public()
	}
	return keys
})

// key returns the JWK of the pool's nth key under the key ID id.
func key(id string, n int) string {
	jwk := jose.JSONWebKey{Key: pool()[n%64], KeyID: id, Algorithm: "ES256", Use: "sig"}
	raw, err := jwk.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// fastKey is key with an Ed25519 key made from n, which is cheaper to parse.
func fastKey(id string, n int) string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, id, encode(fastPublic(n)))
}

func fastPublic(n int) ed25519.PublicKey {
	public := sha256.Sum256([]byte(fmt.Sprint(n)))
	return public[:]
}

func jwks(keys ...string) string {
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

// issuer is an issuer in memory. The zero fault answers correctly.
type issuer struct {
	mu        sync.Mutex // guards all below
	body      string
	good      string // the body again, while another is served
	served    func() // called with each good answer
	etag      string
	header    http.Header
	status    int           // instead of 200
	delay     time.Duration // before the answer
	early     bool          // the answer is made before the delay, not after
	panics    bool
	quits     bool   // the goroutine that asks ends
	hang      bool   // no answer at all
	broken    bool   // the connection fails
	jwksURL   string // as discovery says
	keepsOld  bool   // keys are served at any URL, not only jwksURL
	discovery int    // status of the discovery document, 0 for 200
	fetches   int    // of key sets
	discovers int
	requests  []*http.Request
}

func newIssuer(keys ...string) *issuer {
	return &issuer{body: jwks(keys...), jwksURL: jwksURL, header: http.Header{}}
}

// set changes the issuer under its lock.
func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) publish(keys ...string) { i.set(func(i *issuer) { i.body = jwks(keys...) }) }

// count returns how often keys were fetched.
func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// RoundTrip answers one request.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	if strings.Contains(r.URL.Path, ".well-known") {
		i.discovers++
	} else {
		i.fetches++
	}
	i.requests = append(i.requests, r)
	if i.panics {
		i.mu.Unlock()
		panic("transport went mad")
	}
	if i.quits {
		i.mu.Unlock()
		runtime.Goexit()
	}
	delay, hang, early := i.delay, i.hang, i.early
	var resp *http.Response
	var err error
	if early {
		resp, err = i.respond(r)
	}
	i.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if !early {
		i.mu.Lock()
		defer i.mu.Unlock()
		return i.respond(r)
	}
	return resp, err
}

func (i *issuer) respond(r *http.Request) (*http.Response, error) {
	switch {
	case i.broken:
		return nil, errors.New("connection refused")
	case strings.Contains(r.URL.Path, ".well-known"):
		return i.discover(r), nil
	}
	return i.answer(r), nil
}

func (i *issuer) discover(r *http.Request) *http.Response {
	doc, _ := json.Marshal(map[string]string{"issuer": issuerURL, "jwks_uri": i.jwksURL})
	return response(r, max(i.discovery, 200), http.Header{}, string(doc))
}

func (i *issuer) answer(r *http.Request) *http.Response {
	header := i.header.Clone()
	if i.etag != "" {
		header.Set("ETag", i.etag)
	}
	switch {
	case i.status != 0:
		return response(r, i.status, header, "")
	case r.URL.String() != i.jwksURL && !i.keepsOld:
		return response(r, http.StatusNotFound, header, "")
	}
	good := i.good == "" || i.body == i.good
	if i.served != nil && good {
		i.served()
	}
	if good && i.etag != "" && r.Header.Get("If-None-Match") == i.etag {
		return response(r, http.StatusNotModified, header, "")
	}
	return response(r, http.StatusOK, header, i.body)
}

func response(r *http.Request, status int, header http.Header, body string) *http.Response {
	header.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: status, Header: header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader([]byte(body))),
	}
}

// discoveries returns how often the discovery document was read.
func (i *issuer) discoveries() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.discovers
}

// last returns the newest request.
func (i *issuer) last() *http.Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[len(i.requests)-1]
}

// config returns a configuration with the issuer's JWKS URL.
func (i *issuer) config(t testing.TB) keyset.Config {
	t.Helper()
	client, err := fetch.New(fetch.Config{HTTP: &http.Client{Transport: i}})
	if err != nil {
		t.Fatalf("fetch.New() error = %v", err)
	}
	return keyset.Config{Issuer: issuerURL, JWKSURL: jwksURL, Fetch: client}
}

// reusing is config for an issuer that publishes new keys under old key IDs.
func (i *issuer) reusing(t testing.TB) keyset.Config {
	t.Helper()
	cfg := i.config(t)
	cfg.ReusesKeyIDs = true
	return cfg
}

// start returns a running set that ends with the test.
func start(t testing.TB, cfg keyset.Config) *keyset.Set {
	t.Helper()
	s, err := keyset.New(cfg)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// startHeld is start for a set that is in use until the test ends.
func startHeld(t testing.TB, cfg keyset.Config) *keyset.Set {
	t.Helper()
	s := start(t, cfg)
	s.Hold()
	t.Cleanup(s.Release)
	return s
}

// inHand returns an issuer of the key "a" and a set that has fetched it.
func inHand(t testing.TB) (*issuer, *keyset.Set) {
	t.Helper()
	i := newIssuer(key("a", 0))
	s := start(t, i.config(t))
	mustKeys(t, s, "a")
	return i, s
}

// mustKeys returns the keys for keyID, of which there must be some.
func mustKeys(t testing.TB, s *keyset.Set, keyID string) []*keyset.Key {
	t.Helper()
	keys, err := s.Keys(t.Context(), jws.Named(keyID))
	if err != nil || len(keys) == 0 {
		t.Fatalf("Keys(%q) = %d keys, error %v, want some", keyID, len(keys), err)
	}
	return keys
}

// refused asserts that no key is returned for keyID, for the reason want.
func refused(t testing.TB, s *keyset.Set, keyID string, want error) {
	t.Helper()
	keys, err := s.Keys(t.Context(), jws.Named(keyID))
	if len(keys) != 0 || !errors.Is(err, want) {
		t.Fatalf("Keys(%q) = %d keys, error %v, want error %v", keyID, len(keys), err, want)
	}
}

// unavailable asserts that err says the keys could not be had.
func unavailable(t testing.TB, err error) *keyset.UnavailableError {
	t.Helper()
	var target *keyset.UnavailableError
	if !errors.As(err, &target) {
		t.Fatalf("error = %v, want an UnavailableError", err)
	}
	return target
}

func wantCount(t testing.TB, i *issuer, want int) {
	t.Helper()
	if got := i.count(); got != want {
		t.Fatalf("key sets fetched %d times, want %d", got, want)
	}
}

func ids(keys []*keyset.Key) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.ID())
	}
	return fmt.Sprint(all)
}

// within returns a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
