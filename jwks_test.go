package oidcauth_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A verdict in the cache dies with the key that signed the token.
func TestAuthenticate_KeyRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		issuer.Replace()
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Fatalf("Authenticate() error = %v before the library can know of the removal", err)
		}
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
			t.Fatalf("Authenticate() error = %v for the first token after a rotation", err)
		}
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("Authenticate() error = %v, want %v under a removed key", err, oidcauth.ErrUnknownKey)
		}
	})
}

func TestAuthenticate_ReusedKeyID(t *testing.T) {
	t.Parallel()
	for _, reuses := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			trusted.Keys.ReusesKeyIDs = reuses
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			issuer.ReuseKeyID()
			_, err := a.Authenticate(t.Context(), issuer.Token(nil))
			if reuses && err != nil {
				t.Errorf("Authenticate() error = %v, want none with ReusesKeyIDs", err)
			}
			if !reuses && !errors.Is(err, oidcauth.ErrSignature) {
				t.Errorf("Authenticate() error = %v, want %v without ReusesKeyIDs", err, oidcauth.ErrSignature)
			}
		})
	}
}

// A connection kept open for later requests would hold two goroutines for a
// minute and a half.
func TestClose_Connections(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{{
		URL: "https://issuer.test", Keys: oidcauth.KeysFrom{JWKSURL: server.URL, InsecureHTTP: true}, Audiences: []string{testAudience},
	}}})
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open after Close")
	}
}

// The trace sees every fetch, the log only changes of state.
func TestTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.AddJWK(map[string]any{"kty": "oct", "k": "AAAA"})
		var mu sync.Mutex // guards fetches, changes
		var fetches []authtrace.KeyFetch
		var changes []authtrace.KeyState
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: true,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Trace: &authtrace.Hooks{
				KeysFetched: func(f authtrace.KeyFetch) { mu.Lock(); defer mu.Unlock(); fetches = append(fetches, f) },
				KeysState:   func(c authtrace.KeyState) { mu.Lock(); defer mu.Unlock(); changes = append(changes, c) },
			},
		})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		time.Sleep(4 * time.Hour)
		a.Close()

		if len(fetches) < 3 || fetches[0].Usable != 1 || fetches[0].Skipped != 1 || !fetches[0].Lookup || fetches[0].Issuer != issuer.URL() || fetches[0].URL != issuer.JWKSURL() {
			t.Errorf("fetches = %+v", fetches)
		}
		if last := fetches[len(fetches)-1]; last.Err == nil || last.Lookup {
			t.Errorf("last fetch = %+v, want a failed refresh", last)
		}
		if len(changes) != 3 || changes[0].To != authtrace.Fresh || changes[1].To != authtrace.Stale || changes[1].Err == nil || changes[2].To != authtrace.None {
			t.Errorf("changes = %+v, want fresh, then stale with its cause, then none", changes)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 { // that all is let go of is no news
			t.Errorf("%d log lines for 2 changes:\n%s", n, &log)
		}
	})
}

// An issuer whose keys arrive although its discovery fails is in trouble all the
// same, and nothing but the trace can tell.
func TestTrace_DiscoveryFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var mu sync.Mutex // guards last
		var last authtrace.KeyFetch
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: true,
			Trace: &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { mu.Lock(); defer mu.Unlock(); last = f }},
		})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, fails := range []bool{false, true} {
			if fails {
				issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
			}
			time.Sleep(60 * time.Hour)
			synctest.Wait()
			mu.Lock()
			if last.Err != nil || fails != (last.DiscoveryErr != nil) {
				t.Errorf("discovery fails %v: fetch = %+v", fails, last)
			}
			mu.Unlock()
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Aliases = []string{"issuer.test"}
	issuer.AddJWK(map[string]any{"kty": "oct", "k": "AAAA", "kid": "secret"})
	issuer.SetCaching(oidctest.JWKS, oidctest.Caching{MaxAge: 10 * time.Minute, ETag: true})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	r, err := a.Keys(t.Context(), "issuer.test")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Keys) != 1 || r.Keys[0].ID != issuer.Key().ID() || r.Keys[0].Type != "EC P-256" ||
		len(r.Skipped) != 1 || r.Skipped[0].ID != "secret" || r.Skipped[0].Skipped == "" {
		t.Errorf("Keys() = %+v, skipped %+v", r.Keys, r.Skipped)
	}
	if r.State != authtrace.Fresh || r.MaxAge != 10*time.Minute || r.ETag == "" || r.JWKSURL != issuer.JWKSURL() ||
		!r.NextRefresh.After(r.Fetched) || !r.FreshUntil.After(r.NextRefresh) || !r.ServeUntil.After(r.FreshUntil) {
		t.Errorf("Keys() = %+v", r)
	}
	if _, err := a.Keys(t.Context(), "https://b.test"); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("Keys() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
	silent, trusted := newIssuer(t, oidctest.Config{})
	a = newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: silent.Client()})
	if r, err = a.Keys(t.Context(), silent.URL()); err != nil || r.MaxAge != -1 {
		t.Errorf("MaxAge = %v, %v, of an issuer that says nothing of it, want -1", r.MaxAge, err)
	}
}

// A server starts before its issuer does, and accepts tokens as soon as the
// issuer is there.
func TestAuthenticate_IssuerComesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Refuse: true})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(nil)
		_, err := a.Authenticate(t.Context(), token)
		refusal, ok := errors.AsType[*oidcauth.Refusal](err)
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !ok || refusal.RetryAfter() <= 0 {
			t.Fatalf("Authenticate() error = %v, want %v with a time to retry after", err, oidcauth.ErrKeysUnavailable)
		}
		issuer.Clear()
		time.Sleep(refusal.RetryAfter())
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Errorf("Authenticate() error = %v once the issuer is up", err)
		}
	})
}

// inFile writes content to a file of its own and returns its name.
func inFile(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A cluster's issuer: its own authority, and keys that nobody gets without a token.
func TestKeysFrom_Cluster(t *testing.T) {
	t.Parallel()
	const credential = "credential-of-this-server"
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var asked atomic.Int64
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+credential {
			http.Error(w, credential, http.StatusUnauthorized)
			return
		}
		w.Write(issuer.KeySet())
	})
	server := httptest.NewUnstartedServer(guarded)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // says when a client does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := inFile(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	token := inFile(t, []byte(credential))
	for _, tt := range []struct {
		name string
		keys oidcauth.KeysFrom
		want error
	}{
		{"certificates and token", oidcauth.KeysFrom{CAFile: ca, TokenFile: token}, nil},
		{"certificates alone", oidcauth.KeysFrom{CAFile: ca}, oidcauth.ErrKeysUnavailable},
		{"token alone", oidcauth.KeysFrom{TokenFile: token}, oidcauth.ErrKeysUnavailable},
		{"a client that trusts it, and the token", oidcauth.KeysFrom{Client: server.Client(), TokenFile: token}, nil},
		{"another token", oidcauth.KeysFrom{CAFile: ca, TokenFile: inFile(t, []byte("other"))}, oidcauth.ErrKeysUnavailable},
	} {
		var lines authtest.Log
		trusted.Keys = tt.keys
		trusted.Keys.JWKSURL = server.URL + "/openid/v1/jwks"
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		_, err := a.Authenticate(t.Context(), issuer.Token(nil))
		a.Close() // and with it whoever writes to the log
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), credential) || strings.Contains(lines.String(), credential) {
			t.Errorf("%s: error %v or log %q repeats the credential", tt.name, err, lines.String())
		}
	}
	if asked.Load() == 0 {
		t.Error("the server was asked for nothing")
	}
}

// A discovery document that names keys elsewhere gets no credential sent there.
func TestKeysFrom_TokenFile_Discovered(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var atKeys, atIssuer atomic.Value
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atKeys.Store("got " + r.Header.Get("Authorization"))
		w.Write(issuer.KeySet())
	}))
	t.Cleanup(keys.Close)
	issuer.SetDiscovery(map[string]any{"jwks_uri": keys.URL})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atIssuer.Store("got " + r.Header.Get("Authorization"))
		issuer.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	issuer.SetURL(server.URL)
	issuer.SetDiscovery(map[string]any{"jwks_uri": keys.URL})
	trusted.URL = server.URL
	trusted.Keys = oidcauth.KeysFrom{InsecureHTTP: true, TokenFile: inFile(t, []byte("mine"))}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if atIssuer.Load() != "got Bearer mine" || atKeys.Load() != "got " {
		t.Errorf("the issuer %q, the other host %q; want the credential at the issuer alone", atIssuer.Load(), atKeys.Load())
	}
}

// A credential is for where the discovery document is, if that is somewhere else.
func TestKeysFrom_TokenFile_DiscoveryURL(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var atDocument, atIssuer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atIssuer.Store("got " + r.Header.Get("Authorization"))
		issuer.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	document := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atDocument.Store("got " + r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/jwks.json")
	}))
	t.Cleanup(document.Close)
	issuer.SetURL(server.URL)
	trusted.URL = server.URL
	trusted.Keys = oidcauth.KeysFrom{InsecureHTTP: true, TokenFile: inFile(t, []byte("mine")), DiscoveryURL: document.URL + "/d"}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if atDocument.Load() != "got Bearer mine" || atIssuer.Load() != "got " {
		t.Errorf("the document %q, the issuer %q; want the credential at the document alone", atDocument.Load(), atIssuer.Load())
	}
}

// Each issuer has its own client and what it trusts; others go on with Config's.
func TestKeysFrom_Client(t *testing.T) {
	t.Parallel()
	one, first := newIssuer(t, oidctest.Config{URL: "https://one.test"})
	two, second := newIssuer(t, oidctest.Config{URL: "https://two.test"})
	first.Keys.Client = one.Client()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{first, second}, Client: two.Client()})
	for _, issuer := range []*oidctest.Issuer{one, two} {
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
			t.Errorf("%s: Authenticate() error = %v", issuer.URL(), err)
		}
	}
}

// A proxy of one issuer's own is its client's.
func TestKeysFrom_Proxy(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "http://keycloak.test/realms/a"})
	var proxied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied.Add(1)
		issuer.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	trusted.Keys = oidcauth.KeysFrom{
		Client:            &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}},
		InsecureHTTPHosts: []string{"keycloak.test"},
	}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil || proxied.Load() != 2 {
		t.Errorf("Authenticate() error = %v by %d requests to the proxy, want nil by two", err, proxied.Load())
	}
}

// Http beyond loopback is for the hosts that are named, and for one issuer.
func TestKeysFrom_InsecureHTTPHosts(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "http://keycloak:8080/realms/a"})
	for _, tt := range []struct {
		name string
		keys oidcauth.KeysFrom
		good bool
	}{
		{"named", oidcauth.KeysFrom{InsecureHTTPHosts: []string{"keycloak"}}, true},
		{"named for the keys, too", oidcauth.KeysFrom{JWKSURL: issuer.JWKSURL(), InsecureHTTPHosts: []string{"keycloak"}}, true},
		{"another named", oidcauth.KeysFrom{InsecureHTTPHosts: []string{"sidecar"}}, false},
		{"loopback alone", oidcauth.KeysFrom{InsecureHTTP: true}, false},
		{"nothing", oidcauth.KeysFrom{}, false},
	} {
		trusted.Keys = tt.keys
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		if (err == nil) != tt.good {
			t.Errorf("%s: New() error = %v, want one: %v", tt.name, err, !tt.good)
		}
		if err != nil {
			continue
		}
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
			t.Errorf("%s: Authenticate() error = %v", tt.name, err)
		}
		a.Close()
	}
}

// What came by https does not lead to a host that http is allowed to.
func TestKeysFrom_InsecureHTTPHosts_NoWayDown(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	issuer.SetDiscovery(map[string]any{"jwks_uri": "http://keycloak/keys"})
	trusted.Keys.InsecureHTTPHosts = []string{"keycloak"}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
	}
}

// What says how to fetch contradicts what is never fetched.
func TestKeysFrom_Contradictions(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	file := inFile(t, []byte("x"))
	for name, keys := range map[string]oidcauth.KeysFrom{
		"client":       {JWKS: issuer.KeySet(), Client: http.DefaultClient},
		"certificates": {JWKS: issuer.KeySet(), CAFile: file},
		"token":        {JWKS: issuer.KeySet(), TokenFile: file},
		"hosts":        {JWKS: issuer.KeySet(), InsecureHTTPHosts: []string{"h"}},
		"no file":      {CAFile: filepath.Join(t.TempDir(), "none")},
		"no host":      {InsecureHTTPHosts: []string{"http://h"}},
	} {
		trusted.Keys = keys
		if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}); err == nil || !strings.Contains(err.Error(), "Keys") {
			t.Errorf("%s: New() error = %v, want one about Keys", name, err)
			if err == nil {
				a.Close()
			}
		}
	}
	trusted.Keys = oidcauth.KeysFrom{JWKS: issuer.KeySet(), InsecureHTTP: true}
	newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
}

// The leeway of an issuer is that of its tokens, new, remembered and live ones.
func TestIssuer_Leeway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		issuer, all  time.Duration
		alive, early time.Duration // how long after expiry and before not-before a token is good
	}{
		{"neither", 0, 0, 30 * time.Second, 30 * time.Second},
		{"everybody's", 0, time.Minute, time.Minute, time.Minute},
		{"its own", 2 * time.Minute, 0, 2 * time.Minute, 2 * time.Minute},
		{"less than everybody's", time.Second, time.Minute, time.Second, time.Second},
		{"none, unlike everybody", -1, time.Minute, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			trusted.Leeway = tt.issuer
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: tt.all})
			now := time.Now()
			token := issuer.Token(map[string]any{"exp": now.Add(time.Minute).Unix()})
			c, err := a.Authenticate(t.Context(), token)
			if err != nil {
				t.Fatalf("%s: Authenticate() error = %v", tt.name, err)
			}
			session := a.NewSession(t.Context(), c)
			var warned time.Duration
			session.OnExpiring(time.Second, func() { warned = time.Since(now) })
			for _, early := range []struct {
				by   time.Duration
				want error
			}{{tt.early, nil}, {tt.early + time.Second, oidcauth.ErrNotYetValid}} {
				if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"nbf": now.Add(early.by).Unix()})); !errors.Is(err, early.want) {
					t.Errorf("%s: %v early: Authenticate() error = %v, want %v", tt.name, early.by, err, early.want)
				}
			}
			time.Sleep(time.Minute + tt.alive - time.Nanosecond)
			synctest.Wait()
			if _, err := a.Authenticate(t.Context(), token); err != nil || session.Context().Err() != nil {
				t.Errorf("%s: at the last instant: Authenticate() error = %v, session %v", tt.name, err, context.Cause(session.Context()))
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrExpired) {
				t.Errorf("%s: after it: Authenticate() error = %v, want %v", tt.name, err, oidcauth.ErrExpired)
			}
			if err := context.Cause(session.Context()); !errors.Is(err, oidcauth.ErrExpired) {
				t.Errorf("%s: after it: the session ended with %v, want %v", tt.name, err, oidcauth.ErrExpired)
			}
			if want := time.Minute + tt.alive - time.Second; warned != want {
				t.Errorf("%s: warned after %v, want a second before the end, after %v", tt.name, warned, want)
			}
			if got := stepOf(t, a.Explain(t.Context(), token), "expiry").Want; !strings.Contains(got, now.Add(time.Minute).UTC().Format(time.TimeOnly)) {
				t.Errorf("%s: a report wants an expiry %s, want one at that leeway", tt.name, got)
			}
		})
	}
	for _, leeway := range []time.Duration{5*time.Minute + 1, 30} { // "leeway": 30 in a file
		_, trusted := newIssuer(t, oidctest.Config{})
		trusted.Leeway = leeway
		if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}); err == nil {
			t.Errorf("New() with a leeway of %v: no error", leeway)
			a.Close()
		}
	}
}

// A revocation lasts until tokens of the issuer with the widest leeway are gone.
func TestIssuer_Leeway_Revocation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Leeway = 5 * time.Minute
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: time.Hour})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour + 4*time.Minute).Unix()})
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Fatalf("Authenticate() error = %v", err)
		}
		if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 9*time.Minute - time.Second)
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("at its last second: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
		}
	})
}

// The age of a logout token is judged with the leeway of its issuer.
func TestIssuer_Leeway_Logout(t *testing.T) {
	t.Parallel()
	for leeway, want := range map[time.Duration]int{0: http.StatusBadRequest, 2 * time.Minute: http.StatusOK} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Leeway = leeway
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := logoutToken(issuer, map[string]any{"iat": time.Now().Add(-11 * time.Minute).Unix()})
		if got := postLogout(a, token).StatusCode; got != want {
			t.Errorf("leeway %v: logout answered %d, want %d", leeway, got, want)
		}
	}
}
