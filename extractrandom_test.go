package oidcauth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// Tokens in whatever places of a request, each once or twice: what counts is
// whether they are one, and whether a cookie stands alone; and wherever they stood,
// none is left.
func TestFirstOf_AtRandom(t *testing.T) {
	tokens := []string{strings.Repeat("a", 70) + ".b.c", strings.Repeat("a", 70) + ".b.d"}
	put := map[string]func(r *http.Request, token string){
		"header": func(r *http.Request, token string) { r.Header.Add("Authorization", "Bearer "+token) },
		"cookie": func(r *http.Request, token string) { r.Header.Add("Cookie", "x=y; session="+token) },
		"query": func(r *http.Request, token string) {
			r.URL.RawQuery += "&access_token=" + token + "&a=b"
			r.RequestURI = r.URL.RequestURI()
		},
		"subprotocol": func(r *http.Request, token string) {
			r.Header.Add("Sec-WebSocket-Protocol", "chat, bearer."+base64.RawURLEncoding.EncodeToString([]byte(token)))
		},
	}
	random := rand.New(rand.NewPCG(1, 1))
	seen := map[error]int{}
	for range 5000 {
		extractors := []oidcauth.Extractor{
			oidcauth.BearerToken, oidcauth.CookieToken("session", "https://app.example"),
			oidcauth.QueryToken("access_token"), oidcauth.SubprotocolToken,
		}
		random.Shuffle(len(extractors), func(i, j int) { extractors[i], extractors[j] = extractors[j], extractors[i] })
		if random.IntN(2) == 0 { // nested, which changes nothing
			extractors = []oidcauth.Extractor{oidcauth.FirstOf(extractors[:2]...), oidcauth.FirstOf(extractors[2:]...)}
		}
		r := httptest.NewRequest(http.MethodPost, "/?z=1", nil)
		origin := random.IntN(2) == 0
		if origin {
			r.Header.Set("Origin", "https://app.example")
		}
		values, places := map[string]bool{}, map[string]bool{}
		for name, add := range put {
			for range random.IntN(8) / 5 * (1 + random.IntN(2)) {
				token := tokens[random.IntN(20)/19]
				values[token], places[name] = true, true
				add(r, token)
			}
		}
		var want error
		switch {
		case len(places) == 0:
			want = oidcauth.ErrNoToken
		case len(values) > 1:
			want = oidcauth.ErrMalformedRequest
		case len(places) == 1 && places["cookie"] && !origin:
			want = oidcauth.ErrOrigin
		}
		what := fmt.Sprint(r.Header, r.URL)
		token, err := oidcauth.FirstOf(extractors...)(r)
		if !errors.Is(err, want) || want == nil && !values[token] || want != nil && token != "" {
			t.Fatalf("%s: got %q, error = %v, want %v", what, token, err, want)
		}
		seen[want]++
		left := fmt.Sprint(r.Header, r.URL, r.RequestURI)
		for _, token := range tokens {
			if strings.Contains(left, token) || strings.Contains(left, base64.RawURLEncoding.EncodeToString([]byte(token))) {
				t.Fatalf("%s: left %s", what, left)
			}
		}
	}
	for _, want := range []error{nil, oidcauth.ErrNoToken, oidcauth.ErrMalformedRequest, oidcauth.ErrOrigin} {
		if seen[want] < 50 {
			t.Errorf("%d requests with %v, want 50", seen[want], want)
		}
	}
}
