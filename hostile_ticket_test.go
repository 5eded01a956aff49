package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

// ticketRows are tickets that are used as they must not be.
func ticketRows(t *testing.T, w *world) []hostile {
	c := newCounter(t)
	token := c.issuer.Token(nil)
	use := func(ticket func() string, o oidcauth.TicketOptions) func() (*oidcauth.Claims, error) {
		return func() (*oidcauth.Claims, error) { return c.use(ticket(), o) }
	}
	fresh := func() string { return c.buy(token, oidcauth.TicketOptions{Origin: "https://a.test", Database: "chat"}) }
	bound := oidcauth.TicketOptions{Origin: "https://a.test", Database: "chat"}
	used := fresh()
	if _, err := c.use(used, bound); err != nil {
		t.Fatal(err)
	}
	return []hostile{
		{name: "a ticket for the second time", want: oidcauth.ErrTicketUsed,
			bad: use(func() string { return used }, bound), good: use(fresh, bound)},
		{name: "a ticket from another page", want: oidcauth.ErrOrigin,
			bad: use(fresh, oidcauth.TicketOptions{Origin: "https://b.test", Database: "chat"}), good: use(fresh, bound)},
		{name: "a ticket for another database", want: oidcauth.ErrAudience,
			bad: use(fresh, oidcauth.TicketOptions{Origin: "https://a.test"}), good: use(fresh, bound)},
		{name: "a ticket as bearer token", want: oidcauth.ErrTokenType,
			bad:  func() (*oidcauth.Claims, error) { return c.auth.Authenticate(t.Context(), fresh()) },
			good: func() (*oidcauth.Claims, error) { return c.auth.Authenticate(t.Context(), token) }},
		{name: "a bearer token as ticket", want: oidcauth.ErrTokenType,
			bad: use(func() string { return token }, bound), good: use(fresh, bound)},
	}
}
