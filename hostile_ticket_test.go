package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

// ticketRows are tickets that are used as they must not be.
func ticketRows(t *testing.T, w *world) []hostile {
	c := newCounter(t)
	token := c.issuer.Token(nil)
	use := func(ticket func() string, p place) func() (*oidcauth.Claims, error) {
		return func() (*oidcauth.Claims, error) { return c.use(ticket(), p) }
	}
	bound, unbound := at("chat", "https://a.test"), at("chat")
	fresh := func() string { return c.buy(token, bound) }
	native := func() string { return c.buy(token, unbound) }
	used := fresh()
	if _, err := c.use(used, bound); err != nil {
		t.Fatal(err)
	}
	return []hostile{
		{name: "a ticket for the second time", want: oidcauth.ErrTicketUsed,
			bad: use(func() string { return used }, bound), good: use(fresh, bound)},
		{name: "a ticket from another page", want: oidcauth.ErrOrigin,
			bad: use(fresh, at("chat", "https://b.test")), good: use(fresh, bound)},
		{name: "a page's ticket from a program", want: oidcauth.ErrOrigin,
			bad: use(fresh, unbound), good: use(native, unbound)},
		{name: "a program's ticket from a page", want: oidcauth.ErrOrigin,
			bad: use(native, bound), good: use(native, unbound)},
		{name: "a ticket from two pages at once", want: oidcauth.ErrMalformedRequest,
			bad: use(fresh, at("chat", "https://a.test", "https://b.test")), good: use(fresh, bound)},
		{name: "a ticket from a page without an origin", want: oidcauth.ErrOrigin,
			bad: use(native, at("chat", "null")), good: use(native, unbound)},
		{name: "a ticket for no database", want: oidcauth.ErrMalformedRequest,
			bad: use(fresh, at("", "https://a.test")), good: use(fresh, bound)},
		{name: "a ticket for another database", want: oidcauth.ErrAudience,
			bad: use(fresh, at("other", "https://a.test")), good: use(fresh, bound)},
		{name: "a ticket as bearer token", want: oidcauth.ErrTokenType,
			bad:  func() (*oidcauth.Claims, error) { return c.auth.Authenticate(t.Context(), fresh()) },
			good: func() (*oidcauth.Claims, error) { return c.auth.Authenticate(t.Context(), token) }},
		{name: "a bearer token as ticket", want: oidcauth.ErrTokenType,
			bad: use(func() string { return token }, bound), good: use(fresh, bound)},
	}
}
