package oidcauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// unsigned returns a token of an issuer that nobody has signed.
func unsigned(issuer string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"iss":%q}`, issuer)) + ".c2lnbmF0dXJl"
}

// Issuers that are named by tokens which nobody has signed come and go, and nobody looks
// through the sessions and the tokens of others for that: whoever knows the names of many
// customers would have the server do nothing else.
func TestFindIssuer_ChangesNothing(t *testing.T) {
	for name, anybody := range map[string]*oidcauth.AnyIssuer{
		"with strangers": oidcauth.WithNetwork(oidcauth.AnyIssuer{Audiences: []string{testAudience}}, nil, func(netip.AddrPort) bool { return true }),
		"without":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, described := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
				stranger, _ := newIssuer(t, oidctest.Config{URL: "https://stranger.test"})
				var c customers
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{described}, FindIssuer: c.find, AnyIssuer: anybody, Client: oidctest.Client(issuer, stranger),
				})
				if anybody != nil {
					authenticate(t, a, stranger.Token(nil))
				}
				s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})))
				wants := func(when string, looked bool) {
					t.Helper()
					synctest.Wait()
					if s.IsLookedAt() != looked {
						t.Errorf("%s: the session is looked at: %t, want %t", when, !looked, looked)
					}
				}
				for n := range 3 {
					customer := fmt.Sprintf("https://customer-%d.test", n)
					c.set(customer, oidcauth.Issuer{URL: customer, Audiences: []string{testAudience}})
					wants("before", true)
					refuses(t, a, unsigned(customer), oidcauth.ErrAlgorithm)
					wants("found", false)
					s.CallContext()
				}
				time.Sleep(20 * time.Minute)
				wants("let go of", false)
				s.CallContext()
				setIssuers(t, a, described, oidcauth.Issuer{URL: "https://other.test", Audiences: []string{testAudience}})
				wants("other issuers", true)
				expectEnd(t, s, nil)
			})
		})
	}
}

// Where the program describes an issuer otherwise that sessions are live under, or knows it
// no more, nobody looks through the sessions of others: all of very many customers may be
// described otherwise at once.
func TestFindIssuer_ChangesItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		other, configured := newIssuer(t, oidctest.Config{URL: "https://other.test"})
		described.Aliases, described.SubjectPrefix = []string{"https://alias.test"}, "a:"
		second := described
		described.Name, second.Name, second.SubjectPrefix, second.Audiences = "first", "second", "b:", []string{"elsewhere"}
		var c customers
		set := func(all ...oidcauth.Issuer) {
			c.set(described.URL, all...)
			c.set(described.Aliases[0], all...)
		}
		set(described, second)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{configured}, FindIssuer: c.find, Client: oidctest.Client(issuer, other), CacheBytes: -1})
		exp := time.Now().Add(24 * time.Hour).Unix()
		sessions := map[string]*oidcauth.Session{}
		for name, claims := range map[string]map[string]any{
			"by its name":               {"exp": exp},
			"by an alias":               {"exp": exp, "iss": described.Aliases[0]},
			"by the second description": {"exp": exp, "aud": "elsewhere"},
			"by that and an alias":      {"exp": exp, "aud": "elsewhere", "iss": described.Aliases[0]},
		} {
			sessions[name] = a.NewSession(t.Context(), authenticate(t, a, issuer.Token(claims)))
		}
		spared := a.NewSession(t.Context(), authenticate(t, a, other.Token(map[string]any{"exp": exp})))
		described.Roles, second.Roles = []oidcauth.Path{{"sub"}}, []oidcauth.Path{{"sub"}}
		set(described, second)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for name, s := range sessions {
			if roles := slices.Collect(s.Claims().Roles()); len(roles) != 1 {
				t.Errorf("the session %s has roles %v, want one by the new description", name, roles)
			}
		}
		if spared.IsLookedAt() {
			t.Error("the session of another issuer is looked at where one is described otherwise")
		}
		set()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for name, s := range sessions {
			if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrUnknownIssuer) {
				t.Errorf("the session %s ended with %v, want %v", name, cause, oidcauth.ErrUnknownIssuer)
			}
		}
		if spared.IsLookedAt() {
			t.Error("the session of another issuer is looked at where one is known no more")
		}
		expectEnd(t, spared, nil)
	})
}

// What tokens of an issuer were found to be is let go of with it, though no session is
// live.
func TestFindIssuer_ForgetsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}))
		if n := oidcauth.CacheLen(a); n != 1 {
			t.Errorf("%d tokens are remembered, want one", n)
		}
		time.Sleep(20 * time.Minute)
		if n := oidcauth.CacheLen(a); n != 0 {
			t.Errorf("%d tokens are remembered of an issuer that is not", n)
		}
	})
}

// A stranger's issuer that turns out to be a customer's is judged as such at once, with
// its sessions and its tokens.
func TestFindIssuer_OfAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: c.find, Client: issuer.Client(),
			AnyIssuer: oidcauth.WithNetwork(oidcauth.AnyIssuer{Audiences: []string{testAudience}}, nil, func(netip.AddrPort) bool { return true }),
		})
		described.Audiences = []string{"another"}
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		time.Sleep(2 * time.Minute)
		c.set(described.URL, described)
		refuses(t, a, unsigned(described.URL), oidcauth.ErrAlgorithm)
		synctest.Wait()
		if s.Context().Err() == nil || oidcauth.CacheLen(a) != 0 {
			t.Errorf("the session ended with %v, %d tokens are remembered, want what the customer's description says", s.Context().Err(), oidcauth.CacheLen(a))
		}
		refuses(t, a, token, oidcauth.ErrAudience)
	})
}

// Nobody looks through the sessions of others for that.
func TestFindIssuer_OfAStrangerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		other, configured := newIssuer(t, oidctest.Config{URL: "https://other.test"})
		var c customers
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{configured}, FindIssuer: c.find, Client: oidctest.Client(issuer, other), CacheBytes: -1,
			AnyIssuer: oidcauth.WithNetwork(oidcauth.AnyIssuer{Audiences: []string{testAudience}}, nil, func(netip.AddrPort) bool { return true }),
		})
		session := func(issuer *oidctest.Issuer) *oidcauth.Session {
			return a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})))
		}
		found, spared := session(issuer), session(other)
		time.Sleep(2 * time.Minute)
		c.set(described.URL, described)
		refuses(t, a, unsigned(described.URL), oidcauth.ErrAlgorithm)
		synctest.Wait()
		if spared.IsLookedAt() {
			t.Error("the session of another issuer is looked at where a stranger's is found")
		}
		expectEnd(t, found, oidcauth.ErrKeysUnavailable) // they come from elsewhere now
		expectEnd(t, spared, nil)
	})
}

// Customers whose names somebody knows, and none of whose tokens, take no other customer's
// place: neither that of one who comes, nor that of one who is there.
func TestFindIssuer_NamesKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c customers
		var issuers []*oidctest.Issuer
		var tokens []string
		for n := range 2 {
			i, described := newIssuer(t, oidctest.Config{URL: fmt.Sprintf("https://customer-%d.test", n)})
			c.set(described.URL, described)
			issuers, tokens = append(issuers, i), append(tokens, i.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour)}))
		}
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, MaxFoundIssuers: 10, Client: oidctest.Client(issuers...)})
		authenticate(t, a, tokens[0])
		names := func(from, to int) {
			for n := from; n < to; n++ {
				name := fmt.Sprintf("https://named-%d.test", n)
				c.set(name, oidcauth.Issuer{URL: name, Audiences: []string{testAudience}})
				refuses(t, a, unsigned(name), oidcauth.ErrAlgorithm)
			}
		}
		names(0, 9)
		authenticate(t, a, tokens[1])
		names(9, 50)
		for n, i := range issuers {
			before := c.count(i.URL())
			authenticate(t, a, tokens[n])
			if c.count(i.URL()) != before {
				t.Errorf("customer %d was let go of while it is in use", n)
			}
		}
	})
}

// A thousand issuers of the table are remembered where the program names no number.
func TestFindIssuer_DefaultTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c customers
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find})
		name := func(n int) string { return fmt.Sprintf("https://customer-%d.test", n) }
		for n := range 1001 {
			c.set(name(n), oidcauth.Issuer{URL: name(n), Audiences: []string{testAudience}})
			refuses(t, a, unsigned(name(n)), oidcauth.ErrAlgorithm)
		}
		for n, want := range map[int]int{0: 2, 2: 1, 1000: 1} {
			refuses(t, a, unsigned(name(n)), oidcauth.ErrAlgorithm)
			if got := c.count(name(n)); got != want {
				t.Errorf("asked %d times about customer %d, want %d", got, n, want)
			}
		}
	})
}

// So it is with a token that a session had its supplement asked for again, by a description
// by which it was never presented.
func TestFindIssuer_ForgetsTokensOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
			return json.RawMessage(`{}`), nil
		}
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})))
		described.Roles = []oidcauth.Path{{"others"}}
		c.set(described.URL, described)
		time.Sleep(5 * time.Minute)
		if err := oidcauth.Require(s.CallContext()); err != nil {
			t.Fatal(err)
		}
		if n := oidcauth.CacheLen(a); n != 1 {
			t.Errorf("%d tokens are remembered, want one", n)
		}
		s.Close()
		time.Sleep(20 * time.Minute)
		if n := oidcauth.CacheLen(a); n != 0 {
			t.Errorf("%d tokens are remembered of an issuer that is not", n)
		}
	})
}

// Without a bound of issuers, too, it is remembered for a while which there are not.
func TestFindIssuer_AbsentWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c customers
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, MaxFoundIssuers: math.MaxInt})
		for range 3 {
			for n := range 5 {
				refuses(t, a, unsigned(fmt.Sprintf("https://nobody-%d.test", n)), oidcauth.ErrUnknownIssuer)
			}
		}
		for n := range 5 {
			if got := c.count(fmt.Sprintf("https://nobody-%d.test", n)); got != 1 {
				t.Errorf("issuer %d was looked up %d times, want once", n, got)
			}
		}
	})
}
