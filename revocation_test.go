package oidcauth_test

import (
	"encoding/json"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// revoke makes a revocation that must be accepted.
func revoke(t testing.TB, a *oidcauth.Authenticator, r oidcauth.Revocation) {
	t.Helper()
	if err := a.Revoke(t.Context(), r); err != nil {
		t.Fatalf("Revoke() error = %v", err)
	}
}

// withoutMember returns a JSON object without one of its members.
func withoutMember(t testing.TB, object json.RawMessage, name string) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, name)
	return members
}
