package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServe_Check: --check tells everything at once, and serves nothing.
func TestServe_Check(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		says       []string // none: the file is good
	}{
		{"the minimal sample", string(sampleConfig), nil},
		{"a local issuer that is not there yet", `{"local_issuer": {"dir": "DIR/keys", "audiences": ["a"]}}`, nil},
		{
			"faults of form", `{"adr": "x", "issuers": [{"url": 1}], "token_places": {"ignore_authorization": true}}`,
			[]string{"serve.json: line 1: adr: there is no such member; did you mean addr?", "issuers[0].url: got a number", "token_places: the Authorization header is ignored"},
		},
		{
			"faults of sense", `{"addr": "8080", "max_token_bytes": -1, "resource": "http://db.example.com", "issuers": [
				{"url": "https://a.example", "audiences": ["a"], "algorithms": ["HS256"], "token_types": ["logout+jwt"], "leeway": "6m"},
				{"url": "https://b.example", "audiences": ["b"]},
				{"url": "https://c.example", "audiences": ["c"], "keys": {"ca_file": "DIR/none.pem"}}]}`,
			[]string{`address "8080"`, `issuers[0]: issuer "https://a.example": got algorithm "HS256"`, "logout+jwt", "6m", "max_token_bytes", `issuers[2]: issuer "https://c.example": "keys": `, "resource "},
		},
		{
			"issuers that are wrong together alone", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}, {"url": "https://b.example", "audiences": ["a"], "aliases": ["https://a.example"]}]}`,
			[]string{"https://a.example"},
		},
		{
			"a local issuer of a name that is none", `{"local_issuer": {"dir": "DIR/keys", "url": "our db"}}`,
			[]string{`issuer "our db": contains white space`},
		},
		{
			"a local issuer of another's name", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "local_issuer": {"dir": "DIR/keys", "url": "https://a.example"}}`,
			[]string{"https://a.example"},
		},
		{
			"an admin listener at no port", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "admin": {"addr": "127.0.0.1:99999", "open_metrics": true}, "resource": "http://db.example.com"}`,
			[]string{`admin.addr: address "127.0.0.1:99999"`, "resource "},
		},
		{
			"listeners at an empty port", `{"addr": ":", "issuers": [{"url": "https://a.example", "audiences": ["a"]}], "admin": {"addr": "127.0.0.1:", "open_metrics": true}}`,
			[]string{`address ":": the port is empty`, `admin.addr: address "127.0.0.1:": the port is empty`},
		},
		{"a place that no token can have", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "token_places": {"headers": ["a b"]}}`, []string{"a b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "serve.json")
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(test.file, "DIR", dir)), 0o600); err != nil {
				t.Fatal(err)
			}
			got := invoke(t, "", "serve", "--config", path, "--check")
			if files, _ := os.ReadDir(dir); len(files) != 1 {
				t.Errorf("it made files: %v", files)
			}
			if test.says == nil {
				if got.code != 0 || got.err != "" || !strings.Contains(got.out, "the configuration is good") {
					t.Errorf("got %+v, want exit code 0", got)
				}
				return
			}
			if got.code != 2 || got.out != "" {
				t.Errorf("got %+v, want exit code 2", got)
			}
			for _, want := range test.says {
				if !strings.Contains(got.err, want) {
					t.Errorf("got %s\nwant it to say %q", got.err, want)
				}
			}
			for line := range strings.Lines(got.err) {
				if !strings.HasPrefix(line, "oidcauth serve: ") && !strings.HasPrefix(line, `"oidcauth serve --help"`) {
					t.Errorf("a line of nothing: %s", line)
				}
			}
		})
	}
}

// testCheck: with the flag the command ends, which without it serves.
func testCheck(t *testing.T) {
	args := []string{"--addr", "127.0.0.1:0", "--issuer", "https://a.example", "--audience", "a"}
	if got := invoke(t, "", append([]string{"serve", "--check"}, args...)...); got.code != 0 || strings.Contains(got.out, "listening") {
		t.Errorf("with --check: got %+v", got)
	}
	if got := invoke(t, "", append([]string{"serve", "--check", "--token-type", "logout+jwt"}, args...)...); got.code != 2 {
		t.Errorf("with --check and a type that never authenticates: got %+v", got)
	}
	serve(t, args...)
}

// TestServe_CheckBound: an issuer is blamed for its own mistakes alone, and not for what
// the rest of the file provides.
func TestServe_CheckBound(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "serve.json", `{"dpop": {"public_url": "https://db.example.com"}, "issuers": [
		{"url": "https://a.example", "audiences": ["a"], "bound": "require"},
		{"url": "https://b.example", "audiences": ["b"], "algorithms": ["HS256"]}]}`)
	got := invoke(t, "", "serve", "--config", file, "--check")
	if got.code != 2 || !strings.Contains(got.err, "issuers[1]") || strings.Contains(got.err, "issuers[0]") {
		t.Errorf("got %+v, want what is wrong with the second issuer alone", got)
	}
}
