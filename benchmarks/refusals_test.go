package benchmarks_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

func issuer(tb testing.TB) *idp.Issuer {
	tb.Helper()
	i, err := idp.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(i.Close)
	return i
}

func open(tb testing.TB, p peers.Peer, s peers.Setup) *peers.Verifier {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v, err := p.Open(ctx, s)
	if err != nil {
		cancel()
		tb.Fatal(err)
	}
	tb.Cleanup(func() { v.Close(); cancel() })
	return v
}

// TestAccepts is the twin of [TestUnchecked]: every peer accepts the tokens
// of every algorithm and reads the same claims from them.
func TestAccepts(t *testing.T) {
	i := issuer(t)
	for _, p := range peers.All() {
		v := open(t, p, peers.Setup{Issuer: i})
		for _, algorithm := range idp.Algorithms() {
			t.Run(p.Name+"/"+algorithm, func(t *testing.T) {
				var got peers.User
				if err := v.Authenticate(t.Context(), i.Token(algorithm, 7), &got); err != nil {
					t.Fatalf("Authenticate() error = %v", err)
				}
				if p.ReadsNothing {
					return
				}
				if until := time.Until(got.Expiry); until < time.Hour || until > idp.Lifetime {
					t.Errorf("expiry in %v, want in about %v", until, idp.Lifetime)
				}
				got.Expiry = time.Time{}
				want := peers.User{
					Issuer:   i.URL,
					Subject:  "4f7d1c52-9a3e-4b60-8f0e-000000000007",
					Audience: []string{idp.Audience},
					Scopes:   []string{"openid", "profile", "email", "db:read"},
					Email:    "user000007@example.com",
					Roles:    []string{"member", "moderator"},
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("user = %+v, want %+v", got, want)
				}
			})
		}
	}
}

// TestUnchecked holds what the comparison says of each library to what the
// library does, in both directions.
func TestUnchecked(t *testing.T) {
	i := issuer(t)
	for _, p := range peers.All() {
		t.Run(p.Name, func(t *testing.T) {
			v := open(t, p, peers.Setup{Issuer: i})
			for _, c := range refusals.All() {
				token, err := c.Token(i)
				if err != nil {
					t.Fatal(err)
				}
				var user peers.User
				err = v.Authenticate(t.Context(), token, &user)
				passed := err == nil && (c.Subject == "" || user.Subject == c.Subject || p.ReadsNothing)
				if said := slices.Contains(p.Unchecked, c.Name); passed != said {
					t.Errorf("%s: passed = %v, listed as unchecked = %v (error: %v)",
						c.Name, passed, said, err)
				}
			}
		})
	}
}
