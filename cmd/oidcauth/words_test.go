package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestInOwnWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"nothing to say", "nothing to say"},
		{`issuer "https://i.test": Audiences is empty: name this server, or set InsecureAnyAudience`,
			`issuer "https://i.test": "audiences" is empty: name this server, or set "insecure_any_audience"`},
		{"plain http: use https, or set InsecureHTTP, or InsecureHTTPHosts", `plain http: use https, or set "insecure_http" of "keys", or "insecure_http_hosts" of "keys"`},
		{"set Issuer.Keys.JWKSURL, or JWKSURL", `set "jwks_url", or "jwks_url"`},
		{"Issuer.TokenTypes lists the kinds", `"token_types" lists the kinds`},
		{"URL: that is no address", `"url": that is no address`},
		{"line 1: issuers[0].URL: there is no such member; did you mean url?", "line 1: issuers[0].URL: there is no such member; did you mean url?"},
		{"Config.Leeway: got 1h0m0s", `--leeway, or "leeway" in the file: got 1h0m0s`},
		{"not a URL", "not a URL"},
		{"The key is good", "The key is good"},
		{"Config.Issuers is empty", `--issuer, or "issuers" in the file, is empty`},
		{"want an Origin of Config.Origins, where", `want an Origin of --allow-origin, or "allow_origins" of "local_issuer" in the file, where`},
		{`line 1: proxies[0]: netip.ParsePrefix("x"): no '/'`, `line 1: proxies[0]: got "x", want addresses such as "10.0.0.0/8"`},
		{"claim rule a: got 0 demands, want one of In, All, NotIn, Prefix, Suffix, Present and Absent",
			`claim rule a: got 0 demands, want one of "in", "all", "not_in", "prefix", "suffix", "present" and "absent"`},
		{"a bearer token: Config.DPoP is not set", `a bearer token: "dpop" in the file is not set`},
		{`is that a place of Config.Extract, or of "token_places" in the command's file?`, `is that a place of "token_places" in the file?`},
		{"whom Issuer.Supplement asks", "whom Issuer.Supplement asks"},
		{"by which Config.MaxTokenLifetime is checked", `by which "max_token_lifetime" in the file is checked`},
		{`got "Config.Origins" and "a \" TokenTypes"`, `got "Config.Origins" and "a \" TokenTypes"`},
		{`mapper "Subject (sub)", or name another claim in Issuer.Subject`, `mapper "Subject (sub)", or name another claim in "subject"`},
	} {
		if got := inOwnWords(tt.in); got != tt.want {
			t.Errorf("inOwnWords(%s)\n= %s, want\n  %s", tt.in, got, tt.want)
		}
	}
}

// Whoever runs the command is told of its flags and its file, and not of a program's
// fields.
func TestOwnWords_Errors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"http", []string{"--config", writeFile(t, "config.json", `{"issuers": [{"url": "http://id.example.com", "audiences": ["a"]}]}`)}, `"insecure_http_hosts"`},
		{"a proxy that is none", []string{"--config", writeFile(t, "config.json", `{"proxies": ["x"]}`)}, `want addresses such as "10.0.0.0/8"`},
		{"no demand", []string{"--config", writeFile(t, "config.json", `{"issuers": [{"url": "https://id.example.com", "audiences": ["a"], "claim_rules": [{"claim": ["a"]}]}]}`)}, `"not_in"`},
		{"http by a flag", []string{"--issuer", "http://id.example.com", "--audience", "a"}, "--allow-insecure-http"},
		{"no audience", []string{"--config", writeFile(t, "config.json", `{"issuers": [{"url": "https://id.example.com"}]}`)}, `"audiences"`},
		{"a file for a directory", []string{"--config", writeFile(t, "config.json", `{"revocations": {"dir": "words_test.go"}, "issuers": [{"url": "https://id.example.com", "audiences": ["a"]}]}`)}, `revocations.dir: `},
		{"a discovery document", []string{"--issuer", "https://id.example.com/.well-known/openid-configuration", "--audience", "a"}, `write "https://id.example.com"`},
	} {
		got := invoke(t, "", append([]string{"serve"}, tt.args...)...)
		if got.code != exitUsage || !strings.Contains(got.err, tt.want) || strings.Contains(got.err, "InsecureHTTPHosts") {
			t.Errorf("%s: exit code %d, error %s, want %q in it", tt.name, got.code, got.err, tt.want)
		}
	}
}

// The log of the server speaks of its settings, too.
func TestOwnWords_Log(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	dir := filepath.Join(t.TempDir(), "keys")
	s := serveFor(t, iss, "--local-issuer", dir)
	s.get(t, "/v1/whoami?access_token="+iss.Token(map[string]any{"aud": "my-db"}), "")
	s.do(t, "POST", "/v1/identity", "", "Origin", "https://page.example.com")
	s.stop()
	s.ended(t)
	log := s.err.String()
	for _, want := range []string{"allow_origins", "token_places", "path=/v1/whoami ", "path=/v1/identity", "method=GET", "client=127.0.0.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
	if strings.Contains(log, "the command's file") || strings.Contains(log, "Config.") || strings.Contains(log, "access_token=") {
		t.Errorf("a program's words, or the query, in the log:\n%s", log)
	}
}
