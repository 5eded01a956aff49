package oidcauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

const (
	publicURL = "https://db.example.com"
	callURL   = publicURL + "/v1/call"
)

// A boundWorld is an issuer whose tokens are bound to a client's key, and a server that
// has it proved.
type boundWorld struct {
	issuer *oidctest.Issuer
	client *oidctest.Prover
	auth   *oidcauth.Authenticator
	server http.Handler // behind the middleware; says whose call it is
}

// newBoundWorld makes one. The function changes the configuration.
func newBoundWorld(t testing.TB, proofs dpop.Config, change func(*oidcauth.Config)) *boundWorld {
	t.Helper()
	if proofs.PublicURL == "" && !proofs.InsecureAnyHost {
		proofs.PublicURL = publicURL
	}
	verifier, err := dpop.New(proofs)
	if err != nil {
		t.Fatal(err)
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), DPoP: verifier}
	if change != nil {
		change(&cfg)
	}
	w := &boundWorld{issuer: issuer, client: oidctest.NewProver(t, ""), auth: newAuthenticator(t, cfg)}
	w.server = w.auth.Middleware(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		io.WriteString(rw, claims.Subject()+r.Header.Get("Authorization")+r.Header.Get("DPoP"))
	}))
	return w
}

// token returns a token that is bound to the client's key.
func (w *boundWorld) token() string {
	return w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": w.client.Thumbprint(), "kc-jkt-type": "x"}})
}

func (w *boundWorld) proof(token string) string { return w.client.Proof("POST", callURL, token, nil) }

// call makes a request with these headers, each a name and a value.
func (w *boundWorld) call(t testing.TB, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", "/v1/call?x=y", nil)
	r.Host = "10.0.0.7:8080"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.server.ServeHTTP(answer, r)
	return answer
}

// A token that is bound to a key counts under the scheme DPoP alone, with a proof, and
// any other under Bearer alone.
func TestMiddleware_DPoP(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) {
		cfg.Extract = oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.QueryToken("access_token"), oidcauth.HeaderToken("X-Token"))
	})
	bound, bearer := w.token(), w.issuer.Token(nil)
	stranger := oidctest.NewProver(t, "")
	const algorithms = `DPoP algs="ES256 ES384 ES512 EdDSA Ed25519 PS256 PS384 PS512 RS256 RS384 RS512"`
	for _, tt := range []struct {
		name      string
		headers   func() []string
		status    int
		challenge string // begins so
		code      string
	}{
		{"a bound token with proof", func() []string { return []string{"Authorization", "DPoP " + bound, "DPoP", w.proof(bound)} }, 200, "", ""},
		{"the scheme in other letters", func() []string { return []string{"Authorization", "dpop  " + bound, "dpop", w.proof(bound)} }, 200, "", ""},
		{"a bearer token", func() []string { return []string{"Authorization", "Bearer " + bearer} }, 200, "", ""},
		{"a bearer token, and a proof that nobody needs", func() []string { return []string{"Authorization", "Bearer " + bearer, "DPoP", w.proof(bearer)} }, 200, "", ""},
		{"no token", func() []string { return nil }, 401, `Bearer realm="api"`, "unauthorized"},
		{"a bound token as bearer token", func() []string { return []string{"Authorization", "Bearer " + bound} }, 401, `Bearer error="invalid_token"`, "invalid_token"},
		{"a bound token as bearer token, with proof", func() []string { return []string{"Authorization", "Bearer " + bound, "DPoP", w.proof(bound)} }, 401, `Bearer error="invalid_token"`, "invalid_token"},
		{"a bound token elsewhere, with proof", func() []string { return []string{"X-Token", bound, "DPoP", w.proof(bound)} }, 401, `Bearer error="invalid_token"`, "invalid_token"},
		{"a bearer token under DPoP", func() []string { return []string{"Authorization", "DPoP " + bearer, "DPoP", w.proof(bearer)} }, 401, algorithms + `, error="invalid_token"`, "invalid_token"},
		{"no proof", func() []string { return []string{"Authorization", "DPoP " + bound} }, 401, algorithms + `, error="invalid_dpop_proof"`, "invalid_dpop_proof"},
		{"an empty proof", func() []string { return []string{"Authorization", "DPoP " + bound, "DPoP", ""} }, 401, algorithms + `, error="invalid_dpop_proof"`, "invalid_dpop_proof"},
		{"a proof for another token", func() []string { return []string{"Authorization", "DPoP " + bound, "DPoP", w.proof(bearer)} }, 401, algorithms + `, error="invalid_dpop_proof"`, "invalid_dpop_proof"},
		{"a proof by another key", func() []string {
			return []string{"Authorization", "DPoP " + bound, "DPoP", stranger.Proof("POST", callURL, bound, nil)}
		}, 401, algorithms + `, error="invalid_token"`, "invalid_token"},
		{"a proof for the address by which a header names the server", func() []string {
			return []string{"Authorization", "DPoP " + bound, "X-Forwarded-Host", "evil.example.com", "X-Forwarded-Proto", "https",
				"Forwarded", "host=evil.example.com", "DPoP", w.client.Proof("POST", "https://evil.example.com/v1/call", bound, nil)}
		}, 401, algorithms + `, error="invalid_dpop_proof"`, "invalid_dpop_proof"},
		{"two proofs", func() []string {
			return []string{"Authorization", "DPoP " + bound, "DPoP", w.proof(bound), "DPoP", w.proof(bound)}
		}, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"two schemes", func() []string {
			return []string{"Authorization", "Bearer " + bound, "Authorization", "DPoP " + bound, "DPoP", w.proof(bound)}
		}, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"twice under DPoP", func() []string {
			return []string{"Authorization", "DPoP " + bound, "Authorization", "DPoP " + bound, "DPoP", w.proof(bound)}
		}, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"DPoP and another place", func() []string {
			return []string{"Authorization", "DPoP " + bound, "DPoP", w.proof(bound), "X-Token", bound}
		}, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"DPoP and a malformed other place", func() []string {
			return []string{"Authorization", "DPoP " + bound, "DPoP", w.proof(bound), "X-Token", "a b"}
		}, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"the scheme alone", func() []string { return []string{"Authorization", "DPoP", "DPoP", w.proof(bound)} }, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"two words", func() []string { return []string{"Authorization", "DPoP a b", "DPoP", w.proof(bound)} }, 400, algorithms + `, error="invalid_request"`, "invalid_request"},
		{"a bad token", func() []string { return []string{"Authorization", "DPoP " + bound + "x", "DPoP", w.proof(bound)} }, 401, algorithms + `, error="invalid_token"`, "invalid_token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := w.call(t, tt.headers()...)
			body := answer.Body.String()
			challenges := answer.Header().Values("WWW-Authenticate")
			if answer.Code != tt.status {
				t.Fatalf("status %d, want %d: %s", answer.Code, tt.status, body)
			}
			if tt.status == 200 {
				if body != "alice" && !strings.HasPrefix(tt.name, "a bearer token,") {
					t.Errorf("the handler saw %q", body)
				}
				return
			}
			if len(challenges) == 0 || !strings.HasPrefix(challenges[0], tt.challenge) || !strings.Contains(body, `"error":"`+tt.code+`"`) {
				t.Errorf("challenges %q, body %s, want %q and %q", challenges, body, tt.challenge, tt.code)
			}
			if strings.HasPrefix(tt.challenge, "Bearer") && (len(challenges) != 2 || challenges[1] != algorithms) {
				t.Errorf("challenges %q, want the other scheme's, too", challenges)
			}
		})
	}
}

// Two tokens, one of them under the scheme DPoP, are more than one.
func TestMiddleware_DPoPBesideAnother(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.Extract = oidcauth.HeaderToken("X-Token") })
	token := w.token()
	if got := w.call(t, "Authorization", "DPoP "+token, "DPoP", w.proof(token), "X-Token", w.issuer.Token(nil)); got.Code != 400 || !strings.Contains(got.Body.String(), "more than one token") {
		t.Errorf("status %d, %s, want 400 for more than one token", got.Code, got.Body)
	}
}

// An extractor of the program's own that fails is the server's failure, whatever it was to
// say of the request.
func TestMiddleware_DPoPExtractFails(t *testing.T) {
	t.Parallel()
	for name, extract := range map[string]oidcauth.Extractor{
		"an error": func(*http.Request) (string, error) { return "", errors.New("no store of sessions") },
		"a panic":  func(r *http.Request) (string, error) { panic("no store of sessions") },
	} {
		for list, extract := range map[string]oidcauth.Extractor{"alone": extract, "in a list": oidcauth.FirstOf(oidcauth.BearerToken, extract)} {
			w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.Extract = extract })
			token := w.token()
			if got := w.call(t, "Authorization", "DPoP "+token, "DPoP", w.proof(token)); got.Code != 500 {
				t.Errorf("%s, %s: status %d, %s, want 500", name, list, got.Code, got.Body)
			}
		}
	}
}

// Where any host is accepted a header that names another, or says that the connection was
// encrypted, changes nothing: whoever sends the request wrote it.
func TestMiddleware_DPoPForwarded(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{InsecureAnyHost: true}, func(cfg *oidcauth.Config) {
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // also of a proxy that is named
	})
	const asked = "http://10.0.0.7:8080/v1/call"
	token := w.token()
	for _, tt := range []struct {
		proved  string
		headers []string
	}{
		{"http://db.example.com/v1/call", []string{"X-Forwarded-Host", "db.example.com"}},
		{"https://10.0.0.7:8080/v1/call", []string{"X-Forwarded-Proto", "https"}},
		{callURL, []string{"Forwarded", "host=db.example.com;proto=https"}},
		{"http://10.0.0.7:8080/v1/other", []string{"X-Forwarded-Uri", "/v1/other", "X-Original-Url", "/v1/other", "X-Forwarded-Path", "/v1/other"}},
		{"http://10.0.0.7:8080/in/v1/call", []string{"X-Forwarded-Prefix", "/in"}},
	} {
		for proved, status := range map[string]int{tt.proved: 401, asked: 200} {
			headers := append([]string{"Authorization", "DPoP " + token, "DPoP", w.client.Proof("POST", proved, token, nil)}, tt.headers...)
			if answer := w.call(t, headers...); answer.Code != status {
				t.Errorf("a proof for %s beside %q: status %d, want %d: %s", proved, tt.headers, answer.Code, status, answer.Body)
			}
		}
	}
}

// A token that was verified before still needs a proof of its own at each use, and the
// same proof is never good again.
func TestMiddleware_DPoPEachUse(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	token := w.token()
	for range 3 {
		proof := w.proof(token)
		if answer := w.call(t, "Authorization", "DPoP "+token, "DPoP", proof); answer.Code != 200 {
			t.Fatalf("status %d: %s", answer.Code, answer.Body)
		}
		if answer := w.call(t, "Authorization", "DPoP "+token, "DPoP", proof); answer.Code != 401 {
			t.Errorf("status %d for the same proof again, want 401", answer.Code)
		}
		if answer := w.call(t, "Authorization", "DPoP "+token); answer.Code != 401 {
			t.Errorf("status %d without proof, want 401", answer.Code)
		}
	}
}

// The nonce is told where it is wanted and with each answer to a proof, and pages of
// other origins may read it.
func TestMiddleware_DPoPNonce(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{Nonces: true}, nil)
	token := w.token()
	answer := w.call(t, "Authorization", "DPoP "+token, "DPoP", w.proof(token))
	nonce := answer.Header().Get("DPoP-Nonce")
	if answer.Code != 401 || !strings.Contains(answer.Header().Get("WWW-Authenticate"), `error="use_dpop_nonce"`) ||
		nonce == "" || answer.Header().Get("Access-Control-Expose-Headers") != "DPoP-Nonce" {
		t.Fatalf("status %d, headers %v", answer.Code, answer.Header())
	}
	answer = w.call(t, "Authorization", "DPoP "+token, "DPoP", w.client.Proof("POST", callURL, token, map[string]any{"nonce": nonce}))
	if answer.Code != 200 || answer.Header().Get("DPoP-Nonce") == "" || answer.Header().Get("Access-Control-Expose-Headers") != "DPoP-Nonce" {
		t.Errorf("status %d, headers %v: %s", answer.Code, answer.Header(), answer.Body)
	}
	if got := answer.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("an answer with a nonce may be stored: Cache-Control %q", got)
	}
	if answer := w.call(t, "Authorization", "Bearer "+w.issuer.Token(nil)); answer.Code != 200 || answer.Header().Get("DPoP-Nonce")+answer.Header().Get("Cache-Control") != "" {
		t.Errorf("a bearer token: status %d, headers %v", answer.Code, answer.Header())
	}
	server := httptest.NewServer(w.server)
	defer server.Close()
	here := newBoundWorld(t, dpop.Config{Nonces: true, PublicURL: server.URL}, nil)
	server.Config.Handler = here.server
	client := here.client.Client(here.token(), nil)
	for range 2 {
		response, err := client.Post(server.URL+"/v1/call?x", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 {
			t.Errorf("a client that uses nonces gets %s", response.Status)
		}
	}
}

// A handler behind others that cut the path off, or change it, is at the address that
// the client asked for.
func TestMiddleware_DPoPStrippedPath(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	w.server = http.StripPrefix("/v1", w.server)
	token := w.token()
	if answer := w.call(t, "Authorization", "DPoP "+token, "DPoP", w.proof(token)); answer.Code != 200 {
		t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
	if answer := w.call(t, "Authorization", "DPoP "+token, "DPoP", w.client.Proof("POST", publicURL+"/call", token, nil)); answer.Code != 401 {
		t.Errorf("status %d for a proof of the path that is left, want 401", answer.Code)
	}
}

// A proof for one path is good for no other, however a request names its own.
func TestMiddleware_DPoPAnotherPath(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	token := w.token()
	for name, change := range map[string]func(r *http.Request){
		"a host of HTTP/2 with a path":       func(r *http.Request) { r.Host = "db.example.com/v1/call?" },
		"what would be a fragment":           func(r *http.Request) { r.RequestURI, r.URL.Path = "/v1/call#/admin", "/v1/call#/admin" },
		"an absolute form, its path cut off": func(r *http.Request) { r.RequestURI, r.URL.Path = "http://db/api/v1/call", "/v1/call" },
	} {
		r := httptest.NewRequest("POST", "/v1/admin", nil)
		change(r)
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", w.proof(token))
		answer := httptest.NewRecorder()
		if w.server.ServeHTTP(answer, r); answer.Code != 401 || !strings.Contains(answer.Body.String(), "invalid_dpop_proof") {
			t.Errorf("%s: status %d, want 401: %s", name, answer.Code, answer.Body)
		}
	}
}

// Whether proofs are accepted, and demanded, is each issuer's description's to say.
func TestIssuer_Bound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bound               string
		boundWant, bearWant error
	}{
		{"", nil, nil},
		{"require", nil, oidcauth.ErrTokenType},
		{"refuse", oidcauth.ErrTokenType, nil},
	} {
		w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.Issuers[0].Bound = tt.bound })
		token := w.token()
		ctx := possession.NewContext(t.Context(), possession.Proof{DPoP: w.proof(token), Method: "POST", URL: callURL})
		if _, err := w.auth.Authenticate(ctx, token); !errors.Is(err, tt.boundWant) {
			t.Errorf("Bound %q: Authenticate() error = %v for a bound token, want %v", tt.bound, err, tt.boundWant)
		}
		wants(t, w.auth, w.issuer.Token(nil), tt.bearWant)
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for name, change := range map[string]func(*oidcauth.Config){
		"an unknown word":             func(cfg *oidcauth.Config) { cfg.Issuers[0].Bound = "yes" },
		"required, and nobody to ask": func(cfg *oidcauth.Config) { cfg.Issuers[0].Bound = "require" },
		"a verifier that nobody made": func(cfg *oidcauth.Config) { cfg.DPoP = new(dpop.Verifier) },
	} {
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
		change(&cfg)
		if a, err := oidcauth.New(cfg); err == nil {
			a.Close()
			t.Errorf("%s: New() gave no error", name)
		}
	}
	off := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	p := oidctest.NewProver(t, "")
	token := issuer.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}})
	ctx := possession.NewContext(t.Context(), possession.Proof{DPoP: p.Proof("POST", callURL, token, nil), Method: "POST", URL: callURL})
	if _, err := off.Authenticate(ctx, token); !errors.Is(err, oidcauth.ErrTokenType) {
		t.Errorf("Authenticate() error = %v where proofs are not checked, want %v", err, oidcauth.ErrTokenType)
	}
}

// Outside HTTP the context has the proof, for one token and one use.
func TestAuthenticate_Possession(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{}, nil)
	token, bearer := w.token(), w.issuer.Token(nil)
	with := func(p possession.Proof) context.Context {
		p.Method, p.URL = "POST", callURL
		return possession.NewContext(t.Context(), p)
	}
	used := with(possession.Proof{DPoP: w.proof(token)})
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		token string
		want  error
	}{
		{"a proof", used, token, nil},
		{"the same context", used, token, dpop.ErrInvalidProof},
		{"none", t.Context(), token, oidcauth.ErrProof},
		{"none, for a bearer token", t.Context(), bearer, nil},
		{"a proof under Bearer", with(possession.Proof{Scheme: "Bearer", DPoP: w.proof(token)}), token, oidcauth.ErrProof},
		{"none under DPoP", with(possession.Proof{Scheme: "DPoP"}), token, dpop.ErrInvalidProof},
		{"none under DPoP, for a bearer token", with(possession.Proof{Scheme: "dpop"}), bearer, oidcauth.ErrProof},
		{"a proof for a bearer token", with(possession.Proof{DPoP: w.proof(bearer)}), bearer, oidcauth.ErrProof},
		{"another", with(possession.Proof{Scheme: "DPoP", DPoP: w.proof(token)}), token, nil},
	} {
		if _, err := w.auth.Authenticate(tt.ctx, tt.token); !errors.Is(err, tt.want) || err != nil && !errors.Is(err, oidcauth.ErrProof) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
	}
	report := w.auth.Explain(t.Context(), token)
	if !report.Accepted || !strings.Contains(report.String(), "jkt") {
		t.Errorf("the report does not say what the token is bound by:\n%s", report)
	}
}

// When nobody can say whether a proof was used before, the answer is 503.
func TestMiddleware_DPoPReplaysUnknown(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{Replays: downReplays{}}, nil)
	token := w.token()
	answer := w.call(t, "Authorization", "DPoP "+token, "DPoP", w.proof(token))
	if answer.Code != 503 || answer.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, headers %v, want 503 with Retry-After", answer.Code, answer.Header())
	}
}

type downReplays struct{}

func (downReplays) FirstUse(context.Context, [32]byte, time.Time) (bool, error) {
	return false, errLogDown
}

// What tokens are bound to takes no memory of those that are bound to nothing: both
// sizes are such as the allocator has, and one byte more would cost the next.
func TestBound_CostsNothing(t *testing.T) {
	t.Parallel()
	if oidcauth.ClaimsSize > 256 || oidcauth.SessionSize > 80 {
		t.Errorf("claims have %d bytes and sessions %d, want 256 and 80 at most", oidcauth.ClaimsSize, oidcauth.SessionSize)
	}
}

// A log of revocations is a store of proofs that were used.
var _ dpop.Replays = oidcauth.RevocationLog(nil)
