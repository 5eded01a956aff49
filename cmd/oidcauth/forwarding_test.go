package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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

// Of a reload that is refused nothing is ever seen, neither headers nor rules: what
// answers proxies is what it was, all the time.
func TestServe_ReloadRefusedUnseen(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	config := func(more string) string {
		return `{"issuers": [` + described(iss, more) + `], "forward_auth": {"proxy": "nginx", "rules": [{}], "headers": {"identity": "Remote-User"}}}`
	}
	file := writeFile(t, "config.json", config(""))
	f := &serveFlags{settings: settings{config: file}}
	cfg, now, err := f.library()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := newServer(cfg, &now, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.auth.Close()
	r := &reloader{flags: f, server: s, file: now}
	before := s.forward.current.Load()
	replaceFile(t, file, config(`, "algorithms": ["HS256"]`))
	if err := r.takeOver(t.Context()); err == nil || !strings.Contains(err.Error(), file+": issuers[0]: issuer") {
		t.Errorf("takeOver() = %v, want a refusal that says where", err)
	}
	if s.forward.current.Load() != before {
		t.Error("what answers proxies was changed, if only for a moment")
	}
	replaceFile(t, file, config(`, "leeway": "10s"`))
	if err := r.takeOver(t.Context()); err != nil {
		t.Error(err)
	}
	if s.forward.current.Load() == before || len(s.forward.now()) != 1 {
		t.Error("what is good was not taken over")
	}
	// The library may still refuse what it took on trial.
	next, err := (&forwardConfig{Proxy: "nginx"}).forwarder(&now, cfg)
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.forward.begin(next)
	if err != nil {
		t.Fatal(err)
	}
	defer done(false)
	question := httptest.NewRequest("GET", forwardPath, nil)
	question.Header = http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {"/"}, "Authorization": {"Bearer " + iss.Token(map[string]any{"aud": "my-db"})}}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, question)
	if h := w.Header(); w.Code != 200 || h.Get("Remote-User") == "" || h.Get("X-Auth-Identity") != "" {
		t.Errorf("meanwhile: status %d, %v, want the headers of the former configuration", w.Code, h)
	}
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
	// A route that the next rules name no longer leads nowhere, whatever else they let pass.
	named, err := (&forwardConfig{Rules: []forwardRule{{Route: "a"}, {}}}).forwarder(new(fileConfig), oidcauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	unnamed, err := (&forwardConfig{Rules: []forwardRule{{}}}).forwarder(new(fileConfig), oidcauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f.put(unnamed)
	if err := f.judge([]*forwarder{named}, "a", httptest.NewRequest("GET", "/", nil), claims); !errors.Is(err, errProxy) {
		t.Errorf("at a route that is gone: %v, want %v", err, errProxy)
	}
	f.put(named)
	if err := f.judge([]*forwarder{named}, "a", httptest.NewRequest("GET", "/", nil), claims); err != nil {
		t.Errorf("at a route that is there: %v", err)
	}
	other, err := (&forwardConfig{Proxy: "envoy"}).forwarder(new(fileConfig), oidcauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.begin(other); err == nil {
		t.Error("another proxy was taken over")
	}
}
