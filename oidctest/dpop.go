package oidctest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/said"
)

// A Prover is a client that has a key, and makes proofs of that for tokens which are
// bound to it (DPoP, RFC 9449). A token is bound to the key with
//
//	token := iss.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}})
//
// It is safe for concurrent use.
type Prover struct {
	t    TB
	pair crypto.Signer
	jwk  jose.JSONWebKey // public
	alg  string
	now  func() time.Time
}

// NewProver makes a key for an algorithm: RS256, PS256, ES256, ES384, ES512, EdDSA and
// the like. Empty means ES256. Proofs are made at the time of [time.Now]. What cannot be
// made fails the test t; t may be nil outside tests, and then it panics.
func NewProver(t TB, alg string) *Prover {
	if t == nil {
		t = noTest{}
	}
	t.Helper()
	if alg == "" {
		alg = "ES256"
	}
	var pair crypto.Signer
	var err error
	if strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS") {
		pair, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		pair, err = newEllipticPair(alg)
	}
	if err != nil {
		t.Fatalf("oidctest: a key for %s: %v", alg, err)
	}
	said.PrivateKey(pair)
	return &Prover{t: t, pair: pair, jwk: jose.JSONWebKey{Key: pair.Public()}, alg: alg, now: time.Now}
}

// noTest stands in for a test where there is none.
type noTest struct{}

func (noTest) Helper()                           {}
func (noTest) Cleanup(func())                    {}
func (noTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Thumbprint returns the thumbprint of the key, as tokens have it in "jkt".
func (p *Prover) Thumbprint() string {
	p.t.Helper()
	digest, err := p.jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		p.t.Fatalf("oidctest: thumbprint: %v", err)
	}
	return base64.RawURLEncoding.EncodeToString(digest)
}

// Proof returns a proof for one request with a token: of its method, its address
// without query and fragment, and now. The claims given are added or take the place of
// those; a nil value leaves a claim out. A [time.Time] is written as the number of seconds.
func (p *Prover) Proof(method, url, token string, claims map[string]any) string {
	p.t.Helper()
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		url = url[:end]
	}
	digest := sha256.Sum256([]byte(token))
	full := overlay(map[string]any{
		"jti": rand.Text(), "htm": method, "htu": url, "iat": p.now(),
		"ath": base64.RawURLEncoding.EncodeToString(digest[:]),
	}, claims)
	for name, value := range full {
		if t, ok := value.(time.Time); ok {
			full[name] = t.Unix()
		}
	}
	return p.Sign(nil, full)
}

// Sign returns a proof with full control over what is signed, in the manner of
// [Key.Sign]: a header of type map[string]any, or nil, is completed by "typ"
// (dpop+jwt), "alg" and "jwk".
func (p *Prover) Sign(header, payload any) string {
	p.t.Helper()
	given, ok := header.(map[string]any)
	if ok || header == nil {
		header = overlay(map[string]any{"typ": "dpop+jwt", "alg": p.alg, "jwk": p.jwk}, given)
	}
	h, err := encode(header)
	if err == nil {
		var body, signature []byte
		if body, err = encode(payload); err == nil {
			input := compact(h, body)
			if signature, err = sign(p.pair, p.alg, []byte(input)); err == nil {
				return input + "." + base64.RawURLEncoding.EncodeToString(signature)
			}
		}
	}
	p.t.Fatalf("oidctest: proof: %v", err)
	return ""
}

// Client returns an HTTP client that sends the token under the scheme DPoP with each
// request, and a proof with it. Like any good client it uses the nonce that a server
// names, and repeats a request once that wanted another. Base sends the requests; nil
// means [http.DefaultTransport].
func (p *Prover) Client(token string, base http.RoundTripper) *http.Client {
	if base == nil {
		base = http.DefaultTransport
	}
	return &http.Client{Transport: &provingTransport{prover: p, token: token, base: base}}
}

type provingTransport struct {
	prover *Prover
	token  string
	base   http.RoundTripper

	mu     sync.Mutex // guards nonces
	nonces map[string]string
}

// RoundTrip implements [http.RoundTripper].
func (t *provingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	for again := false; ; again = true {
		once := r.Clone(r.Context())
		if r.Body != nil {
			once.Body = io.NopCloser(bytes.NewReader(body))
		}
		nonce := t.nonce(r.URL.Host, "")
		claims := map[string]any{"nonce": nonce}
		if nonce == "" {
			claims = nil
		}
		once.Header.Set("Authorization", "DPoP "+t.token)
		once.Header.Set("DPoP", t.prover.Proof(r.Method, r.URL.String(), t.token, claims))
		response, err := t.base.RoundTrip(once)
		if err != nil {
			return nil, err
		}
		next := t.nonce(r.URL.Host, response.Header.Get("DPoP-Nonce"))
		wanted := strings.Contains(response.Header.Get("WWW-Authenticate"), `"use_dpop_nonce"`)
		if again || !wanted || next == nonce {
			return response, nil
		}
		response.Body.Close()
	}
}

// nonce notes the nonce of a host, unless that is empty, and returns the last one.
func (t *provingTransport) nonce(host, given string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if given != "" {
		if t.nonces == nil {
			t.nonces = make(map[string]string)
		}
		t.nonces[host] = given
	}
	return t.nonces[host]
}
