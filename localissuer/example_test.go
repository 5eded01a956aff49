package localissuer_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A server gives a stranger an identity, and a page of theirs a ticket for the
// address of a WebSocket.
func ExampleNew() {
	parent, err := os.MkdirTemp("", "oidcauth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	local, err := localissuer.New(localissuer.Config{
		URL:       "localhost",
		Dir:       filepath.Join(parent, "keys"),
		Audiences: []string{"my-db"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer local.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()

	ctx := context.Background()
	token, identity, err := local.Issue(ctx, localissuer.Request{})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := auth.Authenticate(ctx, token)
	if err != nil {
		fmt.Println(err)
		return
	}
	page := httptest.NewRequest("POST", "/v1/ticket", nil)
	page.Header.Set("Origin", "https://app.example.com")
	ticket, err := local.Ticket(page, claims, "chat")
	if err != nil {
		fmt.Println(err)
		return
	}
	guest, err := auth.AuthenticateTicket(page, ticket, "chat")
	fmt.Println(guest.Identity() == identity, err)
	_, err = auth.AuthenticateTicket(page, ticket, "chat")
	fmt.Println(err)
	// Output:
	// true <nil>
	// oidcauth: ticket already used: got a ticket for the second time, want a new one
}
