package oidcauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// neighbours starts issuers that share an Authenticator and differ in
// everything that is configured, but give their keys the same ID.
func neighbours(t *testing.T) (map[string]*oidctest.Issuer, *oidcauth.Authenticator) {
	t.Helper()
	issuers := map[string]*oidctest.Issuer{}
	var all []*oidctest.Issuer
	var trusted []oidcauth.Issuer
	for name, typ := range map[string]string{"a": "JWT", "b": "at+jwt", "c": "c+jwt"} {
		i := oidctest.NewIssuer(t, oidctest.Config{URL: "https://" + name + ".test"})
		i.RemoveKeys()
		k := i.NewKey(oidctest.KeyConfig{ID: "1"})
		i.Publish(k)
		i.SignWith(k)
		issuers[name], all = i, append(all, i)
		trusted = append(trusted, oidcauth.Issuer{
			URL: i.URL(), Aliases: []string{name}, Audiences: []string{"db-" + name}, TokenTypes: []string{typ},
			Roles: []oidcauth.Path{{"roles_" + name}},
			Rules: []oidcauth.Rule{oidcauth.HasRole(name)},
		})
	}
	return issuers, newAuthenticator(t, oidcauth.Config{Issuers: trusted, Client: oidctest.Client(all...)})
}

// Nothing of one issuer counts for another: neither its keys nor its audience,
// its type of token, its roles. Of all combinations only the pure ones pass.
func TestIssuers_NeverCross(t *testing.T) {
	issuers, a := neighbours(t)
	types := map[string]string{"a": "JWT", "b": "at+jwt", "c": "c+jwt"}
	names := []string{"a", "b", "c"}
	for _, signer := range names {
		for _, iss := range names {
			for _, aud := range names {
				for _, typ := range names {
					for _, role := range names {
						claims := hostile.Claims(issuers[iss].URL()).Set("aud", `"db-`+aud+`"`).Set("roles_"+role, `"`+iss+`"`)
						k := issuers[signer].Key()
						_, err := a.Authenticate(t.Context(), hostile.Sign(k, hostile.Header(k).Set("typ", `"`+types[typ]+`"`), claims))
						var want error
						switch {
						case signer != iss:
							want = oidcauth.ErrSignature
						case aud != iss:
							want = oidcauth.ErrAudience
						case typ != iss:
							want = oidcauth.ErrTokenType
						case role != iss:
							want = oidcauth.ErrRule
						}
						if !errors.Is(err, want) {
							t.Errorf("signed by %s for %s, audience of %s, type of %s, role of %s: error = %v, want %v", signer, iss, aud, typ, role, err, want)
						}
					}
				}
			}
		}
	}
}

// The same subject at two issuers is two callers; at an issuer and its alias, one.
func TestIssuers_Identities(t *testing.T) {
	issuers, a := neighbours(t)
	identities := map[oidcauth.Identity]string{}
	for _, name := range []string{"a", "b", "c"} {
		k := issuers[name].Key()
		typ := map[string]string{"a": "JWT", "b": "at+jwt", "c": "c+jwt"}[name]
		var got []oidcauth.Identity
		for _, iss := range []string{issuers[name].URL(), name} {
			claims := hostile.Claims(iss).Set("aud", `"db-`+name+`"`).Set("roles_"+name, `"`+name+`"`)
			c, err := a.Authenticate(t.Context(), hostile.Sign(k, hostile.Header(k).Set("typ", `"`+typ+`"`), claims))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Identity())
		}
		if got[0] != got[1] {
			t.Errorf("issuer %s: identities %v, want the same under its alias", name, got)
		}
		if other, taken := identities[got[0]]; taken {
			t.Errorf("issuers %s and %s: the same identity %v", name, other, got[0])
		}
		identities[got[0]] = name
	}
}

// A flood of forged tokens in one issuer's name leaves the other issuer its
// fetch after a rotation, and its tokens.
func TestIssuers_FloodStaysAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calm, trusted := newIssuer(t, oidctest.Config{URL: "https://calm.test"})
		flooded, alsoTrusted := newIssuer(t, oidctest.Config{URL: "https://flooded.test"})
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, alsoTrusted}, Client: oidctest.Client(calm, flooded),
		})
		for _, i := range []*oidctest.Issuer{calm, flooded} {
			if _, err := a.Authenticate(t.Context(), i.Token(nil)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for n := range 300 {
			forged := flooded.NewKey(oidctest.KeyConfig{ID: fmt.Sprint("forged", n)}).Token(nil)
			refusedInFlood(t, a, forged, oidcauth.ErrUnknownKey)
		}
		if n := flooded.Fetches().JWKS; n > 3 {
			t.Errorf("%d fetches for 300 forged tokens", n)
		}
		if n := calm.Fetches().JWKS; n != 1 {
			t.Errorf("%d fetches of the other issuer's keys, want the first only", n)
		}
		calm.Rotate()
		if _, err := a.Authenticate(t.Context(), calm.Token(nil)); err != nil {
			t.Errorf("Authenticate() error = %v for the other issuer's new key", err)
		}
	})
}

// TestNew_Copies changes everything that a Config refers to once New has seen
// it. Nothing of that counts.
func TestNew_Copies(t *testing.T) {
	w := hostile.NewWorld(t)
	issuer, fixed := w.By["other"], w.By["many"]
	trusted := oidcauth.Issuer{
		URL: issuer.URL(), Aliases: []string{"alias"}, Audiences: []string{testAudience}, Algorithms: []string{"ES256"},
		TokenTypes: []string{"JWT"}, Subject: []oidcauth.Path{{"user", "id"}}, Roles: []oidcauth.Path{{"groups"}},
		ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"tier"}, In: []string{"gold"}}},
		Rules:      []oidcauth.Rule{oidcauth.HasRole("writer")},
	}
	withKeys := oidcauth.Issuer{URL: fixed.URL(), Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: json.RawMessage(slices.Clone(fixed.KeySet()))}}
	fetched := make(chan authtrace.KeyFetch, 8)
	trace := &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { fetched <- f }}
	origins := []string{"https://app.test"}
	extractors := []oidcauth.Extractor{oidcauth.BearerToken, oidcauth.CookieToken("session", origins...)}
	cfg := oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, withKeys}, Client: issuer.Client(), Trace: trace, Extract: oidcauth.FirstOf(extractors...),
	}
	a := newAuthenticator(t, cfg)

	for i := range cfg.Issuers {
		spoilIssuer(&cfg.Issuers[i])
	}
	trace.KeysFetched = func(authtrace.KeyFetch) { t.Error("the trace was changed") }
	origins[0], extractors[0], extractors[1] = "https://evil.test", nil, nil

	good := hostile.Sign(issuer.Key(), hostile.Header(issuer.Key()), hostile.Claims("alias").
		Set("user", `{"id":"u"}`).Set("groups", `["writer"]`).Set("tier", `"gold"`))
	c, err := a.Authenticate(t.Context(), good)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if c.Issuer() != issuer.URL() || c.Subject() != "u" || !c.HasRole("writer") {
		t.Errorf("accepted as %q of %q with roles %q", c.Subject(), c.Issuer(), slices.Collect(c.Roles()))
	}
	if f := <-fetched; f.Issuer != issuer.URL() {
		t.Errorf("the trace saw %+v", f)
	}
	if _, err := a.Authenticate(t.Context(), w.Of("many", nil)); err != nil {
		t.Errorf("Authenticate() error = %v by fixed keys", err)
	}
	for _, name := range []string{"https://evil.test", "evil"} {
		if _, err := a.Authenticate(t.Context(), w.Evil.Key().Token(map[string]any{"iss": name, "aud": "evil"})); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("Authenticate() error = %v, want %v for a name that was put in later", err, oidcauth.ErrUnknownIssuer)
		}
	}
	for origin, want := range map[string]error{"https://app.test": nil, "https://evil.test": oidcauth.ErrOrigin} {
		r := newRequest(t, "POST /", "Cookie: session="+good, "Origin: "+origin)
		if _, err := a.AuthenticateRequest(r); !errors.Is(err, want) {
			t.Errorf("AuthenticateRequest() error = %v from %s, want %v", err, origin, want)
		}
	}
}

// spoilIssuer changes everything that an Issuer holds, in place.
func spoilIssuer(i *oidcauth.Issuer) {
	for _, list := range [][]string{i.Aliases, i.Audiences, i.Algorithms, i.TokenTypes} {
		for n := range list {
			list[n] = "evil"
		}
	}
	for _, path := range slices.Concat(i.Subject, i.Roles) {
		path[0] = "evil"
	}
	for n := range i.ClaimRules {
		i.ClaimRules[n].Claim[0], i.ClaimRules[n].In[0], i.ClaimRules[n].Optional = "evil", "evil", true
	}
	for n := range i.Rules {
		i.Rules[n] = func(*oidcauth.Claims) error { return http.ErrAbortHandler }
	}
	for n := range i.Keys.JWKS {
		i.Keys.JWKS[n] = 'x'
	}
	i.URL = "https://evil.test"
}

// A second Authenticator made from the same Config shares nothing with the first.
func TestNew_Twice(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
	first, second := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
	tok := issuer.Token(nil)
	for _, a := range []*oidcauth.Authenticator{first, second} {
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()
	if _, err := second.Authenticate(t.Context(), tok); err != nil {
		t.Errorf("Authenticate() error = %v once the other is closed", err)
	}
	if _, err := first.Authenticate(t.Context(), tok); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrClosed)
	}
}
