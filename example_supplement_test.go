package oidcauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A teamTable is a program's own table of who is in which team.
type teamTable map[oidcauth.Identity][]string

func (t teamTable) of(_ context.Context, who oidcauth.Identity) ([]string, error) {
	return t[who], nil
}

// withTeams has the program's own table say which roles a caller has beside those
// in the token.
func withTeams(issuer oidcauth.Issuer, table teamTable) oidcauth.Issuer {
	issuer.Supplement = func(ctx context.Context, c *oidcauth.Claims, _ string) (json.RawMessage, error) {
		teams, err := table.of(ctx, c.Identity())
		if err != nil {
			return nil, err // 503: it says nothing about the caller
		}
		return json.Marshal(map[string][]string{"roles": teams})
	}
	return issuer
}

// Roles that are in no token come from the program's own table.
func ExampleIssuer_supplement() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"sub": "17", "aud": "my-db", "roles": "reader"}})
	described := oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{"my-db"}}
	table := teamTable{}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{withTeams(described, table)}, Client: issuer.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	payload := []byte(`{"iss": "` + issuer.URL() + `", "sub": "17", "exp": 1900000000}`)
	if c, err := auth.UnverifiedClaims(payload, nil); err == nil {
		table[c.Identity()] = []string{"blue"}
	}
	claims, err := auth.Authenticate(context.Background(), issuer.Token(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(slices.Collect(claims.Roles()), string(claims.Supplement()))
	// Output: [reader blue] {"roles":["blue"]}
}
