package hostile

import (
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
)

// ticketRows are tickets that are used as they must not be.
func ticketRows(t testing.TB, w *World) []Row {
	c := authtest.NewCounter(t)
	token := c.Issuer.Token(nil)
	use := func(ticket func() string, p authtest.Place) func() (*oidcauth.Claims, error) {
		return func() (*oidcauth.Claims, error) { return c.Use(ticket(), p) }
	}
	bound, unbound := authtest.At("chat", "https://a.test"), authtest.At("chat")
	fresh := func() string { return c.Buy(token, bound) }
	native := func() string { return c.Buy(token, unbound) }
	used := fresh()
	if _, err := c.Use(used, bound); err != nil {
		t.Fatal(err)
	}
	return []Row{
		{Name: "a ticket for the second time", Want: oidcauth.ErrTicketUsed,
			Bad: use(func() string { return used }, bound), Good: use(fresh, bound)},
		{Name: "a ticket from another page", Want: oidcauth.ErrOrigin,
			Bad: use(fresh, authtest.At("chat", "https://b.test")), Good: use(fresh, bound)},
		{Name: "a page's ticket from a program", Want: oidcauth.ErrOrigin,
			Bad: use(fresh, unbound), Good: use(native, unbound)},
		{Name: "a program's ticket from a page", Want: oidcauth.ErrOrigin,
			Bad: use(native, bound), Good: use(native, unbound)},
		{Name: "a ticket from two pages at once", Want: oidcauth.ErrMalformedRequest,
			Bad: use(fresh, authtest.At("chat", "https://a.test", "https://b.test")), Good: use(fresh, bound)},
		{Name: "a ticket from a page without an origin", Want: oidcauth.ErrOrigin,
			Bad: use(native, authtest.At("chat", "null")), Good: use(native, unbound)},
		{Name: "a ticket for no database", Want: oidcauth.ErrMalformedRequest,
			Bad: use(fresh, authtest.At("", "https://a.test")), Good: use(fresh, bound)},
		{Name: "a ticket for another database", Want: oidcauth.ErrAudience,
			Bad: use(fresh, authtest.At("other", "https://a.test")), Good: use(fresh, bound)},
		{Name: "a ticket as bearer token", Want: oidcauth.ErrTokenType,
			Bad:  func() (*oidcauth.Claims, error) { return c.Auth.Authenticate(t.Context(), fresh()) },
			Good: func() (*oidcauth.Claims, error) { return c.Auth.Authenticate(t.Context(), token) }},
		{Name: "a bearer token as ticket", Want: oidcauth.ErrTokenType,
			Bad: use(func() string { return token }, bound), Good: use(fresh, bound)},
	}
}
