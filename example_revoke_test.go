package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// leeway is [oidcauth.Config.Leeway], by which an issuer's clock may be ahead.
const leeway = 30 * time.Second

// throwOut ends what a subject has: every token issued so far, and the sessions
// under them. They can come back with one that is issued half a minute later. The
// admins are those of the issuer staff.
func throwOut(auth *oidcauth.Authenticator, staff string) http.Handler {
	return auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := oidcauth.Require(r.Context(), oidcauth.HasIssuer(staff), oidcauth.HasRole("admin")); err != nil {
			auth.Refuse(w, r, err)
			return
		}
		var who struct{ Issuer, Subject string }
		body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
		body.DisallowUnknownFields() // "sub" for "subject" would leave nothing but the issuer
		if err := body.Decode(&who); err != nil || who.Issuer == "" || who.Subject == "" {
			http.Error(w, "want an issuer and a subject", http.StatusBadRequest)
			return
		}
		if err := auth.Revoke(r.Context(), oidcauth.Revocation{
			Issuer: who.Issuer, Subject: who.Subject, IssuedBefore: time.Now().Add(leeway),
		}); err != nil {
			auth.Refuse(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
}

// ban keeps a subject out for good, also with the tokens of a later sign-in.
func ban(ctx context.Context, auth *oidcauth.Authenticator, issuer, subject string) error {
	return auth.Revoke(ctx, oidcauth.Revocation{
		Issuer: issuer, Subject: subject,
		Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), // without it a ban may be over within the hour
	})
}

// Somebody is banned: the tokens of years to come are refused, though none lives for more
// than an hour.
func ExampleAuthenticator_Revoke_ban() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	defer issuer.Close()
	now := time.Now()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(), MaxTokenLifetime: time.Hour,
		Now: func() time.Time { return now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	ctx := context.Background()
	if err := ban(ctx, auth, issuer.URL(), "mallory"); err != nil {
		fmt.Println(err)
		return
	}
	now = now.AddDate(10, 0, 0)
	token := issuer.Token(map[string]any{"sub": "mallory", "iat": now, "exp": now.Add(time.Hour)})
	_, err = auth.Authenticate(ctx, token)
	fmt.Println(errors.Is(err, oidcauth.ErrRevoked))
	// Output: true
}

// An admin throws somebody out.
func ExampleAuthenticator_Revoke() {
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
	ctx := context.Background()
	token := issuer.Token(map[string]any{"sub": "mallory", "iat": time.Now().Add(-time.Minute)})
	claims, err := auth.Authenticate(ctx, token)
	if err != nil {
		fmt.Println(err)
		return
	}
	session := auth.NewSession(ctx, claims)
	defer session.Close()

	post := func(body string) int {
		r := httptest.NewRequest("POST", "/v1/revoke", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": "alice", "roles": []string{"admin"}}))
		w := httptest.NewRecorder()
		throwOut(auth, issuer.URL()).ServeHTTP(w, r)
		return w.Code
	}
	fmt.Println(post(`{"issuer": "https://issuer.test", "sub": "mallory"}`))
	fmt.Println(post(`{"issuer": "https://elsewhere.test", "subject": "mallory"}`))
	fmt.Println(post(`{"issuer": "https://issuer.test", "subject": "mallory"}`))
	select {
	case <-session.Context().Done():
	case <-time.After(10 * time.Second):
		fmt.Println("the session did not end")
	}
	fmt.Println(oidcauth.CloseCode(context.Cause(session.Context())))
	_, err = auth.Authenticate(ctx, token)
	fmt.Println(errors.Is(err, oidcauth.ErrRevoked))
	// Output:
	// 400
	// 400
	// 204
	// 3000 the token was revoked
	// true
}
