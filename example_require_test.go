package oidcauth_test

import (
	"context"
	"fmt"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A note is a row of a table in which every row has an owner.
type note struct {
	owner oidcauth.Identity
	text  string
}

// notes is the table.
type notes map[int]*note

// owns demands that the caller owns the row.
func owns(n *note) oidcauth.Rule {
	return func(c *oidcauth.Claims) error {
		if c.Identity() != n.owner {
			return fmt.Errorf("owner: got %s, want %s", c.Identity(), n.owner)
		}
		return nil
	}
}

// moderator is of one issuer: another's "moderator" is somebody else's word.
var moderator = oidcauth.All(
	oidcauth.HasIssuer("https://staff.example.com"),
	oidcauth.HasRole("moderator"),
)

// edit is for a note's owner, for moderators and for the server itself.
func (t notes) edit(ctx context.Context, id int, text string) error {
	n, found := t[id]
	if !found {
		// Without this, strangers could find out which rows there are.
		n = new(note)
	}
	if err := oidcauth.Require(ctx, oidcauth.Any(owns(n), moderator)); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("no note %d", id)
	}
	n.text = text
	return nil
}

// Each function of a database asks for what it needs. Rules of the program's own
// stand beside those of the package, here the one that a row has one owner.
func ExampleRequire() {
	players := oidctest.NewIssuer(nil, oidctest.Config{URL: "https://players.example.com"})
	staff := oidctest.NewIssuer(nil, oidctest.Config{URL: "https://staff.example.com"})
	defer players.Close()
	defer staff.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			{URL: "https://players.example.com", Audiences: []string{"my-db"}},
			{URL: "https://staff.example.com", Audiences: []string{"my-db"}},
		},
		Client: oidctest.Client(players, staff), // both are in memory
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	table := notes{1: {owner: identity.New("https://players.example.com", "alice")}}

	as := func(issuer *oidctest.Issuer, subject, role string) context.Context {
		claims, err := auth.Authenticate(context.Background(), issuer.Token(map[string]any{
			"aud": "my-db", "sub": subject, "roles": []string{role},
		}))
		if err != nil {
			fmt.Println(err)
		}
		return oidcauth.NewContext(context.Background(), claims)
	}
	fmt.Println("alice:", table.edit(as(players, "alice", "player"), 1, "hello"))
	fmt.Println("a moderator:", table.edit(as(staff, "carol", "moderator"), 1, "hello!"))
	_, _, answer := oidcauth.Answer(table.edit(as(players, "bob", "moderator"), 1, "bye"))
	fmt.Println("bob, whose role is of the wrong issuer:", answer)
	_, _, answer = oidcauth.Answer(table.edit(context.Background(), 1, "bye"))
	fmt.Println("nobody:", answer)
	fmt.Println("the server:", table.edit(oidcauth.NewInternalContext(context.Background()), 1, ""))
	// Output:
	// alice: <nil>
	// a moderator: <nil>
	// bob, whose role is of the wrong issuer: the caller may not do this
	// nobody: a bearer token is required
	// the server: <nil>
}
