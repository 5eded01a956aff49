package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A ticket gives the claims of the token it stands for, to the byte.
func TestTicket(t *testing.T) {
	t.Parallel()
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

// A ticket whose time is over when the keys of its token have come is refused, and so is
// one whose token's is.
func TestTicket_ExpiresMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		token, waits time.Duration // what the token lives, and when the ticket is used
		want         error
	}{
		{"both are good", time.Hour, 50 * time.Second, nil},
		{"the ticket is over", time.Hour, 57 * time.Second, oidcauth.ErrExpired},
		{"the token is over", 53 * time.Second, 50 * time.Second, oidcauth.ErrExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter(t)
				trusted := oidcauth.Issuer{URL: c.Issuer.URL(), Audiences: []string{testAudience}, Leeway: -1}
				other := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, c.Local.Issuer()}, Client: c.Issuer.Client()})
				ticket := c.Buy(c.Issuer.Token(map[string]any{"exp": time.Now().Add(tt.token).Unix()}), anywhere)
				time.Sleep(tt.waits)
				c.Issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 5 * time.Second})
				if _, err := other.AuthenticateTicket(from(), ticket, anywhere.Database); !errors.Is(err, tt.want) {
					t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
				}
				other.Close()
				c.Auth.Close()
			})
		})
	}
}

func TestTicket_SingleUse(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// A ticket lives for a minute, and no longer than its original is accepted: within
// the leeway it still is, for a ticket as for all else.
func TestTicket_Expires(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		life, wait time.Duration
		want       error
	}{
		{"after 59 s", time.Hour, 59 * time.Second, nil},
		{"after 60 s", time.Hour, 60 * time.Second, oidcauth.ErrExpired},
		{"at the original's expiry", 10 * time.Second, 10 * time.Second, nil},
		{"before the end of the leeway", 10 * time.Second, 39 * time.Second, nil},
		{"at the end of the leeway", 10 * time.Second, 40 * time.Second, oidcauth.ErrExpired},
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
		time.Sleep(39 * time.Second)
		ticket, err := c.Local.Ticket(from(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatalf("Ticket() within the leeway: error = %v", err)
		}
		if _, err := c.Use(ticket, anywhere); err != nil {
			t.Errorf("AuthenticateTicket() within the leeway: error = %v", err)
		}
		time.Sleep(time.Second)
		if _, err := c.Local.Ticket(from(), claims, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("Ticket() for an expired token: error = %v, want %v", err, oidcauth.ErrExpired)
		}
	})
}

// What would refuse the token by now refuses the ticket.
func TestTicket_OriginalRefused(t *testing.T) {
	t.Parallel()
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

// A ticket is good from where it was bought, and for the database it was bought
// for.
func TestTicket_Bound(t *testing.T) {
	t.Parallel()
	const here, evil = "https://app.example.com", "https://evil.example.com"
	c := newCounter(t)
	token := c.Issuer.Token(nil)
	for _, tt := range []struct {
		name        string
		bought, use place
		want        error
	}{
		{"same page, same database", at("chat", here), at("chat", here), nil},
		{"another page", at("chat", here), at("chat", evil), oidcauth.ErrOrigin},
		{"a page's, from a program", at("chat", here), at("chat"), oidcauth.ErrOrigin},
		{"same program", at("chat"), at("chat"), nil},
		{"a program's, from a page", at("chat"), at("chat", here), oidcauth.ErrOrigin},
		{"another spelling of the page", at("chat", here), at("chat", "https://APP.example.com"), oidcauth.ErrOrigin},
		{"another scheme", at("chat", here), at("chat", "http://app.example.com"), oidcauth.ErrOrigin},
		{"another port", at("chat", here), at("chat", here+":8443"), oidcauth.ErrOrigin},
		{"an app's page", at("chat", "tauri://localhost"), at("chat", "tauri://localhost"), nil},
		{"another database", at("chat", here), at("Chat", here), oidcauth.ErrAudience},
		{"all databases, by name", at("chat", here), at(localissuer.AnyDatabase, here), oidcauth.ErrAudience},
		{"bought for all databases", at(localissuer.AnyDatabase, here), at("chat", here), nil},
		{"bought for all databases, from another page", at(localissuer.AnyDatabase, here), at("chat", evil), oidcauth.ErrOrigin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ticket := c.Buy(token, tt.bought)
			if _, err := c.Use(ticket, tt.use); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				return
			}
			if _, err := c.Use(ticket, tt.bought); err != nil {
				t.Errorf("AuthenticateTicket() where it belongs: error = %v", err)
			}
		})
	}
}

// What does not say where it comes from, or for which database, neither buys a
// ticket nor uses one.
func TestTicket_NoPlace(t *testing.T) {
	t.Parallel()
	const here = "https://app.example.com"
	c := newCounter(t)
	claims := c.Claims(c.Issuer.Token(nil))
	for _, tt := range []struct {
		name     string
		request  *http.Request
		database string
		want     error
	}{
		{"no database", from(here), "", oidcauth.ErrMalformedRequest},
		{"a database of 256 bytes", from(here), strings.Repeat("x", 256), nil},
		{"a longer one", from(here), strings.Repeat("x", 257), oidcauth.ErrMalformedRequest},
		{"a database that is not UTF-8", from(here), "\xff", oidcauth.ErrMalformedRequest},
		{"a database with signs of all kinds", from(here), "<&>\"\\\x01\u2028", nil},
		{"no request", nil, "chat", oidcauth.ErrMalformedRequest},
		{"two origins", from(here, "https://b.example.com"), "chat", oidcauth.ErrMalformedRequest},
		{"one origin twice", from(here, here), "chat", oidcauth.ErrMalformedRequest},
		{"two origins in one header", from(here + ", https://b.example.com"), "chat", oidcauth.ErrMalformedRequest},
		{"a list of origins", from(here + " https://b.example.com"), "chat", oidcauth.ErrMalformedRequest},
		{"an empty origin", from(""), "chat", oidcauth.ErrMalformedRequest},
		{"an origin that is none", from("app.example.com"), "chat", oidcauth.ErrMalformedRequest},
		{"a very long origin", from("https://" + strings.Repeat("x", 600)), "chat", oidcauth.ErrMalformedRequest},
		{"a page without an origin of its own", from("null"), "chat", oidcauth.ErrOrigin},
		{"null beside an origin", from("null", here), "chat", oidcauth.ErrMalformedRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ticket, err := c.Local.Ticket(tt.request, claims, tt.database)
			if !errors.Is(err, tt.want) || (err == nil) != (ticket != "") {
				t.Errorf("Ticket() = %q, error = %v, want %v", ticket, err, tt.want)
			}
			if err != nil {
				ticket = c.Buy(c.Issuer.Token(nil), at(localissuer.AnyDatabase, here))
			}
			if _, err := c.Auth.AuthenticateTicket(tt.request, ticket, tt.database); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
		})
	}
}

// A request whose context has ended buys nothing.
func TestTicket_CallerLeft(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	claims := c.Claims(c.Issuer.Token(nil))
	if _, err := c.Local.Ticket(from().WithContext(ctx), claims, "chat"); !errors.Is(err, context.Canceled) {
		t.Errorf("Ticket() error = %v, want %v", err, context.Canceled)
	}
}

// A used ticket stays used when the clock is set back, however long ago it was
// used and however many were used since, and new tickets are good.
func TestTicket_ClockSetBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		ahead, really time.Duration // what the clock was set ahead, and what passed, before it was set back
	}{
		{"at once", 0, 0},
		{"after an hour that did not pass", time.Hour, 0},
		{"after two minutes", 0, 2 * time.Minute},
		{"after an hour", 0, time.Hour},
		{"after a minute, of which the clock made a day", 24 * time.Hour, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := new(authtest.Clock)
				dir := filepath.Join(t.TempDir(), "keys")
				process := func() (*localissuer.Issuer, *oidcauth.Authenticator) {
					local := newLocal(t, localissuer.Config{Dir: dir, NoExpiry: true, Now: clock.Now})
					return local, newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Now: clock.Now})
				}
				local, auth := process()
				other, _ := process()
				claims := authenticate(t, auth, issue(t, local, localissuer.Request{NoExpiry: true}))
				buy := func(l *localissuer.Issuer) string {
					t.Helper()
					ticket, err := l.Ticket(from(), claims, "chat")
					if err != nil {
						t.Fatal(err)
					}
					return ticket
				}
				use := func(ticket string) error {
					_, err := auth.AuthenticateTicket(from(), ticket, "chat")
					return err
				}
				own, foreign := buy(local), buy(other)
				for _, ticket := range []string{own, foreign} {
					if err := use(ticket); err != nil {
						t.Fatalf("AuthenticateTicket() error = %v", err)
					}
				}
				clock.Set(tt.ahead)
				time.Sleep(tt.really)
				for range 3 { // which makes place
					if err := use(buy(local)); err != nil {
						t.Fatalf("AuthenticateTicket() error = %v", err)
					}
					time.Sleep(time.Second)
				}
				clock.Set(-tt.really)
				for name, ticket := range map[string]string{"its own": own, "another process's": foreign} {
					err := use(ticket)
					if !errors.Is(err, oidcauth.ErrTicketUsed) && !errors.Is(err, oidcauth.ErrExpired) && !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
						t.Errorf("%s, for the second time: AuthenticateTicket() error = %v, want a refusal", name, err)
					}
				}
				if err := use(buy(local)); err != nil {
					t.Errorf("a new one: AuthenticateTicket() error = %v", err)
				}
			})
		})
	}
}

// A session that a ticket opened ends as one under the original token: with it,
// with a revocation of it, and with its key.
func TestTicket_Session(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, c *counter)
		want error
	}{
		{"expiry", func(t *testing.T, _ *counter) { time.Sleep(time.Hour + 31*time.Second) }, oidcauth.ErrExpired},
		{"revocation of the token", func(t *testing.T, c *counter) {
			if err := c.Auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: "t1"}); err != nil {
				t.Fatal(err)
			}
		}, oidcauth.ErrRevoked},
		{"revocation of the login", func(t *testing.T, c *counter) {
			if err := c.Auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: c.Issuer.URL(), SessionID: "s1"}); err != nil {
				t.Fatal(err)
			}
		}, oidcauth.ErrRevoked},
		{"withdrawal of the key", func(t *testing.T, c *counter) {
			c.Issuer.Replace()
			c.Claims(c.Issuer.Token(nil)) // under the new key, which has to be fetched
		}, oidcauth.ErrUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter(t)
				token := c.Issuer.Token(map[string]any{"jti": "t1", "sid": "s1", "exp": time.Now().Add(time.Hour).Unix()})
				claims, err := c.Use(c.Buy(token, anywhere), anywhere)
				if err != nil {
					t.Fatal(err)
				}
				s := c.Auth.NewSession(t.Context(), claims)
				time.Sleep(50 * time.Minute) // long after the ticket has expired
				if err := s.Context().Err(); err != nil {
					t.Fatalf("the session has ended: %v", context.Cause(s.Context()))
				}
				tt.end(t, c)
				synctest.Wait()
				if cause := context.Cause(s.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("the session's cause is %v, want %v", cause, tt.want)
				}
			})
		})
	}
}

// A ticket that was bought before its original was revoked is worth nothing.
func TestTicket_Revoked(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	token := c.Issuer.Token(map[string]any{"jti": "t1"})
	ticket := c.Buy(token, anywhere)
	if err := c.Auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: "t1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Use(ticket, anywhere); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
}

// A ticket for a token of a stranger's issuer, at a server that does not know the
// issuer yet, waits for it on the account of whoever uses the ticket.
func TestAuthenticateTicket_CallerAddr(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, flood string
		want        error
	}{
		{"others flood", "192.0.2.1", nil},
		{"those without an address flood", "", nil},
		{"the caller floods", "192.0.2.2", oidcauth.ErrKeysUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuers, client := strangers(t, 1)
				local := newLocal(t, localissuer.Config{})
				cfg := open(client, oidcauth.AnyIssuer{})
				cfg.Issuers = []oidcauth.Issuer{local.Issuer()}
				seller := &counter{T: t, Issuer: issuers[0], Local: local, Auth: newAuthenticator(t, cfg)}
				cfg = open(hanging(client.Transport, 0), oidcauth.AnyIssuer{MaxFirstContacts: 1, FirstContactsPerSecond: 0.1})
				cfg.Issuers = []oidcauth.Issuer{local.Issuer()}
				a := newAuthenticator(t, cfg)
				flooding := t.Context()
				if tt.flood != "" {
					r := from()
					remote(tt.flood + ":1")(r)
					flooding = a.CallerContext(r)
				}
				ctx, stop := context.WithCancel(flooding)
				var wg sync.WaitGroup
				for n := range 60 {
					wg.Go(func() {
						time.Sleep(time.Duration(n) * 200 * time.Millisecond)
						if ctx.Err() == nil {
							_, _ = a.Authenticate(ctx, madeUp(fmt.Sprintf("https://hang-%d.test", n)))
						}
					})
				}
				time.Sleep(9*time.Second + 50*time.Millisecond) // as in TestMiddleware_CallerAddr
				r := from()
				remote("192.0.2.2:1")(r)
				if _, err := a.AuthenticateTicket(r, seller.Buy(issuers[0].Token(nil), anywhere), localissuer.AnyDatabase); !errors.Is(err, tt.want) {
					t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
				}
				stop()
				wg.Wait()
			})
		})
	}
}
