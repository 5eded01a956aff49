package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A token without key ID finds its key behind any number of keys of other
// types: only keys that fit its algorithm count against the limit.
func TestAuthenticate_KeyBehindOthers(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for range 20 {
		issuer.AddKey("ES256")
	}
	last := issuer.AddKey("EdDSA")
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	if _, err := a.Authenticate(t.Context(), last.WithID("").Token(nil)); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
}
