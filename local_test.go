package oidcauth_test

import (
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
)

// secretOf returns what the tickets that a key of a local issuer signs are sealed
// with: that of the key that signs at present if keyID is empty.
func secretOf(t testing.TB, l *localissuer.Issuer, keyID string) []byte {
	t.Helper()
	if keyID == "" {
		keys := l.Keys()
		keyID = keys[slices.IndexFunc(keys, func(k localissuer.Key) bool { return k.State == "active" })].ID
	}
	var followed oidcauth.Keys
	stop, err := l.Follow(func(keys oidcauth.Keys) error {
		followed = keys
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	secret, signs := followed.Tickets.Secret(keyID)
	if !signs {
		t.Fatalf("key %q signs no tickets", keyID)
	}
	return secret
}

// sealTicket seals what a ticket says of its original as the issuer does.
func sealTicket(t testing.TB, l *localissuer.Issuer, keyID, ticketID, content string) string {
	t.Helper()
	sealed, err := ticket.Encrypt(secretOf(t, l, keyID), ticketID, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}
