package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

func BenchmarkLocalIssuer_Issue(b *testing.B) {
	l := newLocal(b, oidcauth.LocalIssuerConfig{})
	b.ReportAllocs()
	for b.Loop() {
		issue(b, l, oidcauth.TokenRequest{})
	}
}

// What a page's connection costs beside its token: a ticket bought and used.
func BenchmarkTicket(b *testing.B) {
	l := newLocal(b, oidcauth.LocalIssuerConfig{})
	a := trusting(b, l)
	claims, err := a.Authenticate(b.Context(), issue(b, l, oidcauth.TokenRequest{}))
	if err != nil {
		b.Fatal(err)
	}
	r := fromProgram()
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
