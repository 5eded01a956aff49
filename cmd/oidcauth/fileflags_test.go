package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

// counterpart is a flag of serve, and what in the file does the same.
type counterpart struct {
	args []string // with the flag
	file string
	why  string // instead of file: why the file has nothing of the kind
}

// fileCounterparts has an entry for every flag of serve.
func fileCounterparts() map[string]counterpart {
	withIssuer := []string{"--issuer", "https://a.example", "--audience", "a"}
	member := func(name, value, member string) counterpart {
		return counterpart{append(withIssuer, name, value),
			`{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], ` + member + `}`, ""}
	}
	return map[string]counterpart{
		"addr":          member("--addr", "127.0.0.1:1", `"addr": "127.0.0.1:1"`),
		"resource":      member("--resource", "https://db.example", `"resource": "https://db.example"`),
		"key-cache-dir": member("--key-cache-dir", "cache", `"key_cache_dir": "cache"`),
		"log-format":    member("--log-format", "json", `"log_format": "json"`),
		"leeway":        member("--leeway", "0s", `"leeway": "0s"`),
		"issuer": {
			[]string{"--issuer", "https://a.example", "--issuer", "https://b.example", "--audience", "a"},
			`{"issuers": [{"url": "https://a.example", "audiences": ["a"]}, {"url": "https://b.example", "audiences": ["a"]}]}`, ""},
		"audience": {
			append(withIssuer, "--audience", "b"),
			`{"issuers": [{"url": "https://a.example", "audiences": ["a", "b"]}]}`, ""},
		"token-type": {append(withIssuer, "--token-type", "at+jwt", "--token-type", "JWT"),
			`{"issuers": [{"url": "https://a.example", "audiences": ["a"], "token_types": ["at+jwt", "JWT"]}]}`, ""},
		"allow-insecure-http": {[]string{"--issuer", "http://127.0.0.1:1", "--audience", "a", "--allow-insecure-http"},
			`{"issuers": [{"url": "http://127.0.0.1:1", "audiences": ["a"], "keys": {"insecure_http": true}}]}`, ""},
		"any-issuer": {[]string{"--any-issuer", "--audience", "a", "--token-type", "at+jwt"},
			`{"any_issuer": {"audiences": ["a"], "token_types": ["at+jwt"]}}`, ""},
		"local-issuer": {[]string{"--local-issuer", "keys", "--audience", "a"},
			`{"local_issuer": {"dir": "keys", "audiences": ["a"]}}`, ""},
		"local-issuer-url": {[]string{"--local-issuer", "keys", "--local-issuer-url", "db"},
			`{"local_issuer": {"dir": "keys", "url": "db"}}`, ""},
		"allow-origin": {[]string{"--local-issuer", "keys", "--allow-origin", "https://a.example", "--allow-origin", "https://b.example"},
			`{"local_issuer": {"dir": "keys", "allow_origins": ["https://a.example", "https://b.example"]}}`, ""},
		"check":  {why: "a file does not ask about itself"},
		"config": {why: "a file names no other file"},
	}
}

// configurationOf returns what serve makes of its arguments.
func configurationOf(t *testing.T, args ...string) fileConfig {
	t.Helper()
	f := new(serveFlags)
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.register(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	_, file, err := f.library()
	if err != nil {
		t.Fatalf("%q: library() error = %v", args, err)
	}
	return file
}

// TestServe_FileCounterparts: whatever can be said by a flag can be said in the
// file, and means the same.
func TestServe_FileCounterparts(t *testing.T) {
	t.Parallel()
	counterparts := fileCounterparts()
	var defined []string
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	new(serveFlags).register(flags)
	flags.VisitAll(func(f *flag.Flag) { defined = append(defined, f.Name) })
	if had := slices.Sorted(maps.Keys(counterparts)); !slices.Equal(had, defined) {
		t.Fatalf("counterparts of %q\nand flags %q", had, defined)
	}
	for name, c := range counterparts {
		t.Run(name, func(t *testing.T) {
			if c.why != "" {
				return
			}
			if !slices.Contains(c.args, "--"+name) {
				t.Fatalf("%q lacks the flag", c.args)
			}
			byFlag := configurationOf(t, c.args...)
			byFile := configurationOf(t, "--config", writeFile(t, "config.json", c.file))
			if !reflect.DeepEqual(byFlag, byFile) {
				t.Errorf("the flags give\n%s\nthe file gives\n%s", asJSON(t, byFlag), asJSON(t, byFile))
			}
		})
	}
}

// TestServe_FlagsOverrideTheFile: a setting of the file gives way to its flag.
func TestServe_FlagsOverrideTheFile(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "config.json", `{
		"issuers": [{"url": "https://a.example", "audiences": ["a"]}],
		"addr": "127.0.0.1:1", "resource": "https://one.example", "key_cache_dir": "one", "log_format": "text", "leeway": "1s",
		"local_issuer": {"dir": "one", "url": "one", "audiences": ["a"], "allow_origins": ["https://one.example"]}
	}`)
	got := configurationOf(t, "--config", file, "--addr", "127.0.0.1:2", "--resource", "https://two.example",
		"--key-cache-dir", "two", "--log-format", "json", "--leeway", "2s", "--local-issuer", "two",
		"--local-issuer-url", "two", "--allow-origin", "https://two.example")
	want := configurationOf(t, "--config", writeFile(t, "config.json", `{
		"issuers": [{"url": "https://a.example", "audiences": ["a"]}],
		"addr": "127.0.0.1:2", "resource": "https://two.example", "key_cache_dir": "two", "log_format": "json", "leeway": "2s",
		"local_issuer": {"dir": "two", "url": "two", "audiences": ["a"], "allow_origins": ["https://two.example"]}
	}`))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", asJSON(t, got), asJSON(t, want))
	}
}

// TestServe_LibraryConfig: what the file says arrives in the library.
func TestServe_LibraryConfig(t *testing.T) {
	t.Parallel()
	var f serveFlags
	f.config = writeFile(t, "config.json", `{
		"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "proxies": ["10.0.0.0/8", "2001:db8::/32"],
		"any_issuer": {"audiences": ["b"], "max_issuers": 7, "deny_prefixes": ["203.0.113.0/24"], "deny_hosts": ["corp.example"]},
		"leeway": "0s", "key_cache_dir": "cache", "max_token_bytes": 100, "cache_bytes": -1
	}`)
	got, _, err := f.library()
	if err != nil {
		t.Fatal(err)
	}
	want := oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://a.example", Audiences: []string{"a"}}},
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		AnyIssuer: &oidcauth.AnyIssuer{
			Audiences: []string{"b"}, MaxIssuers: 7,
			DenyPrefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, DenyHosts: []string{"corp.example"},
		},
		Leeway: -1, KeyCacheDir: "cache", MaxTokenBytes: 100, CacheBytes: -1, KeepWarm: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestFileConfig_Documented: each setting of the file says what it does, those of the
// library's types included.
func TestFileConfig_Documented(t *testing.T) {
	t.Parallel()
	seen := make(map[reflect.Type]bool)
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		for _, m := range fileTable.Of(typ) {
			if m.About == "" {
				t.Errorf("%v: nothing says what %q does: give its field the tag about, or its library's a line in libraryAbout", typ, m.Name)
			}
			if inner := members.Object(m.Type); inner != nil {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[fileConfig]())
	if !seen[reflect.TypeFor[oidcauth.ClaimRule]()] {
		t.Errorf("only %v were looked at", seen)
	}
	for typ, texts := range libraryAbout {
		known := fileTable.Of(typ)
		for name := range texts {
			if !slices.ContainsFunc(known, func(m members.Member) bool { return m.Name == name }) {
				t.Errorf("libraryAbout: %v has no %q", typ, name)
			}
		}
	}
}

func asJSON(t *testing.T, file fileConfig) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	return text.String() + fmt.Sprintf("leeway %v", file.Leeway.config())
}

// TestServe_ExampleFile starts a server with the file of the documentation, in
// a directory of its own.
func TestServe_ExampleFile(t *testing.T) {
	example, err := filepath.Abs(filepath.Join("testdata", "serve.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	s := serve(t, "--config", example)
	var made struct{ Token string }
	s.ask(t, "POST", "/v1/identity", "", &made)
	s.used(made.Token)
	var who struct {
		Issuer   string
		Audience []string
	}
	s.ask(t, "GET", "/v1/whoami", made.Token, &who)
	if want := []string{"my-db", "spacetimedb"}; who.Issuer != "localhost" || !slices.Equal(who.Audience, want) {
		t.Errorf("whoami: %+v, want a token of localhost for %q", who, want)
	}
	for page, want := range map[string]int{"https://app.example.com": 204, "https://other.example.com": 403} {
		if got := s.do(t, "OPTIONS", "/v1/identity/websocket-token", "", "Origin", page); got.status != want {
			t.Errorf("a page of %s: status = %d, want %d", page, got.status, want)
		}
	}
	if r := s.get(t, "/metrics", ""); !strings.Contains(r.body, `issuer="other"`) || !strings.Contains(r.body, `issuer="https://login.example.com"`) {
		t.Errorf("the server does not know the issuers of the file:\n%s", r.body)
	}
	if got := invoke(t, made.Token, "explain", "--config", example); got.code != exitOK {
		t.Errorf("explain with the same file: exit code %d, %s%s", got.code, got.out, got.err)
	}
}
