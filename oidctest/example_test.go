package oidctest_test

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oidcauth/oidcauth/oidctest"
)

// fetchKeys is the program under test: it knows an issuer's key set.
func fetchKeys(client *http.Client, url string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	resp, err := client.Get(url)
	if err != nil {
		return set, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return set, fmt.Errorf("key set: status %d", resp.StatusCode)
	}
	return set, json.NewDecoder(resp.Body).Decode(&set)
}

func Example() {
	// In a test, give NewIssuer the test's t instead of nil.
	iss := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	defer iss.Close()

	// The issuer is down for one request, and then recovers.
	iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Status: 503})
	_, err := fetchKeys(iss.Client(), iss.JWKSURL())
	fmt.Println(err)
	keys, err := fetchKeys(iss.Client(), iss.JWKSURL())
	fmt.Println(err)

	// Its tokens can be verified.
	token, err := jwt.ParseSigned(iss.Token(nil), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		fmt.Println(err)
		return
	}
	var claims jwt.Claims
	fmt.Println(token.Claims(keys, &claims), claims.Issuer, claims.Subject, claims.Audience)
	fmt.Println(iss.Fetches().JWKS, "requests for keys")
	// Output:
	// key set: status 503
	// <nil>
	// <nil> https://issuer.test alice [my-db]
	// 2 requests for keys
}

func ExampleIssuer_FailNext() {
	iss := oidctest.NewIssuer(nil, oidctest.Config{})
	defer iss.Close()
	iss.FailNext(1, oidctest.JWKS, oidctest.HTMLPage(502))
	iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Redirect: "/moved/jwks.json"})
	for range 3 {
		resp, err := iss.Client().Get(iss.JWKSURL())
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"), resp.Request.URL)
	}
	// Output:
	// 502 text/html; charset=utf-8 https://issuer.test/jwks.json
	// 200 application/json https://issuer.test/moved/jwks.json
	// 200 application/json https://issuer.test/jwks.json
}

func ExampleKey_Forgeries() {
	iss := oidctest.NewIssuer(nil, oidctest.Config{})
	defer iss.Close()
	keys, err := fetchKeys(iss.Client(), iss.JWKSURL())
	if err != nil {
		fmt.Println(err)
		return
	}
	accepted := 0
	for _, f := range iss.Key().Forgeries(nil) {
		token, err := jwt.ParseSigned(f.Token, []jose.SignatureAlgorithm{jose.ES256})
		if err == nil && token.Claims(keys, new(jwt.Claims)) == nil {
			accepted++
		}
	}
	fmt.Println(accepted, "forgeries accepted")
	// Output:
	// 0 forgeries accepted
}
