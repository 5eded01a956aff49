package oidcauth_test

import (
	"fmt"

	"github.com/oidcauth/oidcauth"
)

// verifiedEmail returns an address that the issuer has made sure of.
func verifiedEmail(claims *oidcauth.Claims) (string, bool) {
	verified, _ := claims.Lookup("email_verified")
	if string(verified) != "true" { // the JSON text: not false, and not missing
		return "", false
	}
	return claims.LookupString("email")
}

// Anybody can enter anybody's address at many issuers. Without "email_verified"
// it is what the caller says of himself.
func ExampleClaims_LookupString() {
	issuer := oidcauth.Issuer{URL: "https://login.example.com", Audiences: []string{"my-db"}}
	for _, payload := range []string{
		`{"iss": "https://login.example.com", "sub": "17", "exp": 1900000000, "email": "alice@example.com", "email_verified": true}`,
		`{"iss": "https://login.example.com", "sub": "18", "exp": 1900000000, "email": "alice@example.com", "email_verified": false}`,
		`{"iss": "https://login.example.com", "sub": "19", "exp": 1900000000, "email": "alice@example.com"}`,
	} {
		claims, err := oidcauth.UnverifiedClaims([]byte(payload), issuer) // a token's, in a server
		if err != nil {
			fmt.Println(err)
			return
		}
		email, ok := verifiedEmail(claims)
		fmt.Printf("subject %s: %q, %t\n", claims.Subject(), email, ok)
	}
	// Output:
	// subject 17: "alice@example.com", true
	// subject 18: "", false
	// subject 19: "", false
}
