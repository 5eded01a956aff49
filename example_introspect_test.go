package oidcauth_test

import (
	"context"
	"fmt"
	"log"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An issuer whose access tokens say nothing themselves is asked about them.
func ExampleIssuer_introspect() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{})
	defer issuer.Close()

	ask, err := introspect.New(introspect.Config{
		Issuer:   issuer.URL(), // whose discovery document has the endpoint
		ClientID: "notes", ClientSecret: "of this server at the issuer",
		Client: issuer.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL: issuer.URL(), Audiences: []string{"notes"},
			Introspect: ask, OpaquePrefix: oidctest.OpaquePrefix,
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	token := issuer.OpaqueToken(map[string]any{"sub": "alice", "aud": "notes"})
	claims, err := auth.Authenticate(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject())
	// Output: alice
}
