package issuers_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/issuers"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A line describes a provider.
func ExampleKeycloak() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{issuers.Keycloak("https://sso.example.com/realms/main", "my-db")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	fmt.Println(auth.Unready()) // until its keys are fetched, with the first token or by Ready
	// Output: [https://sso.example.com/realms/main]
}

// A description is a value: add to it what your server demands besides.
func ExampleGoogle() {
	google := issuers.Google("123-abc.apps.googleusercontent.com")
	google.ClaimRules = append(google.ClaimRules, oidcauth.ClaimRule{
		Claim: oidcauth.Path{"hd"}, In: []string{"example.com"},
	})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{google}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	fmt.Println(google.URL, len(google.ClaimRules), "rules")
	// Output: https://accounts.google.com 2 rules
}

// Cloudflare sends its token in a header of its own.
func ExampleCloudflareAccess() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			issuers.CloudflareAccess("yourteam", "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"),
		},
		Extract: oidcauth.HeaderToken("Cf-Access-Jwt-Assertion"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r, _ := http.NewRequest(http.MethodGet, "https://db.example.com/v1/call/send", nil)
	_, err = auth.AuthenticateRequest(r)
	fmt.Println(errors.Is(err, oidcauth.ErrNoToken))
	// Output: true
}

// An argument that cannot be right is an error of New.
func ExampleAuth0Access() {
	auth0 := issuers.Auth0Access("https://example.auth0.com/", "my-db")
	_, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{auth0}})
	fmt.Println(err)
	// Output: oidcauth: issuer "issuers.Auth0Access: domain is \"https://example.auth0.com/\"", want a host name such as example.auth0.com
}

// A test has an issuer in memory sign as the provider does.
func ExampleAuth0Access_test() {
	auth0 := issuers.Auth0Access("example.eu.auth0.com", "https://api.example.com")
	issuer := oidctest.NewIssuer(nil, oidctest.Config{
		URL: auth0.URL, Algorithm: "RS256", Claims: map[string]any{"aud": auth0.Audiences},
	})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{auth0}, Client: issuer.Client()})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	token := issuer.Token(map[string]any{"sub": "auth0|1", "permissions": []string{"write:messages"}})
	claims, err := auth.Authenticate(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject(), claims.HasRole("write:messages"))
	// Output: auth0|1 true
}

// Firebase's keys are at a host of Google's, and not below the issuer's URL. The issuer of a
// test is where they are, and its tokens name the other.
func ExampleFirebase_test() {
	firebase := issuers.Firebase("my-game")
	keys, err := url.Parse(firebase.Keys.JWKSURL)
	if err != nil {
		log.Fatal(err)
	}
	issuer := oidctest.NewIssuer(nil, oidctest.Config{
		URL: "https://" + keys.Host, JWKSPath: keys.Path, Algorithm: "RS256",
		Claims: map[string]any{"iss": firebase.URL, "aud": firebase.Audiences},
	})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{firebase}, Client: issuer.Client()})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	claims, err := auth.Authenticate(context.Background(), issuer.Token(map[string]any{"sub": "alice"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Issuer(), claims.Subject())
	// Output: https://securetoken.google.com/my-game alice
}

// App Check says which app calls, and Firebase who uses it. The inner Middleware says who the
// caller is: the other way round everybody would be the app.
func ExampleFirebaseAppCheck() {
	app := oidctest.NewIssuer(nil, oidctest.Config{
		URL: "https://firebaseappcheck.googleapis.com", JWKSPath: "/v1/jwks", Algorithm: "RS256",
		Claims: map[string]any{"iss": "https://firebaseappcheck.googleapis.com/1234567890", "aud": "projects/1234567890"},
	})
	defer app.Close()
	person := oidctest.NewIssuer(nil, oidctest.Config{ // in place of issuers.Firebase
		URL: "https://people.example.com", Claims: map[string]any{"aud": "my-game"},
	})
	defer person.Close()
	apps, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{issuers.FirebaseAppCheck("1234567890", "1:1234567890:web:321abc")},
		Extract: oidcauth.HeaderToken("X-Firebase-AppCheck"), Client: app.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer apps.Close()
	people, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: person.URL(), Audiences: []string{"my-game"}}}, Client: person.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer people.Close()
	handler := apps.Middleware(people.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller, _ := oidcauth.FromContext(r.Context())
		fmt.Println(caller.Subject())
	})))

	r := httptest.NewRequest(http.MethodPost, "https://db.example.com/v1/call/send", nil)
	r.Header.Set("X-Firebase-AppCheck", app.Token(map[string]any{"sub": "1:1234567890:web:321abc"}))
	r.Header.Set("Authorization", "Bearer "+person.Token(map[string]any{"sub": "alice"}))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output: alice
}
