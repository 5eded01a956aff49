package oidcauth_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A ticket gives the claims of the token it stands for, to the byte.
func TestTicket(t *testing.T) {
	c := newCounter(t)
	payload := `{ "iss":"` + c.Issuer.URL() + `", "sub":"auth0|alice", "aud":"my-db", "exp":` +
		strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10) + `, "jti":"t1", "sid":"s1", "name":"<&>",` +
		` "roles":["writer"], "scope":"a b", "big":12345678901234567890 }`
	for name, token := range map[string]string{
		"another issuer's token":  c.Issuer.Sign(nil, payload),
		"a token without key ID":  c.Issuer.Sign(map[string]any{"alg": "ES256", "kid": nil}, payload),
		"our own token":           issue(t, c.Local, localissuer.Request{}),
		"one that lives for ever": issue(t, c.Local, localissuer.Request{NoExpiry: true}),
	} {
		t.Run(name, func(t *testing.T) {
			want := c.Claims(token)
			got, err := c.Use(c.Buy(token, anywhere), anywhere)
			if err != nil {
				t.Fatalf("AuthenticateTicket() error = %v", err)
			}
			if got.Identity() != want.Identity() || got.Issuer() != want.Issuer() || got.Subject() != want.Subject() {
				t.Errorf("the ticket is %v of %q, the token %v of %q", got.Identity(), got.Issuer(), want.Identity(), want.Issuer())
			}
			if string(got.Payload()) != string(want.Payload()) || got.KeyID() != want.KeyID() || !got.Expiry().Equal(want.Expiry()) {
				t.Errorf("the ticket says %s under %q, the token %s under %q", got.Payload(), got.KeyID(), want.Payload(), want.KeyID())
			}
			if got.TokenID() != want.TokenID() || got.SessionID() != want.SessionID() {
				t.Errorf("the ticket has token ID %q, session ID %q", got.TokenID(), got.SessionID())
			}
			roles, scopes := slices.Collect(got.Roles()), slices.Collect(got.Scopes())
			if !slices.Equal(roles, slices.Collect(want.Roles())) || !slices.Equal(scopes, slices.Collect(want.Scopes())) {
				t.Errorf("the ticket has roles %q, scopes %q", roles, scopes)
			}
		})
	}
}

func TestTicket_SingleUse(t *testing.T) {
	c := newCounter(t)
	ticket := c.Buy(c.Issuer.Token(nil), anywhere)
	usedOnce(t, ticket, slices.Repeat([]*oidcauth.Authenticator{c.Auth}, 50))
	// A second Authenticator of the same process is no second chance.
	other := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{
		{URL: c.Issuer.URL(), Audiences: []string{testAudience}}, c.Local.Issuer(),
	}, Client: c.Issuer.Client()})
	if _, err := other.AuthenticateTicket(from(), ticket, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrTicketUsed) {
		t.Errorf("AuthenticateTicket() elsewhere: error = %v, want %v", err, oidcauth.ErrTicketUsed)
	}
}

// usedOnce shows a ticket to all servers at once, of which one may accept it.
func usedOnce(t *testing.T, ticket string, servers []*oidcauth.Authenticator) {
	t.Helper()
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for _, server := range servers {
		wg.Go(func() {
			_, err := server.AuthenticateTicket(from(), ticket, localissuer.AnyDatabase)
			if err == nil {
				accepted.Add(1)
			} else if !errors.Is(err, oidcauth.ErrTicketUsed) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrTicketUsed)
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("accepted %d times, want once", n)
	}
}

func TestTicket_BuysNoOther(t *testing.T) {
	c := newCounter(t)
	claims, err := c.Use(c.Buy(c.Issuer.Token(nil), anywhere), anywhere)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Local.Ticket(from(), claims, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrTokenType) {
		t.Errorf("Ticket() for a ticket: error = %v, want %v", err, oidcauth.ErrTokenType)
	}
	if _, err := c.Local.Ticket(from(), nil, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrNoToken) {
		t.Errorf("Ticket() for nobody: error = %v, want %v", err, oidcauth.ErrNoToken)
	}
	unverified, err := oidcauth.UnverifiedClaims(claims.Payload(), oidcauth.Issuer{URL: claims.Issuer(), Audiences: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Local.Ticket(from(), unverified, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("Ticket() for unverified claims: error = %v, want %v", err, oidcauth.ErrSignature)
	}
}

// A ticket is no bearer token, whatever the configuration, and a bearer token no
// ticket.
func TestTicket_IsNoBearerToken(t *testing.T) {
	c := newCounter(t)
	token := c.Issuer.Token(nil)
	ticket := c.Buy(token, anywhere)
	if _, err := c.Auth.Authenticate(t.Context(), ticket); !errors.Is(err, oidcauth.ErrTokenType) {
		t.Errorf("Authenticate(ticket) error = %v, want %v", err, oidcauth.ErrTokenType)
	}
	if _, err := c.Use(ticket, anywhere); err != nil {
		t.Errorf("AuthenticateTicket() after that: error = %v", err)
	}
	for _, token := range []string{token, issue(t, c.Local, localissuer.Request{})} {
		if _, err := c.Use(token, anywhere); !errors.Is(err, oidcauth.ErrTokenType) {
			t.Errorf("AuthenticateTicket(token) error = %v, want %v", err, oidcauth.ErrTokenType)
		}
	}
	if _, err := c.Use("x", anywhere); !errors.Is(err, oidcauth.ErrMalformedToken) {
		t.Errorf("AuthenticateTicket(x) error = %v, want %v", err, oidcauth.ErrMalformedToken)
	}
	willing := c.Local.Issuer()
	willing.TokenTypes = []string{"ticket+jwt"}
	if _, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{willing}}); err == nil {
		t.Error("New() error = nil for tickets as bearer tokens")
	}
}

// A ticket lives for a minute, and never longer than its original.
func TestTicket_Expires(t *testing.T) {
	for _, tt := range []struct {
		name       string
		life, wait time.Duration
		want       error
	}{
		{"after 59 s", time.Hour, 59 * time.Second, nil},
		{"after 60 s", time.Hour, 60 * time.Second, oidcauth.ErrExpired},
		{"before the original's expiry", 10 * time.Second, 9 * time.Second, nil},
		{"at the original's expiry", 10 * time.Second, 10 * time.Second, oidcauth.ErrExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter(t)
				ticket := c.Buy(c.Issuer.Token(map[string]any{"exp": time.Now().Add(tt.life).Unix()}), anywhere)
				time.Sleep(tt.wait)
				if _, err := c.Use(ticket, anywhere); !errors.Is(err, tt.want) {
					t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		claims := c.Claims(c.Issuer.Token(map[string]any{"exp": time.Now().Add(10 * time.Second).Unix()}))
		time.Sleep(10 * time.Second) // within the leeway: still good for all else
		if _, err := c.Local.Ticket(from(), claims, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("Ticket() for an expired token: error = %v, want %v", err, oidcauth.ErrExpired)
		}
	})
}

// What would refuse the token by now refuses the ticket.
func TestTicket_OriginalRefused(t *testing.T) {
	c := newCounter(t)
	token := c.Issuer.Token(map[string]any{"roles": []string{"reader"}})
	trusted := oidcauth.Issuer{URL: c.Issuer.URL(), Audiences: []string{testAudience}}
	server := func(change func(*oidcauth.Issuer)) *oidcauth.Authenticator {
		issuer := trusted
		change(&issuer)
		return newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{issuer, c.Local.Issuer()}, Client: c.Issuer.Client()})
	}
	for _, tt := range []struct {
		name string
		auth *oidcauth.Authenticator
		want error
	}{
		{"nothing changed", server(func(*oidcauth.Issuer) {}), nil},
		{"issuer not accepted", newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{c.Local.Issuer()}}), oidcauth.ErrUnknownIssuer},
		{"no local issuer", newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: c.Issuer.Client()}), oidcauth.ErrUnknownIssuer},
		{"another audience", server(func(i *oidcauth.Issuer) { i.Audiences = []string{"x"} }), oidcauth.ErrAudience},
		{"algorithm not accepted", server(func(i *oidcauth.Issuer) { i.Algorithms = []string{"RS256"} }), oidcauth.ErrAlgorithm},
		{"a rule", server(func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("admin")} }), oidcauth.ErrRule},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.auth.AuthenticateTicket(from(), c.Buy(token, anywhere), localissuer.AnyDatabase); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("key withdrawn", func(t *testing.T) {
		ticket := c.Buy(token, anywhere)
		c.Issuer.Replace()
		auth := server(func(*oidcauth.Issuer) {}) // which has never seen the former key
		if _, err := auth.AuthenticateTicket(from(), ticket, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrUnknownKey)
		}
	})
	t.Run("key withdrawn, token without key ID", func(t *testing.T) {
		nameless := c.Issuer.Sign(map[string]any{"kid": nil}, map[string]any{
			"iss": c.Issuer.URL(), "sub": "alice", "aud": testAudience, "exp": time.Now().Add(time.Hour).Unix(),
		})
		auth := server(func(*oidcauth.Issuer) {})
		claims, err := auth.Authenticate(t.Context(), nameless)
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := c.Local.Ticket(from(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		c.Issuer.Replace()
		if _, err := server(func(*oidcauth.Issuer) {}).AuthenticateTicket(from(), ticket, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrUnknownKey)
		}
	})
}
