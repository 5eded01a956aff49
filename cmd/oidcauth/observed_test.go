package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/oidctest"
)

// mustBeExposition reads the text as Prometheus does, and has its linter look at it.
func mustBeExposition(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("not the text format: %v\n%s", err, text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(text) {
		series, _, _ := strings.Cut(line, "} ")
		if !strings.HasPrefix(line, "#") && seen[series] {
			t.Errorf("there twice: %s", line)
		}
		seen[series] = true
	}
	return families
}

// The metrics say what state each issuer's keys are in, how long tokens take, and what
// was built.
func TestObserved(t *testing.T) {
	t.Parallel()
	iss, down := startIssuer(t), startIssuer(t)
	down.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	s := serveFor(t, iss, "--issuer", down.URL())
	good := iss.Token(map[string]any{"aud": "my-db"})
	for range 3 {
		s.get(t, "/v1/whoami", good)
	}
	s.get(t, "/v1/whoami", "")
	fetches := iss.Fetches().JWKS + down.Fetches().JWKS
	text := s.get(t, "/metrics", "").body
	families := mustBeExposition(t, text)
	for _, want := range []string{
		`oidcauth_issuer_keys_state{issuer="` + iss.URL() + `",state="fresh"} 1`,
		`oidcauth_issuer_keys_state{issuer="` + iss.URL() + `",state="stale"} 0`,
		`oidcauth_issuer_keys_state{issuer="` + down.URL() + `",state="fresh"} 0`,
		`oidcauth_issuer_keys{issuer="` + iss.URL() + `",usable="true"} 1`,
		`oidcauth_issuer_keys{issuer="` + iss.URL() + `",usable="false"} 0`,
		`oidcauth_authentication_duration_seconds_count{remembered="true"} 2`,
		`oidcauth_authentication_duration_seconds_count{remembered="false"} 2`,
		`oidcauth_sessions 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
	if confirmed := families["oidcauth_issuer_keys_confirmed_timestamp_seconds"].GetMetric(); len(confirmed) != 1 ||
		time.Since(time.Unix(int64(confirmed[0].GetGauge().GetValue()), 0)) > time.Hour {
		t.Errorf("confirmed: %v, want a time of today for one issuer", confirmed)
	}
	if info := families["oidcauth_build_info"].GetMetric(); len(info) != 1 || len(info[0].GetLabel()) != 3 || info[0].GetGauge().GetValue() != 1 {
		t.Errorf("build: %v", info)
	}
	if again := iss.Fetches().JWKS; again != 1 || strings.Contains(text, "stranger") {
		t.Errorf("%d fetches of %d after the metrics were read", again, fetches)
	}
}

// Sessions, tickets and revocations are counted, by labels that nobody chose.
func TestObserved_Hooks(t *testing.T) {
	t.Parallel()
	var o observed
	h := o.hooks(nil)
	h.SessionStarted(authtrace.Session{Live: 7})
	h.SessionEnded(authtrace.Session{Live: 6, Outcome: "expired"})
	h.Missed(authtrace.Missed{Live: 5})
	h.Revoked(authtrace.Revocation{By: "subject"})
	h.Ticket(t.Context(), authtrace.Decision{Outcome: "ticket_used"})
	h.KeysState(authtrace.KeyState{Issuer: "a", To: authtrace.Gone})
	h.KeysState(authtrace.KeyState{Issuer: "b", To: authtrace.Gone})
	h.KeysState(authtrace.KeyState{Issuer: "b", To: authtrace.Fresh})
	h.KeysState(authtrace.KeyState{To: authtrace.Gone})
	if len(o.gone) != 1 || !o.gone["a"] {
		t.Errorf("gone: %v, want that of a", o.gone)
	}
	for took, bucket := range map[time.Duration]int{0: 0, time.Microsecond: 0, time.Microsecond + 1: 1, time.Second: 6, time.Minute: 8} {
		var d durations
		if d.add(took); d.buckets[bucket].Load() != 1 {
			t.Errorf("%v is not in bucket %d", took, bucket)
		}
	}
	var out strings.Builder
	o.write(&out)
	mustBeExposition(t, out.String())
	for _, want := range []string{
		"oidcauth_sessions 5\n", `oidcauth_sessions_ended_total{outcome="expired"} 1`,
		`oidcauth_tickets_total{outcome="ticket_used"} 1`, `oidcauth_revocations_total{by="subject"} 1`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
}

// An issuer's descriptions may have their keys from several places: those are told of that
// are in the worst state, whichever comes first.
func TestObserved_SeveralPlaces(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	known := fmt.Sprintf(`{"keys": [%s]}`, iss.NewKey(oidctest.KeyConfig{ID: "in the file"}).JWK())
	cfg := oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			{URL: iss.URL(), Name: "one", Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{JWKS: []byte(known)}},
			{URL: iss.URL(), Name: "two", SubjectPrefix: "two:", Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{JWKSURL: iss.JWKSURL()}},
		},
		Client: iss.Client(), KeyCacheDir: filepath.Join(t.TempDir(), "keys"),
	}
	state := func(fetch bool) authtrace.State {
		auth, err := oidcauth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		if fetch {
			if err := auth.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var o observed
		o.watch(auth, func() *live { return newLive(cfg, new(fileConfig)) })
		return o.reports()[iss.URL()].state
	}
	if got := state(true); got != authtrace.Fresh {
		t.Errorf("with all keys: %s, want fresh", got)
	}
	iss.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	for range 2 {
		if got := state(false); got != authtrace.Stale { // out of the directory
			t.Errorf("while one place cannot be reached: %s, want stale", got)
		}
		slices.Reverse(cfg.Issuers)
	}
}

func TestBuildOf(t *testing.T) {
	t.Parallel()
	full := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}}
	for _, tt := range []struct {
		info *debug.BuildInfo
		ok   bool
		want build
	}{
		{full, true, build{"v1.2.3", "abc"}},
		{new(debug.BuildInfo), true, build{"unknown", "unknown"}},
		{full, false, build{"unknown", "unknown"}},
		{nil, true, build{"unknown", "unknown"}},
	} {
		if got := buildOf(tt.info, tt.ok); got != tt.want {
			t.Errorf("buildOf(%v, %t) = %v, want %v", tt.info, tt.ok, got, tt.want)
		}
	}
}

// A request's own text is in no label.
func TestObserved_NoLabelOfCallers(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveFor(t, iss)
	s.get(t, "/v1/whoami?mark=mallory", iss.Token(map[string]any{"aud": "mallory", "iss": "https://mallory.example", "sub": "mallory"}))
	s.do(t, "GET", "/mallory", iss.Token(map[string]any{"aud": "mallory"}), "X-Request-Id", "mallory")
	if text := s.get(t, "/metrics", "").body; regexp.MustCompile("mallory").MatchString(text) {
		t.Errorf("a caller's text in\n%s", text)
	}
}
