package oidcauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

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
