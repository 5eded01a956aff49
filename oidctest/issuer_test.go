package oidctest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/go-jose/go-jose/v4"
	"github.com/oidcauth/oidcauth/oidctest"
)

// get fetches a URL and returns the whole answer.
func get(t *testing.T, c *http.Client, url string) (*http.Response, []byte) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatalf("Get(%q) error = %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading %q: error = %v", url, err)
	}
	return resp, body
}

func TestIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		_, body := get(t, iss.Client(), iss.DiscoveryURL())
		var document struct {
			Issuer  string `json:"issuer"`
			JWKSURI string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(body, &document); err != nil {
			t.Fatal(err)
		}
		if document.Issuer != iss.URL() {
			t.Errorf("issuer = %q, want %q", document.Issuer, iss.URL())
		}
		_, body = get(t, iss.Client(), document.JWKSURI)
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(body, &set); err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(iss.Token(nil), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify(set); err != nil {
			t.Errorf("Verify() error = %v", err)
		}
	})
}
