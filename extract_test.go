package oidcauth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// tokenText stands for a token; extractors do not look inside.
const tokenText = "aaa.bbb.ccc"

var encodedToken = base64.RawURLEncoding.EncodeToString([]byte(tokenText))

const webSocket = "Upgrade: websocket"

func TestExtractors(t *testing.T) {
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
