package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A ticket is good from where it was bought, and for the database it was bought
// for.
func TestTicket_Bound(t *testing.T) {
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
	c := newCounter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	claims := c.Claims(c.Issuer.Token(nil))
	if _, err := c.Local.Ticket(from().WithContext(ctx), claims, "chat"); !errors.Is(err, context.Canceled) {
		t.Errorf("Ticket() error = %v, want %v", err, context.Canceled)
	}
}
