package oidcauth_test

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// FuzzLogoutHandler: a request logs out if and only if its body is a form that has the
// one logout token, whatever its address says, and it does so once.
func FuzzLogoutHandler(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for _, seed := range [][3]string{
		{form, "logout_token=TOKEN", ""}, {form + "; charset=utf-8", "a=b&logout%5Ftoken=TOKEN&c", "logout_token=x"}, {form, "logout_token=TOKEN&logout_token=TOKEN", ""},
		{form, "", "logout_token=TOKEN"}, {"", "logout_token=TOKEN", ""}, {"application/json", `{"logout_token":"TOKEN"}`, ""}, {form, "logout_token=TOKEN;a", ""}, {form, "%zz&logout_token=TOKEN", ""},
		{form, "logout_token=+TOKEN", ""}, {form, "LOGOUT_TOKEN=TOKEN", ""}, {form, "logout_token=TOKEN&a=" + strings.Repeat("x", 24<<10), ""}, {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\nTOKEN\r\n--b--", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	issuer := oidctest.NewIssuer(nil, oidctest.Config{})
	f.Cleanup(issuer.Close)
	a := newAuthenticator(f, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}}, Client: issuer.Client(),
	})
	f.Fuzz(func(t *testing.T, contentType, body, query string) {
		token := issuer.LogoutToken(map[string]any{"sub": "alice", "aud": testAudience})
		body, query = strings.ReplaceAll(body, "TOKEN", token), strings.ReplaceAll(query, "TOKEN", token)
		media, _, err := mime.ParseMediaType(contentType)
		values, formErr := url.ParseQuery(body)
		want := err == nil && media == form && formErr == nil && slices.Equal(values["logout_token"], []string{token}) && len(body) <= 20<<10
		if _, err := url.ParseQuery(query); err != nil {
			return // ParseForm refuses that, too
		}
		post := func() (int, string) {
			r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(body))
			r.URL.RawQuery, r.Header["Content-Type"] = query, []string{contentType}
			w := serve(a.LogoutHandler(), r)
			var answer struct{ Error string }
			json.NewDecoder(w.Body).Decode(&answer)
			return w.StatusCode, answer.Error
		}
		status, _ := post()
		if want && status != http.StatusOK || !want && status != http.StatusBadRequest && len(body) < 20<<10 || !want && status == http.StatusOK {
			t.Errorf("status %d for %q as %q, want it accepted: %t", status, body, contentType, want)
		}
		if again, code := post(); again != http.StatusBadRequest || code != "invalid_request" {
			t.Errorf("again: status %d, %q", again, code)
		}
	})
}

// FuzzVerifyLogout: what is a logout token here has, to another reader of JSON, all
// that makes it one and nothing that makes it another; go-oidc, the second opinion,
// reads the same where it has an expiry.
func FuzzVerifyLogout(f *testing.F) {
	const events = `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`
	for _, seed := range []string{
		`"sub":"a","jti":"j","iat":NOW,"exp":LATER,` + events, `"sid":"s","jti":"j","iat":NOW,` + events, `"sub":"a","sid":"s","jti":"j","iat":NOW,"exp":LATER,"nonce":null,` + events,
		`"sub":"a","jti":"j","iat":NOW,"events":{"\u0068ttp://schemas.openid.net/event/backchannel-logout":{"x":[]}}`, `"sub":"a","jti":"j","iat":NOW,"events":{"http://schemas.openid.net/event/backchannel-logout":null}`,
		`"sub":"a","jti":"","iat":NOW,` + events, `"sub":1,"jti":"j","iat":NOW,` + events, `"jti":"j","iat":NOW.5,"exp":LATER,"Sub":"a",` + events, `"sub":"a","jti":"j","iat":9e99,` + events, `"sub":"a","jti":"j","iat":1,` + events,
	} {
		f.Add("logout+jwt", seed)
		f.Add("JWT", seed)
	}
	issuer := oidctest.NewIssuer(nil, oidctest.Config{})
	f.Cleanup(issuer.Close)
	a := newAuthenticator(f, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}}, Client: issuer.Client(),
	})
	provider, err := oidc.NewProvider(oidc.ClientContext(f.Context(), issuer.Client()), issuer.URL())
	if err != nil {
		f.Fatal(err)
	}
	library := provider.Verifier(&oidc.Config{ClientID: testAudience, SupportedSigningAlgs: []string{"ES256"}})
	f.Fuzz(func(t *testing.T, typ, claims string) {
		now := time.Now()
		claims = strings.NewReplacer("NOW", strconv.FormatInt(now.Unix(), 10), "LATER", strconv.FormatInt(now.Unix()+90, 10)).Replace(claims)
		payload := `{"iss":"` + issuer.URL() + `","aud":"` + testAudience + `",` + claims + `}`
		token := issuer.Sign(map[string]any{"typ": typ}, payload)
		tokenID, sessionID, subject, err := a.VerifyLogout(t.Context(), token)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		said := decodeObject(t, payload)
		var events map[string]map[string]json.RawMessage
		var issued float64
		if json.Unmarshal(said["events"], &events) != nil || events[logoutEvent] == nil || json.Unmarshal(said["iat"], &issued) != nil || said["nonce"] != nil {
			t.Fatalf("accepted %s", payload)
		}
		if at := time.Unix(int64(issued), 0); now.Sub(at).Abs() > 15*time.Minute {
			t.Errorf("accepted one of %v: %s", at, payload)
		}
		for name, got := range map[string]string{"jti": tokenID, "sid": sessionID, "sub": subject} {
			var want string
			if said[name] != nil && json.Unmarshal(said[name], &want) != nil || want != got || name == "jti" && got == "" {
				t.Errorf("%q is %q in %s", name, got, payload)
			}
		}
		if sessionID == "" && subject == "" {
			t.Errorf("accepted %s, which is of nobody", payload)
		}
		if _, expires := said["exp"]; !expires {
			return
		}
		if got, err := library.VerifyLogout(t.Context(), token); err != nil || got.TokenID != tokenID || got.SessionID != sessionID || got.Subject != subject {
			t.Errorf("go-oidc reads %+v, %v in %s", got, err, payload)
		}
	})
}
