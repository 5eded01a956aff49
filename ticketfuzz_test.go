package oidcauth_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/localissuer"
)

// Nothing is a ticket but what the local issuer sold, each once, and nothing that
// is none brings the process down.
func FuzzAuthenticateTicket(f *testing.F) {
	local := newLocal(f, localissuer.Config{})
	auth := trusting(f, local)
	claims, err := auth.Authenticate(f.Context(), issue(f, local, localissuer.Request{}))
	if err != nil {
		f.Fatal(err)
	}
	ticket, err := local.Ticket(from(), claims, "chat")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := auth.AuthenticateTicket(from(), ticket, "chat"); err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(ticket, ".")
	for _, seed := range []string{
		ticket, "", ".", "..", ticket + ".", parts[0] + "." + parts[1] + ".", "." + parts[1] + "." + parts[2],
		parts[1] + "." + parts[1] + "." + parts[2], ticket[:len(ticket)-4] + "AAAA",
	} {
		f.Add(seed, "chat", "")
		f.Add(seed, "chat", "https://app.example.com")
	}
	f.Fuzz(func(t *testing.T, ticket, database, origin string) {
		r := from()
		if origin != "" {
			r.Header["Origin"] = []string{origin}
		}
		if claims, err := auth.AuthenticateTicket(r, ticket, database); err == nil || claims != nil {
			t.Errorf("AuthenticateTicket(%q, %q) from %q: error = %v", ticket, database, origin, err)
		}
	})
}
