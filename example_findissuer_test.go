package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A customerTable says what the tokens of each customer's own issuer must be like. A
// real one is in a database.
type customerTable map[string]oidcauth.Issuer

// Issuers returns the descriptions of the issuer of that name, if it is a customer's.
func (c customerTable) Issuers(_ context.Context, url string) ([]oidcauth.Issuer, error) {
	if issuer, known := c[url]; known {
		return []oidcauth.Issuer{issuer}, nil
	}
	return nil, nil
}

// A service whose customers sign in with issuers of their own looks them up.
func ExampleConfig_findIssuer() {
	acme := oidctest.NewIssuer(nil, oidctest.Config{URL: "https://login.acme.example", Claims: map[string]any{"sub": "alice", "aud": "my-db"}})
	defer acme.Close()
	customers := customerTable{acme.URL(): {URL: acme.URL(), Audiences: []string{"my-db"}}}

	auth, err := oidcauth.New(oidcauth.Config{
		FindIssuer: func(ctx context.Context, url string) ([]oidcauth.Issuer, error) {
			return customers.Issuers(ctx, url) // none: not one of ours; an error: cannot tell
		},
		Client: acme.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()

	ctx := context.Background()
	claims, err := auth.Authenticate(ctx, acme.Token(nil))
	fmt.Println(claims.Subject(), err)
	_, err = auth.Authenticate(ctx, acme.Token(map[string]any{"iss": "https://login.stranger.example"}))
	fmt.Println(errors.Is(err, oidcauth.ErrUnknownIssuer))

	// The customer has left: their tokens are worth nothing from now on.
	delete(customers, acme.URL())
	soon := time.Now().Add(11 * time.Minute) // when the table's last answer counts no longer, also if it fails
	err = auth.Revoke(ctx, oidcauth.Revocation{Issuer: acme.URL(), IssuedBefore: soon})
	fmt.Println(err)
	_, err = auth.Authenticate(ctx, acme.Token(nil))
	fmt.Println(errors.Is(err, oidcauth.ErrRevoked))
	// Output:
	// alice <nil>
	// true
	// <nil>
	// true
}

// A server that reads its configuration again replaces the issuers, and goes on with
// the connections that it has.
func ExampleAuthenticator_SetIssuers() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db", "roles": []string{"writer"}, "groups": []string{"staff"}}})
	defer issuer.Close()
	described := oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{"my-db"}}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{described}, Client: issuer.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()

	ctx := context.Background()
	claims, err := auth.Authenticate(ctx, issuer.Token(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	session := auth.NewSession(ctx, claims)
	defer session.Close()

	described.Roles = []oidcauth.Path{{"groups"}}
	fmt.Println(auth.SetIssuers(described))
	fmt.Println(session.Claims().HasRole("staff"), session.Claims().HasRole("writer"))

	fmt.Println(auth.SetIssuers()) // none
	fmt.Println(errors.Is(context.Cause(session.Context()), oidcauth.ErrUnknownIssuer))
	// Output:
	// <nil>
	// true false
	// <nil>
	// true
}
