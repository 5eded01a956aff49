package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Rules that change are in force from the reload on; what cannot be is not taken over.
func TestServe_ReloadRules(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	config := func(forward string) string {
		return `{"watch": "5ms", "issuers": [` + described(iss, "") + `], "forward_auth": ` + forward + `}`
	}
	file := writeFile(t, "config.json", config(`{"proxy": "nginx"}`))
	s := serve(t, "--config", file)
	expect := func(when string, want int, header string) {
		t.Helper()
		got := s.askAs(t, "nginx", "GET", "/admin", token)
		if _, found := got.header[header]; got.status != want || want == 200 && !found {
			t.Errorf("%s: %+v, want %d and %s", when, got, want, header)
		}
	}
	expect("before", 200, "X-Auth-Identity")
	replaceFile(t, file, config(`{"proxy": "nginx", "rules": [{"path": "/admin", "roles": ["admin"]}, {}]}`))
	s.awaitLines(t, reloaded, 1)
	expect("with rules", 403, "")
	for i, wrong := range []string{
		`{"proxy": "caddy"}`, `{"proxy": "nginx", "rules": [{}, {"roles": ["admin"]}]}`, `{"proxy": "nginx", "preflight": 1}`,
	} {
		replaceFile(t, file, config(wrong))
		s.awaitLines(t, notReloaded, i+1)
		expect("with what cannot be", 403, "")
	}
	replaceFile(t, file, config(`{"proxy": "nginx", "headers": {"identity": "Remote-User"}}`))
	s.awaitLines(t, reloaded, 2)
	expect("without rules", 200, "Remote-User")
}

// While rules change the former count as well as the next, and those that a token was
// looked at under.
func TestForwarding_Change(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}}, Client: iss.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	claims, err := auth.Authenticate(t.Context(), iss.Token(map[string]any{"aud": "my-db"}))
	if err != nil {
		t.Fatal(err)
	}
	open, err := (&forwardConfig{}).forwarder(new(fileConfig), oidcauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := (&forwardConfig{Rules: []forwardRule{{Roles: []string{"admin"}}}}).forwarder(new(fileConfig), oidcauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var f forwarding
	judge := func(before []*forwarder) string {
		if err := f.judge(before, "", httptest.NewRequest("GET", "/", nil), claims); err == nil {
			return "passes"
		} else if !errors.Is(err, oidcauth.ErrForbidden) {
			return err.Error()
		}
		return "refused"
	}
	for _, tt := range []struct {
		former, next          *forwarder
		taken                 bool
		before, during, after string
	}{
		{open, closed, true, "passes", "refused", "refused"},
		{open, closed, false, "passes", "refused", "passes"},
		{closed, open, true, "refused", "refused", "passes"},
		{closed, open, false, "refused", "refused", "refused"},
	} {
		f.put(tt.former)
		before, got := f.now(), fmt.Sprint(judge(f.now()))
		done, err := f.begin(tt.next)
		if err != nil {
			t.Fatal(err)
		}
		got += " " + judge(f.now())
		done(tt.taken)
		got += " " + judge(f.now())
		if want := tt.before + " " + tt.during + " " + tt.after; got != want {
			t.Errorf("before, during and after: %s, want %s", got, want)
		}
		// A token that was looked at before all that.
		if got := judge(before); (tt.former == closed || tt.after == "refused") != (got == "refused") {
			t.Errorf("of a request that began before: %s", got)
		}
	}
	other, err := (&forwardConfig{Proxy: "envoy"}).forwarder(new(fileConfig), oidcauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.begin(other); err == nil {
		t.Error("another proxy was taken over")
	}
}
