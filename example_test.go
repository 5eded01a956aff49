package oidcauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
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

// A connection goes on after the request that opened it, for as long as its
// token would be accepted. Two channels stand for a WebSocket here: a message of
// the client is either a call or a new token for the session.
func ExampleAuthenticator_NewSession() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	messages, answers := make(chan string), make(chan string)

	reducer := func(ctx context.Context, name string) string {
		claims, ok := oidcauth.FromContext(ctx)
		if !ok {
			return "refused" // the session has just ended
		}
		return claims.Subject() + " called " + name
	}
	serve := func(session *oidcauth.Session) {
		defer session.Close()
		session.OnExpiring(time.Minute, func() { answers <- "send a new token" })
		for {
			select {
			case <-session.Context().Done():
				code, reason := oidcauth.CloseCode(context.Cause(session.Context()))
				answers <- fmt.Sprintf("closed: %d, %s", code, reason)
				return
			case message := <-messages:
				token, renewal := strings.CutPrefix(message, "token ")
				if !renewal {
					answers <- reducer(session.CallContext(), message)
				} else if _, err := session.Renew(session.Context(), token); err != nil {
					_, _, description := oidcauth.Answer(err)
					answers <- "not renewed: " + description
				} else {
					answers <- "renewed"
				}
			}
		}
	}
	handler := auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The context of r ends when this function returns. The session does not.
		claims, _ := oidcauth.FromContext(r.Context())
		go serve(auth.NewSession(r.Context(), claims))
	}))

	r := httptest.NewRequest(http.MethodGet, "/subscribe", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Token(nil))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	for _, message := range []string{
		"send_message",
		"token " + issuer.Token(map[string]any{"sub": "mallory"}),
		"token " + issuer.Token(map[string]any{"sid": "login-1"}),
		"set_name",
	} {
		messages <- message
		fmt.Println(<-answers)
	}
	if err := auth.Revoke(context.Background(), oidcauth.Revocation{SessionID: "login-1"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-answers)
	// Output:
	// alice called send_message
	// not renewed: the token is another identity's
	// renewed
	// alice called set_name
	// closed: 3000, the token was revoked
}
