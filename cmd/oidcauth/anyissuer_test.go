package main

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// TestServe_AnyIssuer runs the server beside an issuer that it must not contact
// as a stranger's, and has that issuer's tokens refused, in words that say
// nothing, and accepted once it is configured.
func TestServe_AnyIssuer(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	port := strings.TrimPrefix(iss.StartTLS().URL, "https://127.0.0.1:")
	s := serve(t, "--any-issuer", "--audience", "my-db")

	var answers []string
	for _, url := range []string{
		iss.URL(), "https://localhost:" + port, "https://localhost", "http://127.0.0.1:" + port, "https://10.0.0.1",
	} {
		token := iss.Token(map[string]any{"iss": url, "aud": "my-db"})
		r := s.get(t, "/v1/whoami", token)
		if r.status != 401 {
			t.Errorf("%s: got status %d, want 401", url, r.status)
		}
		answers = append(answers, r.header.Get("Www-Authenticate")+r.body)
	}
	for _, answer := range answers {
		if answer != answers[0] {
			t.Errorf("answers differ: %q and %q", answer, answers[0])
		}
	}
	if f := iss.Fetches(); f.Discovery+f.JWKS != 0 {
		t.Errorf("an issuer on loopback was asked: %+v", f)
	}
	if r := s.get(t, "/readyz", ""); r.status != 200 {
		t.Errorf("/readyz: got status %d, want 200", r.status)
	}
	if r := s.get(t, metadataPath, ""); r.status != 200 || strings.Contains(r.body, "authorization_servers") {
		t.Errorf("metadata: got status %d, %s, want no list of issuers", r.status, r.body)
	}
	if r := s.get(t, "/metrics", ""); !regexp.MustCompile(`oidcauth_key_fetches_total\{issuer="other",result="failed"\} [1-9]`).MatchString(r.body) {
		t.Errorf("the fetches of strangers' keys are not counted:\n%s", r.body)
	}
}

// testAnyIssuer shows that the flag, or the file's setting, takes the place of
// issuers, and leaves those alone that are configured.
func testAnyIssuer(t *testing.T, j judge) {
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	j.must(t, mistaken, token, "--audience", "my-db")
	file := writeFile(t, "config.json", `{"any_issuer": {"audiences": ["my-db"]}}`)
	for _, strangers := range [][]string{{"--any-issuer", "--audience", "my-db"}, {"--config", file}} {
		j.must(t, refused, token, strangers...)
		known := append(strangers, "--issuer", iss.URL(), "--allow-insecure-http")
		if strangers[0] == "--config" {
			known = append(known, "--audience", "my-db")
		}
		j.must(t, accepted, token, known...)
	}
	j.must(t, mistaken, token, "--any-issuer")
	j.must(t, mistaken, token, "--config", writeFile(t, "config.json", `{"any_issuer": {"max_issuers": -1, "audiences": ["my-db"]}}`))
}

// TestExplain_AnyIssuer: the report says what the answer of serve keeps back,
// for an issuer that must not be contacted. A configured issuer's report says
// it once.
func TestExplain_AnyIssuer(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	flags := []string{"explain", "--any-issuer", "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http"}
	const inVain = "was asked for its keys, in vain"
	for _, test := range []struct {
		name, issuer string
		says, not    string
	}{
		{"a name of this machine", "https://localhost", inVain, "--issuer, or"},
		{"an address of this machine", "https://127.0.0.1", "public https URL", inVain},
		{"plain http", "http://id.example.com", "public https URL", inVain},
	} {
		token := iss.Token(map[string]any{"iss": test.issuer, "aud": "my-db"})
		for _, format := range []string{"text", "json"} {
			args := flags
			if format == "json" {
				args = append(flags, "--json")
			}
			got := invoke(t, token, args...)
			out := strings.Join(strings.Fields(got.out), " ")
			if got.code != exitFailed || !strings.Contains(out, test.says) || strings.Contains(out, test.not) {
				t.Errorf("%s, as %s: exit code %d, printed %s, want %q and not %q", test.name, format, got.code, got.out, test.says, test.not)
			}
		}
	}
	iss.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	got := invoke(t, iss.Token(map[string]any{"aud": "my-db"}), flags...)
	if got.code != exitFailed || strings.Contains(got.out, "in vain") || !strings.Contains(got.out, "says nothing about the token") {
		t.Errorf("a configured issuer: exit code %d, printed %s", got.code, got.out)
	}
	iss.Clear()
	if got := invoke(t, iss.Token(map[string]any{"aud": "my-db"}), flags...); got.code != exitOK {
		t.Errorf("a configured issuer that answers: exit code %d, printed %s", got.code, got.out)
	}
}

func TestServe_AnyIssuerBesideConfigured(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serve(t, "--any-issuer", "--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	if r := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"})); r.status != 200 {
		t.Errorf("a configured issuer's token: got status %d, want 200: %s", r.status, r.body)
	}
	if r := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "another-db"})); r.status != 401 {
		t.Errorf("a token for somebody else: got status %d, want 401", r.status)
	}
}

func TestServe_AnyIssuerNeedsAudience(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := invoke(t, "", "serve", "--any-issuer", "--addr", ln.Addr().String())
	if r.code != exitUsage || !strings.Contains(r.err, "--audience") {
		t.Errorf("got exit code %d and %q, want %d and a word about --audience", r.code, r.err, exitUsage)
	}
}
