package localissuer_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/localissuer"
)

func BenchmarkIssuer_Issue(b *testing.B) {
	l := newLocal(b, localissuer.Config{})
	b.ReportAllocs()
	for b.Loop() {
		issue(b, l, localissuer.Request{})
	}
}

// What a page's connection costs beside its token: a ticket bought and used.
func BenchmarkTicket(b *testing.B) {
	l := newLocal(b, localissuer.Config{})
	a := trusting(b, l)
	claims, err := a.Authenticate(b.Context(), issue(b, l, localissuer.Request{}))
	if err != nil {
		b.Fatal(err)
	}
	r := from()
	b.ReportAllocs()
	for b.Loop() {
		ticket, err := l.Ticket(r, claims, "chat")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.AuthenticateTicket(r, ticket, "chat"); err != nil {
			b.Fatal(err)
		}
	}
}
