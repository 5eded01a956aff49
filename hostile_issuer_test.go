package oidcauth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// strangerServes returns a client that reaches one issuer, which publishes the
// key set.
func strangerServes(issuer string, keySet []byte) *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		body := string(keySet)
		if r.URL.Path != "/jwks" {
			body = fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/jwks")
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
		}, nil
	})}
}

// A stranger who runs an issuer chooses how many keys it has and how long their
// names are, and not how much each of its tokens writes into the log.
func TestAnyIssuer_ManyKeysWithLongNames(t *testing.T) {
	const issuer = "https://stranger.test"
	var keys []map[string]string
	for i := range 60 {
		point := make([]byte, 32)
		point[0] = byte(i + 1)
		keys = append(keys, map[string]string{
			"kty": "OKP", "crv": "Ed25519", "kid": fmt.Sprint(i, strings.Repeat("\x01", 120)),
			"x": base64.RawURLEncoding.EncodeToString(point),
		})
	}
	for _, tt := range []struct {
		name, alg string
		want      error
	}{
		{"an algorithm that fits no key", "ES256", oidcauth.ErrAlgorithm},
		{"a bad signature", "EdDSA", oidcauth.ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keySet, err := json.Marshal(map[string]any{"keys": keys})
			if err != nil {
				t.Fatal(err)
			}
			a := newAuthenticator(t, open(strangerServes(issuer, keySet), oidcauth.AnyIssuer{}))
			_, payload, _ := strings.Cut(madeUp(issuer), ".")
			header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + tt.alg + `"}`))
			_, err = a.Authenticate(t.Context(), header+"."+payload)
			checkSole(t, err, tt.want)
			if n := len(err.Error()); n > 5000 {
				t.Errorf("a text of %d bytes", n)
			}
		})
	}
}
