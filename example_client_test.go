package oidcauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// tokens is where a program has its tokens from, usually a
// clientcredentials.Config of package x/oauth2.
type tokens struct{ issuer *oidctest.Issuer }

func (s tokens) Token() (*oauth2.Token, error) {
	token := s.issuer.Token(map[string]any{"sub": "importer", "aud": "my-db"})
	return &oauth2.Token{AccessToken: token, Expiry: time.Now().Add(time.Minute)}, nil
}

// A program in Go calls the server: x/oauth2 puts the token into each request, and
// gets another one before it expires.
func ExampleAuthenticator_Middleware_client() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{}) // your provider
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(), // only since the issuer of this example is not on the network
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	server := httptest.NewServer(auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := oidcauth.FromContext(r.Context())
		fmt.Fprintln(w, "hello", caller.Subject())
	})))
	defer server.Close()

	client := oauth2.NewClient(context.Background(), tokens{issuer})
	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Print(string(body), err)
	// Output:
	// hello importer
	// <nil>
}
