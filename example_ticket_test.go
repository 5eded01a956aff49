package oidcauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// buyTicket gives the page that asks, with a token in the header, a ticket for
// one connection to the database.
func buyTicket(auth *oidcauth.Authenticator, local *localissuer.Issuer) http.Handler {
	return auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		ticket, err := local.Ticket(r, claims, "chat")
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(w, ticket)
	}))
}

// withTicket lets the bearer of a ticket pass. QueryToken takes it out of the
// address, so that no handler or log that comes later sees it.
func withTicket(auth *oidcauth.Authenticator, next http.Handler) http.Handler {
	extract := oidcauth.QueryToken("ticket")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket, err := extract(r)
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		claims, err := auth.AuthenticateTicket(r, ticket, "chat")
		if err != nil {
			auth.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(oidcauth.NewContext(auth.CallerContext(r), claims)))
	})
}

// A page buys a ticket with its token and opens a WebSocket with the ticket. The
// caller is the same.
func ExampleAuthenticator_AuthenticateTicket() {
	parent, err := os.MkdirTemp("", "oidcauth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	local, err := localissuer.New(localissuer.Config{
		URL: "localhost", Dir: filepath.Join(parent, "keys"), Audiences: []string{"my-db"},
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
	token, _, err := local.Issue(context.Background(), localissuer.Request{Subject: "guest-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/ticket", buyTicket(auth, local))
	mux.Handle("GET /v1/subscribe", withTicket(auth, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := oidcauth.FromContext(r.Context())
		fmt.Fprintf(w, "%s, query %q", caller.Subject(), r.URL.RawQuery)
	})))
	get := func(method, target, authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("Origin", "https://app.example.com")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	ticket := get("POST", "/v1/ticket", "Bearer "+token).Body.String()
	for range 2 {
		w := get("GET", "/v1/subscribe?ticket="+ticket, "")
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 guest-1, query ""
	// 401 {"error":"invalid_token","error_description":"the ticket was used before"}
}
