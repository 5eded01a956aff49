package oidcauth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
)

// tokenText stands for a token; extractors do not look inside.
const tokenText = "aaa.bbb.ccc"

var encodedToken = base64.RawURLEncoding.EncodeToString([]byte(tokenText))

const webSocket = "Upgrade: websocket"

func TestExtractors(t *testing.T) {
	t.Parallel()
	bearer := oidcauth.BearerToken
	query := oidcauth.QueryToken("access_token")
	cookie := oidcauth.CookieToken("session", "https://app.test", "https://b.test")
	both := oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken, query, cookie)
	none, bad, origin := oidcauth.ErrNoToken, oidcauth.ErrMalformedRequest, oidcauth.ErrOrigin
	tests := []struct {
		name    string
		extract oidcauth.Extractor
		request string
		headers []string
		want    error
	}{
		{"header", bearer, "GET /", []string{"Authorization: Bearer " + tokenText}, nil},
		{"header, scheme in small letters", bearer, "GET /", []string{"Authorization: bearer " + tokenText}, nil},
		{"header, two spaces", bearer, "GET /", []string{"Authorization: Bearer  " + tokenText}, nil},
		{"no header", bearer, "GET /", nil, none},
		{"another scheme", bearer, "GET /", []string{"Authorization: Basic YTpi"}, none},
		{"a scheme that begins alike", bearer, "GET /", []string{"Authorization: BearerX " + tokenText}, none},
		{"empty header", bearer, "GET /", []string{"Authorization: "}, none},
		{"scheme alone", bearer, "GET /", []string{"Authorization: Bearer"}, bad},
		{"scheme and spaces", bearer, "GET /", []string{"Authorization: Bearer   "}, bad},
		{"tab after the scheme", bearer, "GET /", []string{"Authorization: Bearer\t" + tokenText}, bad},
		{"colon after the scheme", bearer, "GET /", []string{"Authorization: Bearer: " + tokenText}, bad},
		{"two tokens in a header", bearer, "GET /", []string{"Authorization: Bearer " + tokenText + ", Bearer " + tokenText}, bad},
		{"space inside", bearer, "GET /", []string{"Authorization: Bearer aaa. bbb.ccc"}, bad},
		{"quoted", bearer, "GET /", []string{`Authorization: Bearer "` + tokenText + `"`}, bad},
		{"two headers, one token", bearer, "GET /", []string{"Authorization: Bearer " + tokenText, "Authorization: bearer  " + tokenText}, nil},
		{"three headers, one token", bearer, "GET /", []string{"Authorization: Bearer " + tokenText, "Authorization: Bearer " + tokenText, "Authorization: Bearer " + tokenText}, nil},
		{"two headers, two tokens", bearer, "GET /", []string{"Authorization: Bearer " + tokenText, "Authorization: Bearer " + tokenText + "d"}, bad},
		{"three headers, the last differs", bearer, "GET /", []string{"Authorization: Bearer " + tokenText, "Authorization: Bearer " + tokenText, "Authorization: Bearer x"}, bad},
		{"two headers, one malformed", bearer, "GET /", []string{"Authorization: Bearer " + tokenText, "Authorization: Bearer"}, bad},
		{"two headers of another scheme", bearer, "GET /", []string{"Authorization: Basic YTpi", "Authorization: Basic YTpi"}, bad},
		{"two headers, one of another scheme", bearer, "GET /", []string{"Authorization: Basic YTpi", "Authorization: Bearer " + tokenText}, bad},

		{"query", query, "GET /?access_token=" + tokenText, nil, nil},
		{"query among others", query, "GET /?a=1&access_token=" + tokenText + "&b=2", nil, nil},
		{"query, escaped name", query, "GET /?access%5Ftoken=" + tokenText, nil, nil},
		{"query, escaped value", query, "GET /?access_token=aaa%2Ebbb.ccc", nil, nil},
		{"no query", query, "GET /", nil, none},
		{"another parameter", query, "GET /?token=" + tokenText, nil, none},
		{"a parameter that ends alike", query, "GET /?my_access_token=" + tokenText, nil, none},
		{"query twice, one token", query, "GET /?access_token=" + tokenText + "&access_token=aaa%2Ebbb.ccc", nil, nil},
		{"query twice, two tokens", query, "GET /?access_token=" + tokenText + "&access_token=aaa.bbb", nil, bad},
		{"empty parameter", query, "GET /?access_token=", nil, bad},
		{"parameter without value", query, "GET /?access_token&access_token=" + tokenText, nil, bad},
		{"parameter with a bad escape", query, "GET /?access_token=%zz", nil, bad},
		{"plus for a space", query, "GET /?access_token=aaa+bbb", nil, bad},

		{"cookie", cookie, "GET /", []string{"Cookie: session=" + tokenText}, nil},
		{"cookie among others", cookie, "GET /", []string{"Cookie: a=1; session=" + tokenText + "; b=2"}, nil},
		{"no cookie", cookie, "GET /", nil, none},
		{"another cookie", cookie, "GET /", []string{"Cookie: Session=" + tokenText}, none},
		{"cookie twice, one token", cookie, "GET /", []string{"Cookie: session=" + tokenText + "; session=" + tokenText}, nil},
		{"cookie twice, two tokens", cookie, "GET /", []string{"Cookie: session=" + tokenText + "; session=x"}, bad},
		{"cookie twice, page of another origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Cookie: session=" + tokenText, "Origin: https://evil.test"}, origin},
		{"empty cookie", cookie, "GET /", []string{"Cookie: session="}, bad},
		{"cookie, page of an allowed origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Origin: https://b.test"}, nil},
		{"cookie, page of another origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Origin: https://evil.test"}, origin},
		{"cookie, origin null", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Origin: null"}, origin},
		{"cookie, origin that begins alike", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Origin: https://app.test.evil.test"}, origin},
		{"cookie, two origins", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Origin: https://app.test", "Origin: https://evil.test"}, origin},
		{"cookie, post without origin", cookie, "POST /", []string{"Cookie: session=" + tokenText}, origin},
		{"cookie, post of an allowed origin", cookie, "POST /", []string{"Cookie: session=" + tokenText, "Origin: https://app.test"}, nil},
		{"cookie, socket without origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, webSocket}, origin},
		{"cookie, socket over http/2 without origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, "Sec-WebSocket-Version: 13"}, origin},
		{"cookie, socket of another origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, webSocket, "Origin: https://evil.test"}, origin},
		{"cookie, socket of an allowed origin", cookie, "GET /", []string{"Cookie: session=" + tokenText, webSocket, "Origin: https://app.test"}, nil},

		{"first of: header", both, "GET /", []string{"Authorization: Bearer " + tokenText}, nil},
		{"first of: query", both, "GET /?access_token=" + tokenText, nil, nil},
		{"first of: cookie", both, "GET /", []string{"Cookie: session=" + tokenText}, nil},
		{"first of: none", both, "GET /", nil, none},
		{"header and another query", both, "GET /?access_token=x", []string{"Authorization: Bearer " + tokenText}, bad},
		{"header and bad query", both, "GET /?access_token=", []string{"Authorization: Bearer " + tokenText}, bad},
		{"bad header and query", both, "GET /?access_token=" + tokenText, []string{"Authorization: Bearer"}, bad},
		{"header and another cookie", both, "GET /", []string{"Authorization: Bearer " + tokenText, "Cookie: session=x"}, bad},
		{"header and another cookie of another origin", both, "GET /", []string{"Authorization: Bearer " + tokenText, "Cookie: session=x", "Origin: https://evil.test"}, bad},
		{"first of: cookie of another origin", both, "GET /", []string{"Cookie: session=" + tokenText, "Origin: https://evil.test"}, origin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(t, tt.request, tt.headers...)
			token, err := tt.extract(r)
			if !errors.Is(err, tt.want) {
				t.Fatalf("extract() error = %v, want %v", err, tt.want)
			}
			if tt.want == nil && token != tokenText {
				t.Errorf("extract() = %q, want %q", token, tokenText)
			}
			if tt.want != nil && token != "" {
				t.Errorf("extract() = %q beside an error", token)
			}
		})
	}
}

func TestSubprotocolToken(t *testing.T) {
	t.Parallel()
	none, bad := oidcauth.ErrNoToken, oidcauth.ErrMalformedRequest
	tests := []struct {
		name    string
		offered []string
		want    error
		left    string
	}{
		{"token last", []string{"messages.v1, bearer." + encodedToken}, nil, "messages.v1"},
		{"token first", []string{"bearer." + encodedToken + ", messages.v1"}, nil, "messages.v1"},
		{"two of the application", []string{"b.v2,bearer." + encodedToken + ",a.v1"}, nil, "b.v2, a.v1"},
		{"two headers", []string{"messages.v1", "bearer." + encodedToken}, nil, "messages.v1"},
		{"no subprotocol", nil, none, ""},
		{"the application's alone", []string{"messages.v1"}, none, "messages.v1"},
		{"the token's alone", []string{"bearer." + encodedToken}, bad, ""},
		{"the token twice", []string{"messages.v1, bearer." + encodedToken, "bearer." + encodedToken}, nil, "messages.v1"},
		{"the token twice and nothing else", []string{"bearer." + encodedToken + ", bearer." + encodedToken}, bad, ""},
		{"two tokens", []string{"messages.v1, bearer." + encodedToken + ", bearer.YWFh"}, bad, "messages.v1"},
		{"not encoded", []string{"messages.v1, bearer." + tokenText}, bad, "messages.v1"},
		{"padded", []string{"messages.v1, bearer." + base64.URLEncoding.EncodeToString([]byte("aaa.b.cc"))}, bad, "messages.v1"},
		{"twin of the padded", []string{"messages.v1, bearer." + base64.RawURLEncoding.EncodeToString([]byte("aaa.b.ccc"))}, nil, "messages.v1"},
		{"empty", []string{"messages.v1, bearer."}, bad, "messages.v1"},
		{"65 subprotocols", []string{"bearer." + encodedToken + strings.Repeat(", a", 64)}, bad, ""},
		{"64 subprotocols", []string{"bearer." + encodedToken + strings.Repeat(", a", 63)}, nil, "a" + strings.Repeat(", a", 62)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(t, "GET /")
			r.Header["Sec-Websocket-Protocol"] = tt.offered
			token, err := oidcauth.SubprotocolToken(r)
			if !errors.Is(err, tt.want) {
				t.Fatalf("SubprotocolToken() error = %v, want %v", err, tt.want)
			}
			if (token == "") != (tt.want != nil) {
				t.Errorf("SubprotocolToken() = %q", token)
			}
			if got := r.Header.Get("Sec-WebSocket-Protocol"); got != tt.left {
				t.Errorf("subprotocols left = %q, want %q", got, tt.left)
			}
		})
	}
}

// What no later handler and no access log may see.
func TestExtractors_RemoveToken(t *testing.T) {
	t.Parallel()
	all := oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken,
		oidcauth.QueryToken("access_token"), oidcauth.CookieToken("session", "https://app.test"))
	tests := []struct {
		name    string
		request string
		headers []string
	}{
		{"header", "GET /a", []string{"Authorization: Bearer " + tokenText}},
		{"malformed header", "GET /a", []string{"Authorization: Bearer " + tokenText + " x"}},
		{"two headers", "GET /a", []string{"Authorization: Bearer " + tokenText, "Authorization: Bearer x"}},
		{"subprotocol", "GET /a", []string{"Sec-WebSocket-Protocol: a.v1, bearer." + encodedToken}},
		{"query", "GET /a?b=1&access_token=" + tokenText + "&c=%2F", nil},
		{"two queries", "GET /a?access_token=" + tokenText + "&access_token=x", nil},
		{"cookie", "GET /a", []string{"Cookie: session=" + tokenText + "; theme=dark"}},
		{"cookie of another origin", "GET /a", []string{"Cookie: session=" + tokenText, "Origin: https://evil.test"}},
		{"everywhere", "GET /a?access_token=" + tokenText, []string{
			"Authorization: Bearer " + tokenText, "Cookie: session=" + tokenText, "Sec-WebSocket-Protocol: a.v1, bearer." + encodedToken,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(t, tt.request, tt.headers...)
			all(r)
			var seen strings.Builder
			r.Header.Write(&seen)
			seen.WriteString(r.RequestURI + r.URL.String())
			for _, secret := range []string{tokenText, encodedToken} {
				if strings.Contains(seen.String(), secret) {
					t.Errorf("the request still carries the token: %s", seen.String())
				}
			}
		})
	}
}

func TestExtractors_KeepTheRest(t *testing.T) {
	t.Parallel()
	extract := oidcauth.FirstOf(oidcauth.QueryToken("access_token"), oidcauth.CookieToken("session"))
	r := newRequest(t, "GET /a%2Fb?b=1;2&access_token="+tokenText+"&c=%2f", "Cookie: theme=dark; lang=de")
	if _, err := extract(r); err != nil {
		t.Fatal(err)
	}
	if got, want := r.URL.RawQuery, "b=1;2&c=%2f"; got != want {
		t.Errorf("query = %q, want %q", got, want)
	}
	if got, want := r.RequestURI, "/a%2Fb?b=1;2&c=%2f"; got != want {
		t.Errorf("request URI = %q, want %q", got, want)
	}
	if got, want := r.Header.Get("Cookie"), "theme=dark; lang=de"; got != want {
		t.Errorf("cookies = %q, want %q", got, want)
	}
	basic := newRequest(t, "GET /", "Authorization: Basic YTpi")
	oidcauth.BearerToken(basic)
	if got := basic.Header.Get("Authorization"); got != "Basic YTpi" {
		t.Errorf("Authorization = %q, want it left alone", got)
	}
}

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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	r := newRequest(t, "GET /?access_token=203.0.113.9", "Authorization: Bearer 203.0.113.9", "X-Real-Ip: 203.0.113.9")
	if _, err := everywhere()(r); err != nil || r.Header.Get("X-Real-Ip") != "203.0.113.9" {
		t.Errorf("error = %v, X-Real-Ip = %q", err, r.Header.Get("X-Real-Ip"))
	}
}

// Arguments that can never be right are errors of New, and of each request if New
// did not see them.
func TestExtractors_WrongArguments(t *testing.T) {
	t.Parallel()
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
		"origin with a password":         oidcauth.CookieToken("session", "https://admin:hunter2@app.test"),
		"first of none":                  oidcauth.FirstOf(),
		"first of nil":                   oidcauth.FirstOf(oidcauth.BearerToken, nil),
	}
	for name, extract := range bad {
		for how, extract := range map[string]oidcauth.Extractor{
			"alone": extract, "in a list": oidcauth.FirstOf(oidcauth.BearerToken, extract),
			"in a list of a list": oidcauth.FirstOf(oidcauth.FirstOf(extract), oidcauth.BearerToken),
		} {
			if _, err := oidcauth.New(configuration(extract)); err == nil || !strings.HasPrefix(err.Error(), "oidcauth: ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %s: New() error = %v, want one", name, how, err)
			}
			_, err := extract(newRequest(t, "GET /?=x", "Authorization: Bearer "+tokenText))
			if status, _, _ := oidcauth.Answer(err); err == nil || errors.Is(err, oidcauth.ErrNoToken) || status != http.StatusInternalServerError {
				t.Errorf("%s, %s: extract() error = %v, want one of the server's", name, how, err)
			}
		}
	}
	if _, err := oidcauth.New(configuration(bad["first of nil"])); err == nil || !strings.Contains(err.Error(), "extractor 2 of 2 is nil") {
		t.Errorf("first of nil: New() error = %v, want one that says which", err)
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
	t.Parallel()
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
	t.Parallel()
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

// Tokens in whatever places of a request, each once or twice: what counts is
// whether they are one, and whether a cookie stands alone; and wherever they stood,
// none is left.
func TestFirstOf_AtRandom(t *testing.T) {
	t.Parallel()
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

// What New asks an extractor with is a request that an extractor can get.
func TestExtractors_AskedByNew(t *testing.T) {
	t.Parallel()
	configuration := func(extract oidcauth.Extractor) oidcauth.Config {
		return oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://id.test", Audiences: []string{"x"}}}, Extract: extract}
	}
	bad, good := oidcauth.QueryToken(""), oidcauth.QueryToken("t")
	panics := func(r *http.Request) (string, error) { return r.Context().Value("route").(string), nil }
	within := func(inner oidcauth.Extractor) oidcauth.Extractor {
		return func(r *http.Request) (string, error) {
			if r.Header == nil || r.URL == nil || r.Body == nil || r.ParseForm() != nil || r.Method != http.MethodGet {
				t.Errorf("asked with %v", r)
			}
			return inner(r)
		}
	}
	for _, tt := range []struct {
		name    string
		extract oidcauth.Extractor
		want    string // empty for no error
	}{
		{"wrong in an extractor of the program's own", within(bad), "QueryToken"},
		{"right in one", within(good), ""},
		{"wrong beside one that panics", oidcauth.FirstOf(panics, bad), "QueryToken"},
		{"right beside one that panics", oidcauth.FirstOf(panics, good), ""},
		{"wrong in a list in one of the program's own", within(oidcauth.FirstOf(good, within(bad))), "QueryToken"},
		{"a token for every request", func(*http.Request) (string, error) { return tokenText, nil }, ""},
		{"an error for every request", func(*http.Request) (string, error) { return "", http.ErrNoCookie }, ""},
	} {
		a, err := oidcauth.New(configuration(tt.extract))
		if err == nil {
			a.Close()
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), "oidcauth: "+tt.want) {
			t.Errorf("%s: New() error = %v, want one of %q", tt.name, err, tt.want)
		}
	}
}
