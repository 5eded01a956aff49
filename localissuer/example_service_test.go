package localissuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A server, the chat, calls another, the archive, with a token of its own local issuer,
// whose keys it serves.
func ExampleIssuer_Handler() {
	parent, err := os.MkdirTemp("", "oidcauth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	local, err := localissuer.New(localissuer.Config{
		URL:       "https://chat.example.com",
		Dir:       filepath.Join(parent, "keys"),
		Audiences: []string{"chat"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer local.Close()
	chat := httptest.NewServer(local.Handler()) // beside its routes, at /.well-known/
	defer chat.Close()

	archive, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{
		URL: "https://chat.example.com", Audiences: []string{"archive"},
		Keys: oidcauth.KeysFrom{ // not where the URL leads to the chat
			JWKSURL: chat.URL + "/.well-known/jwks.json", InsecureHTTP: true,
		},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer archive.Close()

	ctx := context.Background()
	token, _, err := local.Issue(ctx, localissuer.Request{
		Subject: "service:chat", Audiences: []string{"archive"}, Lifetime: time.Minute,
		Claims: map[string]any{"roles": []string{"archiver"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := archive.Authenticate(ctx, token) // Middleware does, of a request
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.Subject(), oidcauth.Require(oidcauth.NewContext(ctx, claims), oidcauth.HasRole("archiver")))

	guest, _, err := local.Issue(ctx, localissuer.Request{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = archive.Authenticate(ctx, guest) // it is for the chat
	fmt.Println(errors.Is(err, oidcauth.ErrAudience))
	// Output:
	// service:chat <nil>
	// true
}
