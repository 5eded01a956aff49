package main

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// FuzzRevocationForm: a body that is taken says, to another reader of JSON, each thing
// that a revocation of its kind needs and nothing else, so that what is revoked is of
// one issuer and never more than what is named.
func FuzzRevocationForm(f *testing.F) {
	const issuer = `"issuer":"https://a.test"`
	for _, seed := range []string{
		`{"revoke":"token",` + issuer + `,"token_id":"t"}`, `{"revoke":"session",` + issuer + `,"session_id":"s","until":"2033-05-18T03:33:20Z"}`, `{"revoke":"subject",` + issuer + `,"subject":"a","issued_before":"now"}`,
		`{"revoke":"key",` + issuer + `,"key_id":"k"}`, `{"revoke":"issuer",` + issuer + `,"issued_before":"any"}`, `{"revoke":"token",` + issuer + `,"token_id":""}`, `{"revoke":"token","token_id":"t"}`, `{"revoke":"token",` + issuer + `,"token_id":"t","subject":"a"}`,
		`{"revoke":"subject",` + issuer + `,"subject":"a","issued_before":"0001-01-01T00:00:00Z"}`, `{"revoke":"token","Revoke":"issuer",` + issuer + `,"token_id":"t","token_id":""}`, `{"revoke":"token",` + issuer + `,"token_id":"eyJhbGciOiJub25lIn0.e30.c2ln"}`, `[]`, ``,
	} {
		f.Add("application/json", seed)
	}
	f.Add("text/plain", `{"revoke":"token",`+issuer+`,"token_id":"t"}`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest("POST", "/v1/revocations", strings.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		form, err := readRevocation(httptest.NewRecorder(), r)
		if err != nil {
			return
		}
		var said map[string]string
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			t.Fatalf("took %q: %v", body, err)
		}
		needs, known := revocationNeeds[said["revoke"]]
		if !known || said["issuer"] == "" || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "application/json") {
			t.Fatalf("took %q as %q", body, contentType)
		}
		for name, value := range said {
			if value != "" && !slices.Contains(needs, name) && !slices.Contains([]string{"revoke", "issuer", "until"}, name) {
				t.Errorf("took %q, in which %s is too much", body, name)
			}
		}
		got, err := form.revocation(time.Now(), time.Minute)
		if err != nil {
			t.Fatalf("took %q, and later: %v", body, err)
		}
		want := oidcauth.Revocation{Issuer: said["issuer"], TokenID: said["token_id"], SessionID: said["session_id"], Subject: said["subject"], KeyID: said["key_id"]}
		named := got
		if named.IssuedBefore, named.Until = (time.Time{}), (time.Time{}); named != want || got.IssuedBefore.IsZero() != (said["issued_before"] == "" || said["issued_before"] == "any") {
			t.Errorf("made %+v of %q", got, body)
		}
		for _, need := range needs {
			if said[need] == "" {
				t.Errorf("took %q without %s", body, need)
			}
		}
	})
}

// FuzzRules: the first rule whose path the request's is at or below decides, with the
// path as a server would clean it. What could be read otherwise is nobody's.
func FuzzRules(f *testing.F) {
	for _, target := range []string{"/", "/admin", "/admin/", "/administrator", "/admin/x?y=/public", "/public/../admin", "/public/%2e%2e/admin", "//admin", "/ADMIN", "/%61dmin", "/adm%69n/x", "/public;x", "/admin%2Fx", "/a b", "*", "/public/a%25b", "/a?\x00"} {
		for _, method := range []string{"GET", "POST", "get", "POſT", "\xbb"} {
			f.Add("/admin", "/public", target, method, false)
			f.Add("/", "/Admin", target, method, true)
		}
	}
	proxy, err := findDialect("caddy")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second, target, method string, ignoreCase bool) {
		list := []forwardRule{{Path: filled(first), Methods: []string{"GET"}, Roles: []string{"first"}}, {Path: filled(second), Roles: []string{"second"}}}
		set, err := newRules(list, proxy, ignoreCase, naming{})
		if err != nil {
			return
		}
		var decided []string
		for i := range set.demands {
			set.demands[i] = func(*oidcauth.Claims) error { decided = append(decided, string(list[i].Path)); return nil }
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // which the dialect refuses before
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.RequestURI = method, target
		if err := set.judge("", r, nil); (err == nil) != (len(decided) == 1) || len(decided) > 1 {
			t.Fatalf("decided %q, error %v", decided, err)
		}
		if len(decided) == 0 {
			return
		}
		fold := func(text string) string { return text }
		if ignoreCase {
			fold = foldCase
		}
		at, want := fold(path.Clean(u.Path)), ""
		for _, rule := range slices.Backward(list) {
			if (len(rule.Methods) == 0 || method == "GET") && strings.HasPrefix(strings.TrimSuffix(at, "/")+"/", strings.TrimSuffix(fold(string(rule.Path)), "/")+"/") {
				want = string(rule.Path)
			}
		}
		if decided[0] != want || method != strings.ToUpper(method) {
			t.Errorf("%s %q is decided by %q, want %q", method, target, decided[0], want)
		}
	})
}
