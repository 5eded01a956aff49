package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

const testSecret = "correct horse battery staple"

// fakeProvider hands out tokens to the client "app": with testSecret, or with
// an assertion signed by key, or, for a person, without either. It redirects
// every browser straight back, and its device codes are good at the second
// poll.
type fakeProvider struct {
	iss *oidctest.Issuer

	mu       sync.Mutex // guards all below
	key      *jose.JSONWebKey
	named    string            // by assertions; empty for the token endpoint
	asked    []url.Values      // requests for tokens, as they came in
	header   http.Header       // of the last of them
	devices  []*http.Request   // requests for device codes
	codes    map[string]string // challenge by code
	nonces   map[string]string // nonce by code
	polls    int
	interval int // seconds between polls
	lifetime int // of a device code, in seconds
	// idToken changes the claims of ID tokens, callback the query that the
	// browser brings back, and answer the answers with tokens.
	idToken, answer map[string]any
	callback        url.Values
	// repeats has it refuse everybody, and repeat what they sent.
	repeats bool
}

func newFakeProvider(t *testing.T) *fakeProvider {
	t.Helper()
	p := &fakeProvider{codes: map[string]string{}, nonces: map[string]string{}, interval: 1, lifetime: 60}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /device", p.device)
	mux.HandleFunc("POST /token", p.token)
	p.iss = oidctest.NewIssuer(t, oidctest.Config{Other: mux})
	p.iss.Start()
	p.describe(nil)
	return p
}

// describe sets the discovery document, with members replaced.
func (p *fakeProvider) describe(members map[string]any) {
	document := map[string]any{"device_authorization_endpoint": p.iss.URL() + "/device"}
	maps.Copy(document, members)
	p.iss.SetDiscovery(document)
}

// flags returns what every call needs.
func (p *fakeProvider) flags(grant string, more ...string) []string {
	return append([]string{"token", grant, "--issuer", p.iss.URL(), "--client-id", "app", "--allow-insecure-http"}, more...)
}

// last returns the last request for a token.
func (p *fakeProvider) last(t *testing.T) url.Values {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) == 0 {
		t.Fatal("no token was asked for")
	}
	return p.asked[len(p.asked)-1]
}

// times returns how many tokens were asked for.
func (p *fakeProvider) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

func (p *fakeProvider) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := r.URL.Query()
	code := said.NewSecret("authorization code")
	if asked.Get("code_challenge_method") == "S256" {
		p.codes[code], p.nonces[code] = asked.Get("code_challenge"), asked.Get("nonce")
	}
	back := url.Values{"state": {asked.Get("state")}, "code": {code}}
	for name, values := range p.callback {
		back[name] = values
	}
	http.Redirect(w, r, asked.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *fakeProvider) device(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := said.NewSecret("device code")
	p.codes[code] = r.PostFormValue("code_challenge")
	p.devices = append(p.devices, r)
	json.NewEncoder(w).Encode(map[string]any{
		"device_code": code, "user_code": "WDJB-MJHT", "verification_uri": p.iss.URL() + "/enter",
		"verification_uri_complete": p.iss.URL() + "/enter?code=WDJB-MJHT", "expires_in": p.lifetime, "interval": p.interval,
	})
}

func (p *fakeProvider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.ParseForm()
	for _, name := range []string{"code_verifier", "client_assertion"} {
		if text := r.PostForm.Get(name); text != "" {
			said.Secret(name, text)
		}
	}
	p.asked, p.header = append(p.asked, r.PostForm), r.Header
	w.Header().Set("Content-Type", "application/json")
	claims, refusal := p.grant(r)
	description := "no token\x1b[2J for you"
	if p.repeats && refusal == "" {
		_, secret, _ := r.BasicAuth()
		refusal, description = "invalid_grant", fmt.Sprintf("refused: %q %s %s %s", r.PostForm, r.PostForm.Encode(), secret, r.Header["Authorization"])
	}
	if refusal != "" {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{
			"error": refusal, "error_description": description, "sent": r.PostForm.Encode(),
		})
		return
	}
	answer := map[string]any{
		"access_token": p.iss.Token(map[string]any{"sub": claims["sub"], "aud": "my-db"}),
		"token_type":   "Bearer", "expires_in": 300, "scope": r.PostForm.Get("scope"),
	}
	if claims["sub"] == "alice" {
		maps.Copy(claims, p.idToken)
		answer["id_token"] = p.iss.Token(claims)
	}
	maps.Copy(answer, p.answer)
	json.NewEncoder(w).Encode(answer)
}

// grant decides about a request: the claims of its ID token, or why not.
func (p *fakeProvider) grant(r *http.Request) (claims map[string]any, refusal string) {
	form := r.PostForm
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	switch form.Get("grant_type") {
	case "client_credentials":
		if !p.isClient(r) {
			return nil, "invalid_client"
		}
		return map[string]any{"sub": "app"}, ""
	case "authorization_code":
		code := form.Get("code")
		if p.codes[code] != challenge {
			return nil, "invalid_grant"
		}
		delete(p.codes, code)
		return map[string]any{"sub": "alice", "aud": "app", "nonce": p.nonces[code]}, ""
	case "urn:ietf:params:oauth:grant-type:device_code":
		if p.codes[form.Get("device_code")] != challenge {
			return nil, "invalid_grant"
		}
		if p.polls++; p.polls < 2 {
			return nil, "authorization_pending"
		}
		return map[string]any{"sub": "alice", "aud": "app"}, ""
	}
	return nil, "unsupported_grant_type"
}

// isClient checks the client's secret or assertion.
func (p *fakeProvider) isClient(r *http.Request) bool {
	if id, secret, ok := r.BasicAuth(); ok {
		plain, err := url.QueryUnescape(secret)
		return err == nil && id == "app" && plain == testSecret
	}
	if assertion := r.PostForm.Get("client_assertion"); assertion != "" {
		return p.key != nil && p.isAssertion(assertion)
	}
	return r.PostForm.Get("client_id") == "app" && r.PostForm.Get("client_secret") == testSecret
}

func (p *fakeProvider) isAssertion(assertion string) bool {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{
		jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA,
	})
	if err != nil {
		return false
	}
	var claims jwt.Claims
	if token.Claims(p.key, &claims) != nil {
		return false
	}
	return claims.Issuer == "app" && claims.Subject == "app" && claims.ID != "" &&
		slices.Equal(claims.Audience, []string{cmp.Or(p.named, p.iss.URL()+"/token")}) &&
		claims.Expiry.Time().Sub(claims.IssuedAt.Time()) == assertionLifetime
}

// subjectOf returns the "sub" of a token, without looking at its signature.
func subjectOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(strings.TrimSuffix(token, "\n"), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want a token alone", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Subject
}
