package oidcauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

func nowhere(netip.AddrPort) bool { return false }

// open returns a configuration for strangers' issuers that reaches those in
// memory that client reaches.
func open(client *http.Client, any oidcauth.AnyIssuer) oidcauth.Config {
	if len(any.Audiences) == 0 && !any.InsecureAnyAudience {
		any.Audiences = []string{testAudience}
	}
	return oidcauth.Config{Client: client, AnyIssuer: oidcauth.WithNetwork(any, nil, nowhere)}
}

// strangers makes issuers and a client that reaches them all.
func strangers(t testing.TB, n int) ([]*oidctest.Issuer, *http.Client) {
	issuers := make([]*oidctest.Issuer, n)
	for i := range issuers {
		issuers[i], _ = newIssuer(t, oidctest.Config{URL: fmt.Sprintf("https://stranger-%d.test", i)})
	}
	return issuers, oidctest.Client(issuers...)
}

// madeUp returns a well-formed token of an issuer that nobody runs.
func madeUp(issuer string) string {
	encode := base64.RawURLEncoding.EncodeToString
	payload, _ := json.Marshal(map[string]any{"iss": issuer, "sub": "mallory", "aud": testAudience, "exp": 4e9})
	return encode([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + encode(payload) + "." + encode(make([]byte, 64))
}

func TestAnyIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		for _, i := range issuers {
			token := i.Token(map[string]any{"roles": []string{"admin"}, "scope": "write"})
			for range 2 {
				c := wants(t, a, token, nil)
				if c.Issuer() != i.URL() || c.Identity() != identity.New(i.URL(), "alice") {
					t.Errorf("got issuer %q, identity %v", c.Issuer(), c.Identity())
				}
				if roles, scopes := slices.Collect(c.Roles()), slices.Collect(c.Scopes()); len(roles)+len(scopes) > 0 {
					t.Errorf("got roles %q, scopes %q from a stranger, want none", roles, scopes)
				}
			}
			if f := i.Fetches(); f.Discovery != 1 || f.JWKS != 1 {
				t.Errorf("got %+v, want one fetch of each document", f)
			}
			wants(t, a, i.Token(map[string]any{"aud": "another-db"}), oidcauth.ErrAudience)
			wants(t, a, i.NewKey(oidctest.KeyConfig{ID: i.Key().ID()}).Token(nil), oidcauth.ErrSignature)
		}
		// One stranger's keys say nothing about another's tokens.
		wants(t, a, issuers[1].Token(map[string]any{"iss": issuers[0].URL()}), oidcauth.ErrUnknownKey)
	})
}

func TestAnyIssuer_RolesAndScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{Roles: []oidcauth.Path{{"roles"}}, KeepScopes: true}))
		c := wants(t, a, issuers[0].Token(map[string]any{"roles": []string{"writer"}, "scope": "write"}), nil)
		if !c.HasRole("writer") || !c.HasScope("write") {
			t.Errorf("got roles %q, scopes %q where both are wanted", slices.Collect(c.Roles()), slices.Collect(c.Scopes()))
		}
	})
}

func TestAnyIssuer_New(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*oidcauth.AnyIssuer)
		want   string // empty if it is fine
	}{
		{"nothing changed", func(*oidcauth.AnyIssuer) {}, ""},
		{"no audience", func(o *oidcauth.AnyIssuer) { o.Audiences = nil }, "Audiences"},
		{"any audience, spelled out", func(o *oidcauth.AnyIssuer) { o.Audiences, o.InsecureAnyAudience = nil, true }, ""},
		{"any audience and one", func(o *oidcauth.AnyIssuer) { o.InsecureAnyAudience = true }, "InsecureAnyAudience"},
		{"algorithm none", func(o *oidcauth.AnyIssuer) { o.Algorithms = []string{"none"} }, "none"},
		{"logout tokens", func(o *oidcauth.AnyIssuer) { o.TokenTypes = []string{"logout+jwt"} }, "logout+jwt"},
		{"negative number of issuers", func(o *oidcauth.AnyIssuer) { o.MaxIssuers = -1 }, "MaxIssuers"},
		{"negative number of contacts", func(o *oidcauth.AnyIssuer) { o.MaxFirstContacts = -1 }, "MaxFirstContacts"},
		{"negative rate", func(o *oidcauth.AnyIssuer) { o.FirstContactsPerSecond = -1 }, "FirstContactsPerSecond"},
		{"a rate that is hardly any", func(o *oidcauth.AnyIssuer) { o.FirstContactsPerSecond = 1e-7 }, "want one in eleven days at least"},
		{"the least rate", func(o *oidcauth.AnyIssuer) { o.FirstContactsPerSecond = 1e-6 }, ""},
		{"a network denied that is none", func(o *oidcauth.AnyIssuer) { o.DenyPrefixes = make([]netip.Prefix, 1) }, "DenyPrefixes"},
		{"a URL denied", func(o *oidcauth.AnyIssuer) { o.DenyHosts = []string{"https://corp.example"} }, "DenyHosts"},
		{"a name denied", func(o *oidcauth.AnyIssuer) { o.DenyHosts = []string{"corp.example"} }, ""},
		{"a rule that is nil", func(o *oidcauth.AnyIssuer) { o.Rules = []oidcauth.Rule{nil} }, "rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			any := oidcauth.AnyIssuer{Audiences: []string{testAudience}}
			tt.change(&any)
			a, err := oidcauth.New(oidcauth.Config{AnyIssuer: &any})
			if err == nil {
				a.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New() error = %v, want one with %q", err, tt.want)
			}
		})
	}
	t.Run("transport that cannot be guarded", func(t *testing.T) {
		client := &http.Client{Transport: transport(nil)}
		_, err := oidcauth.New(oidcauth.Config{Client: client, AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{testAudience}}})
		if err == nil || !strings.Contains(err.Error(), "Config.Client") {
			t.Errorf("New() error = %v, want one about Config.Client", err)
		}
	})
}

// TestAnyIssuer_Names shows which names are refused without any request.
func TestAnyIssuer_Names(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		client := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			requests.Add(1)
			return nil, errors.New("nobody there")
		})}
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{
			Accept: func(issuer string) bool { return !strings.Contains(issuer, "banned") },
		}))
		for name, asked := range map[string]bool{
			"https://issuer.test":        true,
			"https://issuer.test/tenant": true,
			"https://banned.test":        false,
			"http://issuer.test":         false,
			"http://127.0.0.1":           false,
			"https://127.0.0.1":          false,
			"https://[::1]":              false,
			"https://user@issuer.test":   false,
			"https://issuer.test?a=b":    false,
			"https://issuer.test#a":      false,
			"https://issuer.test/a|b":    false,
			"issuer.test":                false,
			"file:///etc/passwd":         false,
			"https://":                   false,
			"https://issuer.test/" + strings.Repeat("a", 108): true,
			"https://issuer.test/a b":                         false,
		} {
			requests.Store(0)
			wants(t, a, madeUp(name), oidcauth.ErrUnknownIssuer)
			if got := requests.Load() > 0; got != asked {
				t.Errorf("%q: requests made: %v, want %v", name, got, asked)
			}
		}
	})
}

func TestAnyIssuer_AcceptAtEachUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		var banned atomic.Bool
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{Accept: func(string) bool { return !banned.Load() }}))
		token := issuers[0].Token(nil)
		wants(t, a, token, nil)
		banned.Store(true)
		wants(t, a, token, oidcauth.ErrUnknownIssuer)
		banned.Store(false)
		wants(t, a, token, nil)
	})
}

// A configured issuer is itself under each of its names, whatever strangers may.
func TestAnyIssuer_FixedIssuerWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		cfg := open(client, oidcauth.AnyIssuer{InsecureAnyAudience: true})
		cfg.Issuers = []oidcauth.Issuer{{
			URL: issuers[0].URL(), Aliases: []string{issuers[1].URL()}, Audiences: []string{testAudience},
		}}
		a := newAuthenticator(t, cfg)
		c := wants(t, a, issuers[0].Token(map[string]any{"roles": []string{"admin"}}), nil)
		if !c.HasRole("admin") {
			t.Errorf("got roles %q, want those of the configured issuer", slices.Collect(c.Roles()))
		}
		wants(t, a, issuers[0].Token(map[string]any{"aud": "another-db"}), oidcauth.ErrAudience)
		wants(t, a, issuers[1].Token(nil), oidcauth.ErrUnknownKey)
		if f := issuers[1].Fetches(); f.Discovery+f.JWKS != 0 {
			t.Errorf("the host of an alias was asked: %+v", f)
		}
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v", err)
		}
	})
}

// Explain and Keys know strangers' issuers as Authenticate does.
func TestAnyIssuer_ExplainAndKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 3)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		r := a.Explain(t.Context(), issuers[0].Token(nil))
		if !r.Accepted || r.Issuer != issuers[0].URL() {
			t.Errorf("Explain() = %v, error %v", r, r.Err)
		}
		issuers[1].Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		token := issuers[1].Token(nil)
		r = a.Explain(t.Context(), token)
		if !errors.Is(r.Err, oidcauth.ErrUnknownIssuer) || strings.Contains(r.String(), "500") {
			t.Errorf("Explain() error = %v, want %v without a reason:\n%v", r.Err, oidcauth.ErrUnknownIssuer, r)
		}
		for _, s := range r.Steps {
			want := map[string]explain.Verdict{"issuer": explain.Passed, "key": explain.Failed, "signature": explain.Skipped}[s.Check]
			if want != "" && s.Verdict != want {
				t.Errorf("step %s: got %s, want %s", s.Check, s.Verdict, want)
			}
		}
		k, err := a.Keys(t.Context(), issuers[2].URL())
		if err != nil || len(k.Keys) != 1 || k.State != authtrace.Fresh {
			t.Errorf("Keys() = %+v, error %v", k, err)
		}
		for _, name := range []string{issuers[1].URL(), "https://127.0.0.1"} {
			if _, err := a.Keys(t.Context(), name); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
				t.Errorf("Keys(%q) error = %v, want %v", name, err, oidcauth.ErrUnknownIssuer)
			}
		}
	})
}

// Close ends first contacts, and leaves no issuer to be asked.
func TestAnyIssuer_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		known := issuers[0].Token(nil)
		wants(t, a, known, nil)
		issuers[1].Fail(oidctest.Discovery, oidctest.Fault{Hang: true})
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { wants(t, a, issuers[1].Token(nil), oidcauth.ErrClosed) })
		synctest.Wait()
		a.Close()
		wg.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("Close took %v", waited)
		}
		for _, i := range issuers {
			wants(t, a, i.Token(nil), oidcauth.ErrClosed)
		}
		wants(t, a, known, oidcauth.ErrClosed)
	})
}

// A revocation reaches strangers' tokens and their sessions.
func TestAnyIssuer_Revoke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		revoked, other := issuers[0].Token(nil), issuers[1].Token(nil)
		session := a.NewSession(t.Context(), wants(t, a, revoked, nil))
		wants(t, a, other, nil)
		if err := a.Revoke(t.Context(), oidcauth.Revocation{Issuer: issuers[0].URL(), IssuedBefore: time.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		wants(t, a, revoked, oidcauth.ErrRevoked)
		wants(t, a, other, nil)
		synctest.Wait()
		if err := context.Cause(session.Context()); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("the session's end = %v, want %v", err, oidcauth.ErrRevoked)
		}
	})
}

// A stranger's RSA key whose signatures would be slow to check is not used; a
// configured issuer's is.
func TestAnyIssuer_SlowKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		modulus := base64.RawURLEncoding.EncodeToString(append([]byte{0x80}, slices.Repeat([]byte{1}, 255)...))
		for _, i := range issuers {
			i.AddJWK(map[string]string{"kty": "RSA", "kid": "slow", "n": modulus, "e": "f____w"}) // 2^31-1
			i.AddJWK(map[string]string{"kty": "RSA", "kid": "usual", "n": modulus, "e": "AQAB"})
		}
		cfg := open(client, oidcauth.AnyIssuer{})
		cfg.Issuers = []oidcauth.Issuer{{URL: issuers[1].URL(), Audiences: []string{testAudience}}}
		a := newAuthenticator(t, cfg)
		for _, tt := range []struct {
			issuer  *oidctest.Issuer
			usable  int
			skipped []explain.Key
		}{
			{issuers[0], 2, []explain.Key{{ID: "slow", Type: "RSA", Skipped: "RSA exponent too high"}}},
			{issuers[1], 3, nil},
		} {
			wants(t, a, tt.issuer.Token(nil), nil)
			report, err := a.Keys(t.Context(), tt.issuer.URL())
			if err != nil || len(report.Keys) != tt.usable || !slices.Equal(report.Skipped, tt.skipped) {
				t.Errorf("%s: Keys() = %+v, skipped %+v, %v, want %d and %+v", tt.issuer.URL(), report.Keys, report.Skipped, err, tt.usable, tt.skipped)
			}
		}
	})
}

// A stranger's issuer without key IDs is served like a configured one.
func TestAnyIssuer_Keyless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i, a := issuers[0], newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		for range 2 {
			i.RemoveKeys()
			key := i.NewKey(oidctest.KeyConfig{Algorithm: "ES256", NoID: true})
			i.Publish(key)
			i.SignWith(key)
			wants(t, a, i.Token(nil), nil)
			time.Sleep(time.Minute)
		}
	})
}

// Of a stranger's keys that may have signed a token two are tried, of a configured
// issuer's four.
func TestAnyIssuer_ChecksForOneToken(t *testing.T) {
	t.Parallel()
	const n = 8
	for _, id := range []string{"", "shared"} {
		t.Run(fmt.Sprintf("key ID %q", id), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuers, client := strangers(t, 1)
				issuer := issuers[0]
				issuer.RemoveKeys()
				keys := make([]*oidctest.Key, n)
				for i := range keys {
					keys[i] = issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256", ID: id, NoID: id == ""})
					issuer.Publish(keys[i])
				}
				accepted := 0 // by an Authenticator of each token's own: as many as are tried for one
				for i, k := range keys {
					a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
					_, err := a.Authenticate(t.Context(), k.Token(map[string]any{"jti": fmt.Sprint(i)}))
					if err == nil {
						accepted++
					} else if !errors.Is(err, oidcauth.ErrSignature) {
						t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrSignature)
					}
				}
				if accepted != 2 {
					t.Errorf("%d of %d keys were tried for a token of a stranger, want 2", accepted, n)
				}
			})
		})
	}
}

// A stranger's keys on the curve P-521 are used only where that is asked for.
func TestAnyIssuer_P521(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		algorithms []string
		want       error
	}{
		"by default":           {nil, oidcauth.ErrAlgorithm},
		"named":                {[]string{"ES256", "ES512"}, nil},
		"others are named":     {[]string{"ES256"}, oidcauth.ErrAlgorithm},
		"it alone is named":    {[]string{"ES512"}, nil},
		"an empty list is all": {[]string{}, oidcauth.ErrAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuers, client := strangers(t, 1)
				key := issuers[0].AddKey("ES512")
				a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{Algorithms: row.algorithms}))
				wants(t, a, key.Token(nil), row.want)
				_, trusted := newIssuer(t, oidctest.Config{})
				trusted.URL, trusted.Keys.JWKS = issuers[0].URL(), issuers[0].KeySet()
				wants(t, newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}), key.Token(nil), nil)
			})
		})
	}
}

// Whatever is wrong with an issuer that never worked, the answer is the same to
// the byte. What is wrong is in the log, once.
func TestAnyIssuer_UniformAnswers(t *testing.T) {
	t.Parallel()
	faults := map[string]func(*oidctest.Issuer){
		"connection refused":   func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Refuse: true}) },
		"connection reset":     func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Reset: true}) },
		"no answer":            func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Hang: true}) },
		"no end of the answer": func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Stall: true}) },
		"not found":            func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Status: 404}) },
		"server error":         func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Status: 500}) },
		"a time to retry after": func(i *oidctest.Issuer) {
			i.Fail(oidctest.JWKS, oidctest.Fault{Status: 503, Header: http.Header{"Retry-After": {"77"}}})
		},
		"a web page":         func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.HTMLPage(200)) },
		"too large":          func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Pad: 70_000}) },
		"redirect to a host": func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Redirect: "https://10.0.0.1/"}) },
		"another issuer":     func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"issuer": "https://b.test"}) },
		"keys over http": func(i *oidctest.Issuer) {
			i.SetDiscovery(map[string]any{"jwks_uri": "http://stranger-0.test/jwks.json"})
		},
		"keys on loopback": func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": "https://127.0.0.1/jwks"}) },
		"no keys":          func(i *oidctest.Issuer) { i.RemoveKeys() },
		"no key set":       func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`"secret"`)}) },
	}
	answers, texts := map[string][]string{}, map[string][]string{}
	for name, fault := range faults {
		synctest.Test(t, func(t *testing.T) {
			issuers, client := strangers(t, 1)
			var log logBuffer
			cfg := open(client, oidcauth.AnyIssuer{})
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			a := newAuthenticator(t, cfg)
			fault(issuers[0])
			for range 3 { // contacted once, then left alone
				token := issuers[0].Token(nil)
				_, err := a.Authenticate(t.Context(), token)
				if !errors.Is(err, oidcauth.ErrUnknownIssuer) {
					t.Errorf("%s: Authenticate() error = %v, want %v", name, err, oidcauth.ErrUnknownIssuer)
				}
				answer := dump(a, err)
				answers[answer] = append(answers[answer], name)
				texts[err.Error()] = append(texts[err.Error()], name)
			}
			if f := issuers[0].Fetches(); f.Discovery != 1 || f.JWKS > 1 {
				t.Errorf("%s: three tokens cost %+v", name, f)
			}
			reasons := strings.Count(log.String(), "does not answer")
			if reasons != 1 || strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "no usable answer") {
				t.Errorf("%s: log has %d reasons, want one that says what it is:\n%s", name, reasons, &log)
			}
		})
	}
	for _, all := range []map[string][]string{answers, texts} {
		if len(all) != 1 {
			t.Errorf("answers differ: %v", all)
		}
	}
}

// dump returns what a caller sees over HTTP.
func dump(a *oidcauth.Authenticator, err error) string {
	var w recorder
	r, _ := http.NewRequest("GET", "/", nil)
	a.Refuse(&w, r, err)
	return fmt.Sprintf("%d %v %s", w.status, w.header, &w.body)
}

// recorder is an http.ResponseWriter that adds nothing of its own.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// An issuer that has worked is not unknown when it fails, and an outage within
// the keys' lives costs nothing.
func TestAnyIssuer_OutageOfAKnownIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i := issuers[0]
		var log logBuffer
		cfg := open(client, oidcauth.AnyIssuer{})
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := newAuthenticator(t, cfg)
		lives := map[string]any{"exp": time.Now().Add(72 * time.Hour).Unix()}
		wants(t, a, i.Token(lives), nil)
		i.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		for range 23 {
			time.Sleep(time.Hour)
			wants(t, a, i.Token(lives), nil)
		}
		i.Fail(oidctest.JWKS, oidctest.Fault{Status: 500, Header: http.Header{"X": {"10.0.0.1"}}})
		time.Sleep(2 * time.Hour)
		_, err := a.Authenticate(t.Context(), i.Token(lives))
		refusal, ok := errors.AsType[*oidcauth.Refusal](err)
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !ok || refusal.RetryAfter() <= 0 || strings.Contains(err.Error(), "500") {
			t.Errorf("Authenticate() error = %v, want %v, no reason, and a time to retry after", err, oidcauth.ErrKeysUnavailable)
		}
		if n := strings.Count(log.String(), "changed state"); n != 2 || !strings.Contains(log.String(), "status 500") {
			t.Errorf("%d log lines, want two, with the reason:\n%s", n, &log)
		}
		i.Clear()
		time.Sleep(refusal.RetryAfter())
		wants(t, a, i.Token(lives), nil)
	})
}

// A failed issuer is left alone, longer each time, and welcome once it works.
func TestAnyIssuer_FailedIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i := issuers[0]
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		i.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		var contacts []time.Duration
		start := time.Now()
		for range 3600 {
			before := i.Fetches().Discovery
			wants(t, a, i.Token(nil), oidcauth.ErrUnknownIssuer)
			if i.Fetches().Discovery > before {
				contacts = append(contacts, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		if len(contacts) < 6 || len(contacts) > 12 || contacts[1] != 15*time.Second || contacts[2] != 45*time.Second {
			t.Errorf("contacted at %v, want at 0, 15 s, 45 s and at growing distances", contacts)
		}
		i.Clear()
		time.Sleep(10 * time.Minute)
		wants(t, a, i.Token(nil), nil)
	})
}

// What the program does with its AnyIssuer and its Proxies after New changes nothing
// either.
func TestNew_CopiesAnyIssuer(t *testing.T) {
	t.Parallel()
	issuers, client := strangers(t, 2)
	settings := oidcauth.AnyIssuer{
		Audiences: []string{testAudience}, Algorithms: []string{"ES256"}, TokenTypes: []string{"JWT"}, Roles: []oidcauth.Path{{"roles"}},
		ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"sub"}, In: []string{"alice"}}}, Rules: []oidcauth.Rule{oidcauth.All()},
		DenyHosts: []string{"stranger-1.test"},
	}
	cfg := open(client, settings)
	cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	a := newAuthenticator(t, cfg)
	for _, into := range []*oidcauth.AnyIssuer{&settings, cfg.AnyIssuer} {
		into.Audiences[0], into.Algorithms[0], into.TokenTypes[0], into.Roles[0][0] = "nobody", "RS256", "at+jwt", "groups"
		into.ClaimRules[0].Claim[0], into.ClaimRules[0].In[0] = "jti", "mallory"
		into.Rules[0] = func(*oidcauth.Claims) error { return errors.New("another rule") }
		into.DenyHosts[0] = "stranger-0.test"
	}
	cfg.AnyIssuer.Audiences, cfg.AnyIssuer.Accept = nil, func(string) bool { return false }
	cfg.Proxies[0] = netip.MustParsePrefix("198.51.100.0/24")
	c := wants(t, a, issuers[0].Token(map[string]any{"roles": []string{"writer"}, "groups": []string{"admin"}}), nil)
	if got := slices.Collect(c.Roles()); !slices.Equal(got, []string{"writer"}) {
		t.Errorf("roles = %q, want those that New was told to read", got)
	}
	refuses(t, a, issuers[1].Token(nil), oidcauth.ErrUnknownIssuer)
	r := newRequest(t, "GET /")
	forwarded("192.0.2.1")(r)
	if got := oidcauth.CallerAccount(a.CallerContext(r)).String(); got != "192.0.2.1" {
		t.Errorf("caller = %s, want whom the proxy of before names", got)
	}
}
