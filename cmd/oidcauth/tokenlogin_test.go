package main

import (
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestToken_Login(t *testing.T) {
	p := newFakeProvider(t)
	l := startLogin(t, p, "--scope", "read")
	address := l.visit(t)
	got := l.ended(t)
	if got.code != 0 || subjectOf(t, got.out) != "alice" || strings.Contains(got.err, "eyJ") {
		t.Errorf("got %d, %s", got.code, got.err)
	}
	asked := address.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "app", "scope": "openid read", "code_challenge_method": "S256",
	} {
		if asked.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, asked.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(asked.Get(name)) < 20 {
			t.Errorf("%s = %q, want something nobody can guess", name, asked.Get(name))
		}
	}
}

// TestToken_LoginFailed changes what comes back to the browser or from the
// token endpoint. Its first row changes nothing.
func TestToken_LoginFailed(t *testing.T) {
	for _, test := range []struct {
		name     string
		metadata map[string]any
		callback url.Values
		idToken  map[string]any
		answer   map[string]any
		want     string // empty: success
	}{
		{name: "nothing wrong"},
		{name: "the person refuses", callback: url.Values{"error": {"access_denied"}}, want: `"access_denied"`},
		{name: "no code", callback: url.Values{"code": nil}, want: "no code"},
		{name: "a code of somebody else", callback: url.Values{"code": {"code-of-mallory"}}, want: `"invalid_grant"`},
		{name: "another provider's answer", callback: url.Values{"iss": {"https://mallory.example"}}, want: "https://mallory.example"},
		{name: "a provider that promises its name and keeps it back",
			metadata: map[string]any{"authorization_response_iss_parameter_supported": true}, want: "the answer is of issuer"},
		{name: "ID token with another nonce", idToken: map[string]any{"nonce": "another"}, want: "nonce"},
		{name: "ID token without a nonce", idToken: map[string]any{"nonce": ""}, want: "nonce"},
		{name: "ID token for another client", idToken: map[string]any{"aud": "another"}, want: "ID token"},
		{name: "expired ID token", idToken: map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, want: "ID token"},
		{name: "access token of another sign-in", idToken: map[string]any{"at_hash": "bm90IHRoaXMgb25l"}, want: "ID token"},
		{name: "no ID token", answer: map[string]any{"id_token": nil}, want: "no ID token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newFakeProvider(t)
			p.describe(test.metadata)
			p.callback, p.idToken, p.answer = test.callback, test.idToken, test.answer
			l := startLogin(t, p)
			l.visit(t)
			got := l.ended(t)
			if test.want == "" {
				if got.code != exitOK {
					t.Errorf("got %+v, want success", got)
				}
				return
			}
			_, reason, _ := strings.Cut(got.err, "oidcauth token: ")
			if got.code != exitFailed || got.out != "" || !strings.Contains(reason, test.want) {
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
}

// TestToken_LoginStrayCallback: whatever other pages send to the address, the
// login goes on.
func TestToken_LoginStrayCallback(t *testing.T) {
	p := newFakeProvider(t)
	l := startLogin(t, p)
	address := l.address(t)
	back := address.Query().Get("redirect_uri")
	for _, query := range []string{
		"", "?code=mallory", "?state=&code=mallory", "?state=guess&code=mallory", "?state=guess&error=access_denied",
	} {
		if status, page := browse(t, back+query); status != 400 || strings.Contains(page, "mallory") {
			t.Errorf("%q: status = %d, page %q", query, status, page)
		}
	}
	page, err := http.Get(back + "?state=guess&code=mallory")
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Content-Type": "text/plain; charset=utf-8"} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s of a page with a code in its address = %q, want %q", name, got, want)
		}
	}
	if status, _ := browse(t, strings.TrimSuffix(back, callbackPath)+"/elsewhere"); status != 404 {
		t.Errorf("another path: status = %d, want 404", status)
	}
	if status, page := browse(t, address.String()); status != 200 || !strings.Contains(page, "Signed in") {
		t.Errorf("status = %d, page %q", status, page)
	}
	if got := l.ended(t); got.code != exitOK {
		t.Errorf("got %+v", got)
	}
}

func TestToken_Device(t *testing.T) {
	p := newFakeProvider(t)
	got := invoke(t, "", p.flags(grantDevice)...)
	if got.code != exitOK || subjectOf(t, got.out) != "alice" {
		t.Fatalf("exit code = %d, want 0; %s", got.code, got.err)
	}
	for _, want := range []string{"WDJB-MJHT", p.iss.URL() + "/enter\n", p.iss.URL() + "/enter?code=WDJB-MJHT\n"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("standard error does not name %q: %s", want, got.err)
		}
	}
	if p.times() != 2 {
		t.Errorf("asked %d times, want 2: once in vain", p.times())
	}
}

func TestToken_DeviceFailed(t *testing.T) {
	p := newFakeProvider(t)
	p.idToken = map[string]any{"aud": "another"}
	if got := invoke(t, "", p.flags(grantDevice)...); got.code != exitFailed || got.out != "" {
		t.Errorf("ID token for another client: got %+v", got)
	}
	for _, interval := range []int{-1, longestInterval + 1, math.MaxInt} {
		p.interval = interval
		if got := invoke(t, "", p.flags(grantDevice)...); got.code != exitFailed || !strings.Contains(got.err, "seconds between polls") {
			t.Errorf("interval %d: got %+v", interval, got)
		}
	}
	p.interval, p.lifetime = 60, 1
	if got := invoke(t, "", p.flags(grantDevice)...); got.code != exitFailed || !strings.Contains(got.err, "the code expired") {
		t.Errorf("nobody enters the code: got %+v", got)
	}
	p.describe(map[string]any{"device_authorization_endpoint": nil})
	if got := invoke(t, "", p.flags(grantDevice)...); got.code != exitFailed || !strings.Contains(got.err, "no device authorization endpoint") {
		t.Errorf("without the endpoint: got %+v", got)
	}
}
