package oidcauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
)

// longToken is as long as real ones are.
var longToken = strings.Repeat("a", 40) + "." + strings.Repeat("b", 200) + "." + strings.Repeat("c", 86)

// assertion is an extractor as programs write them: it leaves the token where it
// is, and has no error for a request without one.
func assertion(r *http.Request) (string, error) { return r.Header.Get("X-Jwt-Assertion"), nil }

// everywhere takes tokens from all places that the package knows, and one more.
func everywhere() oidcauth.Extractor {
	return oidcauth.FirstOf(assertion, oidcauth.BearerToken, oidcauth.SubprotocolToken,
		oidcauth.QueryToken("access_token"), oidcauth.CookieToken("session", "https://app.test"))
}

// leftovers is everything of a request that a handler or an access log may show.
func leftovers(r *http.Request) string {
	var b strings.Builder
	r.Header.Write(&b)
	fmt.Fprintln(&b, r.RequestURI, r.URL, r.Form, r.PostForm, r.MultipartForm)
	return b.String()
}

// The same token in any set of places is one token, and leaves all of them.
func TestFirstOf_TheSameToken(t *testing.T) {
	places := append(slices.Clone(hostile.Carriers), hostile.Carrier{Name: "assertion", Put: func(r *http.Request, tok string) { r.Header.Set("X-Jwt-Assertion", tok) }})
	for set := 1; set < 1<<len(places); set++ {
		for _, page := range []string{"", "https://app.test", "https://evil.test"} {
			r := newRequest(t, "POST /a?b=1", "X-Other: kept", "Cookie: theme=dark")
			if page != "" {
				r.Header.Set("Origin", page)
			}
			var names []string
			for i, place := range places {
				if set&(1<<i) != 0 {
					place.Put(r, longToken)
					names = append(names, place.Name)
				}
			}
			token, err := everywhere()(r)
			var want error
			if slices.Equal(names, []string{"cookie"}) && page != "https://app.test" {
				want = oidcauth.ErrOrigin
			}
			if !errors.Is(err, want) || (want == nil) != (token == longToken) {
				t.Errorf("%q from %q: error = %v, want %v", names, page, err, want)
			}
			left := leftovers(r)
			if slices.Equal(names, []string{"assertion"}) {
				continue // the program's own extractor has left it there
			}
			if strings.Contains(left, longToken) || strings.Contains(left, hostile.Encode(longToken)) {
				t.Errorf("%q: the request still carries the token: %s", names, left)
			}
			if r.Header.Get("X-Other") != "kept" || !strings.Contains(r.Header.Get("Cookie"), "theme=dark") || r.URL.RawQuery != "b=1" {
				t.Errorf("%q: the rest is not there any more: %s", names, left)
			}
		}
	}
}

// A refusal for a cookie's Origin tells nothing of the token.
func TestFirstOf_WithheldToken(t *testing.T) {
	for name, extract := range map[string]oidcauth.Extractor{
		"cookie alone": oidcauth.CookieToken("session"),
		"first of":     everywhere(),
		"two cookies, one token": oidcauth.FirstOf(oidcauth.CookieToken("session"),
			oidcauth.FirstOf(oidcauth.CookieToken("login"))),
	} {
		r := newRequest(t, "POST /", "Cookie: session="+longToken+"; login="+longToken)
		_, err := extract(r)
		if refusal, ok := errors.AsType[*oidcauth.Refusal](err); !ok || !errors.Is(err, oidcauth.ErrOrigin) || refusal.Err != oidcauth.ErrOrigin {
			t.Errorf("%s: error = %v, want %v", name, err, oidcauth.ErrOrigin)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, longToken[:20]) {
			t.Errorf("%s: the error contains the token: %s", name, text)
		}
	}
	r := newRequest(t, "POST /", "Cookie: session="+longToken+"; login=x")
	if _, err := oidcauth.FirstOf(oidcauth.CookieToken("session"), oidcauth.CookieToken("login"))(r); !errors.Is(err, oidcauth.ErrMalformedRequest) {
		t.Errorf("two cookies, two tokens: error = %v, want %v", err, oidcauth.ErrMalformedRequest)
	}
}

// The program's own extractors: their errors count like ours.
func TestFirstOf_OwnExtractors(t *testing.T) {
	own := errors.New("own error")
	extractor := func(token string, err error) oidcauth.Extractor {
		return func(*http.Request) (string, error) { return token, err }
	}
	bearer := oidcauth.BearerToken
	for _, tt := range []struct {
		name       string
		extractors []oidcauth.Extractor
		header     string
		want       error
	}{
		{"a token", []oidcauth.Extractor{extractor(tokenText, nil), bearer}, "", nil},
		{"the same token beside it", []oidcauth.Extractor{extractor(tokenText, nil), bearer}, "Bearer " + tokenText, nil},
		{"another beside it", []oidcauth.Extractor{extractor(tokenText, nil), bearer}, "Bearer x", oidcauth.ErrMalformedRequest},
		{"neither token nor error, and a header", []oidcauth.Extractor{extractor("", nil), bearer}, "Bearer " + tokenText, nil},
		{"neither token nor error, and none", []oidcauth.Extractor{extractor("", nil), bearer}, "", oidcauth.ErrNoToken},
		{"an error alone", []oidcauth.Extractor{bearer, extractor("", own)}, "", own},
		{"an error beside a token", []oidcauth.Extractor{bearer, extractor("", own)}, "Bearer " + tokenText, oidcauth.ErrMalformedRequest},
		{"no token by another name", []oidcauth.Extractor{extractor("", fmt.Errorf("none: %w", oidcauth.ErrNoToken)), bearer}, "Bearer " + tokenText, nil},
	} {
		r := newRequest(t, "GET /")
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		token, err := oidcauth.FirstOf(tt.extractors...)(r)
		if !errors.Is(err, tt.want) || (tt.want == nil) != (token == tokenText) {
			t.Errorf("%s: got %q, %v, want %v", tt.name, token, err, tt.want)
		}
	}
}

// A short token must not take another header with it.
func TestFirstOf_ShortToken(t *testing.T) {
	r := newRequest(t, "GET /?access_token=203.0.113.9", "Authorization: Bearer 203.0.113.9", "X-Real-Ip: 203.0.113.9")
	if _, err := everywhere()(r); err != nil || r.Header.Get("X-Real-Ip") != "203.0.113.9" {
		t.Errorf("error = %v, X-Real-Ip = %q", err, r.Header.Get("X-Real-Ip"))
	}
}

// Arguments that can never be right are errors of New, and of each request if New
// did not see them.
func TestExtractors_WrongArguments(t *testing.T) {
	const app = "https://app.test"
	configuration := func(extract oidcauth.Extractor) oidcauth.Config {
		return oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://id.test", Audiences: []string{"x"}}}, Extract: extract}
	}
	bad := map[string]oidcauth.Extractor{
		"query without name":             oidcauth.QueryToken(""),
		"cookie without name":            oidcauth.CookieToken("", app),
		"cookie with a space":            oidcauth.CookieToken("my session", app),
		"cookie with a semicolon":        oidcauth.CookieToken("a;b", app),
		"cookie with an equals sign":     oidcauth.CookieToken("a=b", app),
		"cookie with another alphabet":   oidcauth.CookieToken("sitzüng", app),
		"origin empty":                   oidcauth.CookieToken("session", app, ""),
		"origin with a slash at its end": oidcauth.CookieToken("session", app+"/"),
		"origin in capital letters":      oidcauth.CookieToken("session", "https://App.test"),
		"origin with the usual port":     oidcauth.CookieToken("session", app+":443"),
		"origin that stands for all":     oidcauth.CookieToken("session", "*"),
		"origin null":                    oidcauth.CookieToken("session", "null"),
		"host for an origin":             oidcauth.CookieToken("session", "app.test"),
		"first of none":                  oidcauth.FirstOf(),
		"first of nil":                   oidcauth.FirstOf(oidcauth.BearerToken, nil),
	}
	for name, extract := range bad {
		for how, extract := range map[string]oidcauth.Extractor{
			"alone": extract, "in a list": oidcauth.FirstOf(oidcauth.BearerToken, extract),
			"in a list of a list": oidcauth.FirstOf(oidcauth.FirstOf(extract), oidcauth.BearerToken),
		} {
			if _, err := oidcauth.New(configuration(extract)); err == nil || !strings.HasPrefix(err.Error(), "oidcauth: ") {
				t.Errorf("%s, %s: New() error = %v, want one", name, how, err)
			}
			_, err := extract(newRequest(t, "GET /?=x", "Authorization: Bearer "+tokenText))
			if status, _, _ := oidcauth.Answer(err); err == nil || errors.Is(err, oidcauth.ErrNoToken) || status != http.StatusInternalServerError {
				t.Errorf("%s, %s: extract() error = %v, want one of the server's", name, how, err)
			}
		}
	}
	for name, extract := range map[string]oidcauth.Extractor{
		"none": nil, "bearer": oidcauth.BearerToken, "query": oidcauth.QueryToken("ä b"),
		"cookie of no page": oidcauth.CookieToken("__Host-session"), "cookie": oidcauth.CookieToken("session", app, "http://localhost:5173"),
		// One that relies on what a server gives to a request is no worse for it.
		"own": func(r *http.Request) (string, error) { return r.Context().Value(http.ServerContextKey).(string), nil },
	} {
		a, err := oidcauth.New(configuration(extract))
		if err != nil {
			t.Errorf("%s: New() error = %v", name, err)
			continue
		}
		a.Close()
	}
}

// A token in the address leaves a form that was read before, too.
func TestQueryToken_ParsedForm(t *testing.T) {
	plain := "access_token=other&access_token=" + tokenText + "&a=1"
	multi := "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n" + tokenText + "\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\nother\r\n--x--\r\n"
	for _, tt := range []struct {
		name, method, kind, body string
		left                     []string
	}{
		{"get", "GET", "", "", nil},
		{"post of nothing", "POST", "application/x-www-form-urlencoded", "", nil},
		{"post", "POST", "application/x-www-form-urlencoded", plain, []string{"other"}},
		{"post of several parts", "POST", "multipart/form-data; boundary=x", multi, []string{"other"}},
	} {
		for _, found := range []bool{true, false} {
			r := httptest.NewRequest(tt.method, "/?b=2&access_token="+tokenText, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			if !found {
				r.URL.RawQuery = "b=2"
				r.RequestURI = "/?b=2"
			}
			r.ParseMultipartForm(1 << 20)
			body := slices.Clone(r.PostForm["access_token"])
			token, err := oidcauth.QueryToken("access_token")(r)
			if !found {
				if !errors.Is(err, oidcauth.ErrNoToken) || !slices.Equal(r.PostForm["access_token"], body) {
					t.Errorf("%s, no token in the address: got %v, body %q", tt.name, err, r.PostForm)
				}
				continue
			}
			if err != nil || token != tokenText {
				t.Fatalf("%s: got %q, %v", tt.name, token, err)
			}
			if left := leftovers(r); strings.Contains(left, tokenText) {
				t.Errorf("%s: the request still carries the token: %s", tt.name, left)
			}
			for form, values := range map[string]url.Values{"Form": r.Form, "PostForm": r.PostForm} {
				if got := values["access_token"]; !slices.Equal(got, tt.left) {
					t.Errorf("%s: %s has %q, want %q", tt.name, form, got, tt.left)
				}
			}
			if r.FormValue("b") != "2" {
				t.Errorf("%s: the form has lost another parameter: %v", tt.name, r.Form)
			}
		}
	}
}

// The page that was opened with a token names it in its requests for images.
func TestQueryToken_Referer(t *testing.T) {
	for referer, want := range map[string]string{
		"https://app.test/a?access_token=" + tokenText:                  "https://app.test/a",
		"https://app.test/a?b=1&access%5Ftoken=" + tokenText + "&c=%2f": "https://app.test/a?b=1&c=%2f",
		"https://app.test/a?access_token=" + tokenText + "#x":           "https://app.test/a#x",
		"https://app.test/a?b=1":                                        "https://app.test/a?b=1",
		"https://app.test/access_token":                                 "https://app.test/access_token",
		"no address":                                                    "no address",
	} {
		r := newRequest(t, "GET /", "Referer: "+referer)
		if _, err := oidcauth.QueryToken("access_token")(r); !errors.Is(err, oidcauth.ErrNoToken) {
			t.Errorf("%s: error = %v, want %v", referer, err, oidcauth.ErrNoToken)
		}
		if got := r.Referer(); got != want {
			t.Errorf("%s: left is %q, want %q", referer, got, want)
		}
	}
}
