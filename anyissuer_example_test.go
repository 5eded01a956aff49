package oidcauth_test

import (
	"context"
	"fmt"
	"log"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A server that anybody can come to, whoever their issuer is. Nobody has a role; what
// callers own is theirs by their identity. Roles come from issuers that are listed.
func ExampleAnyIssuer() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			{URL: "https://staff.example.com", Audiences: []string{"https://db.example.com"}},
		},
		AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"https://db.example.com"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	// An issuer in the server's own network is not contacted.
	issuer := oidctest.NewIssuer(nil, oidctest.Config{URL: "https://127.0.0.1"})
	defer issuer.Close()
	_, err = auth.Authenticate(context.Background(), issuer.Token(map[string]any{"aud": "https://db.example.com"}))
	fmt.Println(oidcauth.Answer(err))
	// Output: 401 invalid_token the token is not accepted
}
