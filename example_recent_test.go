package oidcauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A tooLongAgo refuses a caller whose sign-in is too old for what they ask.
type tooLongAgo struct{ maxAge time.Duration }

func (e tooLongAgo) Error() string {
	return fmt.Sprintf("a sign-in of the last %s is required", e.maxAge)
}

// signedIn demands that the caller has shown who they are within maxAge. A token that is
// new says nothing about that: who refreshes tokens shows nothing.
func signedIn(maxAge time.Duration) oidcauth.Rule {
	return func(c *oidcauth.Claims) error {
		var token struct {
			AuthTime float64 `json:"auth_time"` // OpenID Connect Core 1.0, section 2; zero if missing
		}
		if err := c.Decode(&token); err != nil {
			return err
		}
		age := float64(time.Now().Unix()) - token.AuthTime
		if age <= maxAge.Seconds() && age >= -time.Minute.Seconds() { // not a time in milliseconds
			return nil
		}
		return tooLongAgo{maxAge}
	}
}

// askForSignIn answers as RFC 9470 has it, by which a client knows what would help.
func askForSignIn(w http.ResponseWriter, _ *http.Request, err error) {
	status, code, description := oidcauth.Answer(err)
	if old, is := errors.AsType[tooLongAgo](err); is {
		status, code, description = http.StatusUnauthorized, "insufficient_user_authentication", old.Error()
		w.Header().Set("WWW-Authenticate",
			fmt.Sprintf(`Bearer error=%q, error_description=%q, max_age="%.0f"`, code, description, old.maxAge.Seconds()))
	}
	http.Error(w, code+": "+description, status)
}

// Some calls want more than a good token: that the person was there a short time ago.
func Example_recentSignIn() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{URL: "https://login.example.com"})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers:      []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:       issuer.Client(), // the issuer is in memory
		WriteRefusal: askForSignIn,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()

	deleteAccount := auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := oidcauth.Require(r.Context(), signedIn(5*time.Minute)); err != nil {
			auth.Refuse(w, r, err)
			return
		}
		fmt.Fprintln(w, "deleted")
	}))
	for _, ago := range []time.Duration{time.Minute, time.Hour} {
		r := httptest.NewRequest("DELETE", "/account", nil)
		r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{
			"aud": "my-db", "auth_time": time.Now().Add(-ago).Unix(),
		}))
		w := httptest.NewRecorder()
		deleteAccount.ServeHTTP(w, r)
		fmt.Print(ago, " ago: ", w.Code, " ", w.Body, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 1m0s ago: 200 deleted
	// 1h0m0s ago: 401 insufficient_user_authentication: a sign-in of the last 5m0s is required
	// Bearer error="insufficient_user_authentication", error_description="a sign-in of the last 5m0s is required", max_age="300"
}
