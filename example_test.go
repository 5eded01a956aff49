package oidcauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A server that demands a role.
func Example() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL:       "https://login.example.com",
			Audiences: []string{"my-db"},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	mux.Handle("POST /v1/call/send", auth.Middleware(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if err := oidcauth.Require(r.Context(), oidcauth.HasRole("writer")); err != nil {
				auth.Refuse(w, r, err)
				return
			}
			caller, _ := oidcauth.FromContext(r.Context())
			fmt.Fprintln(w, "written for", caller.Identity())
		})))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/v1/call/send", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 401 {"error":"unauthorized","error_description":"a bearer token is required"}
}

// A question about one role needs no slice, and nor does a loop.
func ExampleClaims_Roles() {
	claims, err := oidcauth.UnverifiedClaims(
		[]byte(`{"iss": "https://login.example.com", "sub": "alice", "exp": 1900000000, "roles": ["writer", "admin"]}`),
		oidcauth.Issuer{URL: "https://login.example.com", Audiences: []string{"my-db"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.HasRole("admin"))
	for role := range claims.Roles() {
		fmt.Println("role", role)
	}
	fmt.Println(slices.Collect(claims.Roles()), slices.Sorted(claims.Roles()))
	// Nil is null in JSON. A list that is empty at least:
	fmt.Println(slices.Collect(claims.Scopes()) == nil, slices.AppendSeq([]string{}, claims.Scopes()))
	// Output:
	// true
	// role writer
	// role admin
	// [writer admin] [admin writer]
	// true []
}

// A log keeps the payload of the caller's token, so that a replay years later has
// the claims as they were. It needs neither the issuer nor a clock.
func ExampleUnverifiedClaims() {
	issuer := oidcauth.Issuer{URL: "https://login.example.com", Audiences: []string{"my-db"}}
	record := []byte(`{"iss":"https://login.example.com","sub":"alice","aud":"my-db","exp":1700000000}`) // Claims.Payload
	claims, err := oidcauth.UnverifiedClaims(record, issuer)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := oidcauth.NewContext(context.Background(), claims)
	fmt.Println(oidcauth.Require(ctx), claims.Expiry().Format(time.DateOnly))
	// Output: <nil> 2023-11-14
}
