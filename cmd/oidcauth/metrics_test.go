package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	iss, down := startIssuer(t), startIssuer(t)
	down.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	s := serveFor(t, iss, "--issuer", down.URL())
	good := iss.Token(map[string]any{"aud": "my-db"})
	for range 3 {
		s.get(t, "/v1/whoami", good)
	}
	s.get(t, "/v1/forward-auth", good)
	s.get(t, "/v1/whoami", "")
	s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "shop"}))
	s.get(t, "/v1/whoami", down.Token(map[string]any{"aud": "my-db"}))
	s.do(t, "POST", "/v1/whoami", "")
	s.get(t, "/nothing/here", "")
	// A caller is answered before the fetch they waited for is counted.
	failed := regexp.MustCompile(`key_fetches_total\{issuer="` + regexp.QuoteMeta(down.URL()) + `",result="failed"\} [1-9]`)
	got := s.get(t, "/metrics", "")
	for deadline := time.Now().Add(patience); !failed.MatchString(got.body); got = s.get(t, "/metrics", "") {
		if time.Now().After(deadline) {
			t.Fatal("the failed fetch is not counted")
		}
		time.Sleep(time.Millisecond)
	}
	if want := "text/plain; version=0.0.4; charset=utf-8"; got.header.Get("Content-Type") != want {
		t.Errorf("Content-Type = %q, want %q", got.header.Get("Content-Type"), want)
	}
	for _, want := range []string{
		`oidcauth_http_requests_total{route="/v1/whoami",status="200"} 3`,
		`oidcauth_http_requests_total{route="/v1/whoami",status="401"} 2`,
		`oidcauth_http_requests_total{route="/v1/whoami",status="503"} 1`,
		`oidcauth_http_requests_total{route="/v1/forward-auth",status="200"} 1`,
		`oidcauth_http_requests_total{route="other",status="404"} 1`,
		`oidcauth_http_requests_total{route="other",status="405"} 1`,
		`oidcauth_authentications_total{outcome="accepted"} 4`,
		`oidcauth_authentications_total{outcome="no_token"} 1`,
		`oidcauth_authentications_total{outcome="audience"} 1`,
		`oidcauth_authentications_total{outcome="keys_unavailable"} 1`,
		`oidcauth_authentications_total{outcome="expired"} 0`,
		`oidcauth_key_fetches_total{issuer="` + iss.URL() + `",result="ok"} 1`,
		`oidcauth_key_fetches_total{issuer="` + iss.URL() + `",result="failed"} 0`,
		`oidcauth_key_fetches_total{issuer="` + down.URL() + `",result="ok"} 0`,
	} {
		if !strings.Contains(got.body, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if t.Failed() {
		t.Log(got.body)
	}
	mustBeExposition(t, got.body)
}

// TestMetrics_Strangers: fetches of strangers' keys are counted together, under
// no name that a stranger chose.
func TestMetrics_Strangers(t *testing.T) {
	t.Parallel()
	m := newMetrics([]string{"https://a.example", otherLabel})
	m.countFetch(authtrace.KeyFetch{Issuer: "https://stranger.example"})
	m.countFetch(authtrace.KeyFetch{Issuer: "https://another.example"})
	var out strings.Builder
	m.write(&out)
	if text := out.String(); !strings.Contains(text, `{issuer="other",result="ok"} 2`) || strings.Contains(text, "stranger") ||
		!strings.Contains(text, `{issuer="https://a.example",result="ok"} 0`) {
		t.Errorf("got\n%s", text)
	}
}

func TestMetrics_Labels(t *testing.T) {
	t.Parallel()
	m := newMetrics([]string{"https://a.example/\"\\\n\xff"})
	m.countFetch(authtrace.KeyFetch{Issuer: "https://a.example/\"\\\n\xff", NotModified: true})
	m.countFetch(authtrace.KeyFetch{Issuer: "https://stranger.example"})
	var out strings.Builder
	m.write(&out)
	mustBeExposition(t, out.String())
	if want := `{issuer="https://a.example/\"\\\n` + "\uFFFD" + `",result="not_modified"} 1`; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%s", want, out.String())
	}
	if strings.Contains(out.String(), "stranger") {
		t.Error("an issuer that is not configured got a label")
	}
}

func TestMetrics_Outcomes(t *testing.T) {
	t.Parallel()
	for _, outcome := range outcomes {
		m := newMetrics(nil)
		err := outcome.err
		switch outcome.label {
		case "accepted":
		case otherLabel:
			err = errors.New("something else")
		default:
			err = &oidcauth.Refusal{Err: fmt.Errorf("%w: cause", err)}
		}
		m.countOutcome(err)
		var out strings.Builder
		m.write(&out)
		if want := `{outcome="` + outcome.label + `"} 1`; strings.Count(out.String(), "_total{") != len(outcomes) || strings.Count(out.String(), "} 1\n") != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("no %s, or more than that, in\n%s", want, out.String())
		}
	}
}

// What the library calls an outcome is counted under that name.
func TestMetrics_OutcomesOfTheLibrary(t *testing.T) {
	t.Parallel()
	for name, sentinel := range authtest.Sentinels {
		want := refusal.Outcome(sentinel)
		if want == "identity_mismatch" { // which only the token of a renewal is
			continue
		}
		if !slices.ContainsFunc(outcomes[:], func(o outcome) bool { return o.label == want && o.err == sentinel }) {
			t.Errorf("%s is counted as %q, want %q", name, otherLabel, want)
		}
	}
}

// A request that a rule refuses was not accepted.
func TestMetrics_ForwardRules(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveForward(t, iss, `{"proxy": "nginx", "preflight": true, "rules": [{"path": "/admin", "roles": ["admin"]}, {}]}`)
	token := iss.Token(map[string]any{"aud": "my-db"})
	s.askAs(t, "nginx", "GET", "/items", token)
	s.askAs(t, "nginx", "GET", "/admin", token)
	s.askAs(t, "nginx", "GET", "/admin", token)
	s.askAs(t, "nginx", "OPTIONS", "/admin", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "PUT")
	body := s.get(t, "/metrics", "").body
	for _, want := range []string{`{outcome="accepted"} 1`, `{outcome="forbidden"} 2`, `{outcome="no_token"} 0`} {
		if !strings.Contains(body, "oidcauth_authentications_total"+want+"\n") {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}
