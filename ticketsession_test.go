package oidcauth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A ticket is used once in the whole cluster.
func TestTicket_SingleUseInCluster(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	key := newKey(t)
	log := newMemoryLog()
	var servers [2]*oidcauth.Authenticator
	var locals [2]*localissuer.Issuer
	for i := range servers {
		locals[i] = newLocal(t, localissuer.Config{Signer: key})
		servers[i] = newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, locals[i].Issuer()}, Client: issuer.Client(), Revocations: log,
		})
	}
	claims, err := servers[0].Authenticate(t.Context(), issuer.Token(nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ticket, err := locals[0].Ticket(from(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		usedOnce(t, ticket, servers[:])
	}
}

// A session that a ticket opened ends as one under the original token: with it,
// with a revocation of it, and with its key.
func TestTicket_Session(t *testing.T) {
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
