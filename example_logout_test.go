package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The issuer posts a logout token to the server's back-channel logout URI. What the
// subject has so far ends, live sessions included.
func ExampleAuthenticator_LogoutHandler() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL:             issuer.URL(),
			Audiences:       []string{"my-db"},
			LogoutAudiences: []string{"my-app"}, // the client that people sign in with
		}},
		Client: issuer.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	ctx := context.Background()
	claims, err := auth.Authenticate(ctx, issuer.Token(map[string]any{"sub": "alice", "aud": "my-db"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	session := auth.NewSession(ctx, claims)

	logout := issuer.LogoutToken(map[string]any{"sub": "alice", "aud": "my-app"})
	form := url.Values{"logout_token": {logout}}
	r := httptest.NewRequest(http.MethodPost, "/v1/logout", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	auth.LogoutHandler().ServeHTTP(w, r)
	fmt.Println(w.Code, errors.Is(context.Cause(session.Context()), oidcauth.ErrRevoked))
	// Output:
	// 200 true
}
