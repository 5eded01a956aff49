package oidcauth_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// listsOf returns what claims say in lists, and what they find by name.
func listsOf(c *oidcauth.Claims) []string {
	name, _ := c.LookupString("name")
	return slices.Concat(slices.Collect(c.Audience()), []string{"|"}, slices.Collect(c.Roles()), []string{"|"}, slices.Collect(c.Scopes()), []string{name})
}

// The memory in which a token is judged is used again for the next one. Claims
// have none of it, however they came about: those that a rule has seen before it
// refused or panicked, too.
func TestClaims_KeepTheirOwn(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	seen := map[string]*oidcauth.Claims{}
	refused := errors.New("refused")
	trusted.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
		seen[c.TokenID()] = c
		switch {
		case strings.HasPrefix(c.TokenID(), "panic"):
			panic("rule")
		case strings.HasPrefix(c.TokenID(), "refuse"):
			return refused
		}
		return nil
	}}
	local := newLocal(t, localissuer.Config{})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), CacheBytes: -1, MaxTokenBytes: 1 << 20,
	})
	token := func(id string, n int) (string, []string) {
		audience, roles := []string{testAudience}, []string{}
		for i := range n {
			audience = append(audience, fmt.Sprint(id, " audience ", i))
			roles = append(roles, fmt.Sprint(id, " role ", i))
		}
		tok := issuer.Token(map[string]any{"jti": id, "aud": audience, "roles": roles, "scope": "of-" + id, "name": "name of " + id})
		return tok, slices.Concat(audience, []string{"|"}, roles, []string{"|", "of-" + id, "name of " + id})
	}
	want := map[string][]string{}
	for round := range 5 {
		for n, use := range map[int]func(tok string) error{
			0: func(tok string) error { _, err := a.Authenticate(t.Context(), tok); return err },
			1: func(tok string) error { return a.Explain(t.Context(), tok).Err },
			2: func(tok string) error {
				ticket, err := local.Ticket(from(), authenticate(t, a, tok), localissuer.AnyDatabase)
				if err != nil {
					t.Fatal(err)
				}
				_, err = a.AuthenticateTicket(from(), ticket, localissuer.AnyDatabase)
				return err
			},
		} {
			for i, id := range []string{"accept", "refuse", "panic"} {
				if n == 2 && id != "accept" {
					continue
				}
				id = fmt.Sprintf("%s-%d-%d", id, n, round)
				tok, lists := token(id, []int{1, 5, 40, 0, 100}[(round+i)%5])
				want[id] = lists
				err := func() (err error) {
					defer func() { recover() }()
					return use(tok)
				}()
				if isRefused := errors.Is(err, oidcauth.ErrRule); isRefused != strings.HasPrefix(id, "refuse") || err != nil && !isRefused {
					t.Errorf("%s: error = %v", id, err)
				}
			}
		}
		// Refusals on the way leave nothing behind for the next token.
		for _, changes := range []map[string]any{
			{"roles": []any{"admin", "admin", 1}}, {"aud": []any{testAudience, "admin", nil}}, {"aud": []string{"admin", "admin"}},
			{"roles": []string{"admin", "admin"}, "sub": 1}, {"roles": []string{"admin", "admin"}, "jti": 1},
			{"roles": []string{"admin", "admin"}, "exp": time.Now().Add(-time.Hour)},
		} {
			_, _ = a.Authenticate(t.Context(), issuer.Token(changes))
		}
		for _, none := range []any{nil, []string{}, []any{"admin", 1}, map[string]any{}} {
			if c := authenticate(t, a, issuer.Token(map[string]any{"roles": none, "jti": "none"})); len(slices.Collect(c.Roles())) > 0 || c.HasRole("admin") || c.HasRole("") {
				t.Errorf("roles %v are %q", none, slices.Collect(c.Roles()))
			}
		}
	}
	if len(want) != 5*7 {
		t.Fatalf("%d tokens, want 35", len(want))
	}
	for id, lists := range want {
		if got := listsOf(seen[id]); !slices.Equal(got, lists) {
			t.Errorf("%s: got %.300q, want %.300q", id, strings.Join(got, ","), strings.Join(lists, ","))
		}
	}
}

// What is kept of a token when the caller has let go of its claims is nothing:
// neither is its payload, which the memory for the next token could hold.
func TestAuthenticate_LetsGo(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
	for _, lists := range []map[string]any{
		{"aud": testAudience, "roles": nil}, {"aud": []string{"a", testAudience}, "roles": "b"}, {"roles": []string{"a", "b", "c", "d"}},
	} {
		c := authenticate(t, a, issuer.Token(lists))
		payload := weak.Make(unsafe.StringData(c.Subject()))
		runtime.KeepAlive(c)
		runtime.GC() // once: a pool holds on for as long
		if payload.Value() != nil {
			t.Errorf("the payload with %v is still in memory", lists)
		}
	}
}
