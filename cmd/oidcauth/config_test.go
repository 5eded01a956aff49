package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

func TestParseConfig(t *testing.T) {
	file, err := parseConfig([]byte(`{
		"issuers": [
			{"url": "https://a.example", "audiences": ["x"]},
			{"url": "https://b.example", "audiences": ["y"], "roles": [["realm_access", "roles"]]}
		],
		"leeway": "10s", "addr": "127.0.0.1:1", "resource": "https://db.example",
		"key_cache_dir": "keys", "log_format": "json", "max_token_bytes": 100, "cache_bytes": -1
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Issuers) != 2 || file.Issuers[1].Roles[0].String() != "realm_access/roles" {
		t.Errorf("issuers = %+v", file.Issuers)
	}
	if got := file.Leeway.config(); got != 10*time.Second {
		t.Errorf("leeway = %v, want 10s", got)
	}
	if file.Addr != "127.0.0.1:1" || file.Resource != "https://db.example" || file.KeyCacheDir != "keys" ||
		file.LogFormat != "json" || file.MaxTokenBytes != 100 || file.CacheBytes != -1 {
		t.Errorf("got %+v", file)
	}
}

func TestParseConfig_mistakes(t *testing.T) {
	for _, test := range []struct {
		name, text, says string // says empty: no error
	}{
		{"an empty object", `{}`, ""},
		{"white space around", "\n {} \n", ""},
		{"the same name in two objects", `{"issuers": [{"url": "a"}, {"url": "b"}]}`, ""},
		{"nothing", ``, "does not end"},
		{"a list", `[]`, "want a JSON object"},
		{"null", `null`, "want a JSON object"},
		{"unknown member", `{"isuers": []}`, `unknown field "isuers"`},
		{"unknown member of an issuer", `{"issuers": [{"url": "a", "audience": "x"}]}`, `unknown field "audience"`},
		{"a member twice", `{"issuers": [], "issuers": []}`, `"issuers" comes twice`},
		{"a member twice in another case", `{"leeway": "1s", "Leeway": "5m"}`, `"Leeway" comes twice`},
		{"an issuer's member twice", `{"issuers": [{"audiences": ["a"], "audiences": ["b"]}]}`, `"audiences" comes twice`},
		{"two objects", `{} {}`, "something follows"},
		{"no end", `{"issuers": [`, "does not end"},
		{"not JSON, on line 3", "{\n\"issuers\": [],\n!}", "line 3: "},
		{"wrong type, on line 2", "{\n\"issuers\": \"https://a.example\"\n}", "line 2: "},
		{"leeway as a number", `{"leeway": 30}`, "leeway"},
		{"leeway of no form", `{"leeway": "soon"}`, `leeway "soon": want a duration`},
		{"negative leeway", `{"leeway": "-1s"}`, "0s means none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseConfig([]byte(test.text))
			if test.says == "" {
				if err != nil {
					t.Errorf("parseConfig() error = %v, want none", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("parseConfig() error = %v, want it to say %q", err, test.says)
			}
		})
	}
}

func TestReadConfig_noSuchFile(t *testing.T) {
	_, err := readConfig(t.TempDir() + "/missing.json")
	var usage usageError
	if !errors.As(err, &usage) {
		t.Errorf("readConfig() error = %v, want a usageError", err)
	}
}

func TestCombine(t *testing.T) {
	const file = `{"issuers": [{"url": "https://own.example", "audiences": ["own"], "token_types": ["at+jwt"]},
		{"url": "https://bare.example"}]}`
	parsed, err := parseConfig([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	s := settings{issuers: list{"https://flag.example"}, audiences: list{"a", "b"}, tokenTypes: list{"JWT"}}
	issuers, err := s.combine(parsed.Issuers)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"https://own.example":  "own / at+jwt",
		"https://bare.example": "a,b / JWT",
		"https://flag.example": "a,b / JWT",
	}
	for _, issuer := range issuers {
		got := strings.Join(issuer.Audiences, ",") + " / " + strings.Join(issuer.TokenTypes, ",")
		if got != want[issuer.URL] {
			t.Errorf("%s: got %s, want %s", issuer.URL, got, want[issuer.URL])
		}
	}
	if len(issuers) != len(want) || len(parsed.Issuers[1].Audiences) != 0 {
		t.Errorf("got %d issuers, want %d, and the file's own left alone", len(issuers), len(want))
	}
}

func TestCombine_mistakes(t *testing.T) {
	const own = `{"issuers": [{"url": "https://a.example", "audiences": ["x"], "token_types": ["JWT"]}]}`
	for _, test := range []struct {
		name string
		file string
		settings
		says string // empty: no mistake
	}{
		{"a file alone", own, settings{}, ""},
		{"flags alone", `{}`, settings{issuers: list{"https://b.example"}, audiences: list{"y"}}, ""},
		{"both", own, settings{issuers: list{"https://b.example"}, audiences: list{"y"}}, ""},
		{"any audience", `{"issuers": [{"url": "https://a.example", "insecure_any_audience": true}]}`, settings{}, ""},
		{"no issuer", `{}`, settings{audiences: list{"y"}}, "no issuer"},
		{"no audience", `{}`, settings{issuers: list{"https://b.example"}}, `no audience for issuer "https://b.example"`},
		{"audience that nothing takes", own, settings{audiences: list{"y"}}, "--audience"},
		{"type that nothing takes", own, settings{tokenTypes: list{"JWT"}}, "--token-type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parsed, err := parseConfig([]byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			_, err = test.combine(parsed.Issuers)
			if test.says == "" {
				if err != nil {
					t.Errorf("combine() error = %v, want none", err)
				}
				return
			}
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("combine() error = %v, want a usageError that says %q", err, test.says)
			}
		})
	}
}

// TestCombine_insecureHTTP: the flag must not weaken issuers that use https.
func TestCombine_insecureHTTP(t *testing.T) {
	for _, test := range []struct {
		issuer oidcauth.Issuer
		want   bool
	}{
		{oidcauth.Issuer{URL: "http://127.0.0.1:1"}, true},
		{oidcauth.Issuer{URL: "https://a.example", JWKSURL: "http://127.0.0.1:1/jwks"}, true},
		{oidcauth.Issuer{URL: "https://a.example", DiscoveryURL: "http://127.0.0.1:1/"}, true},
		{oidcauth.Issuer{URL: "https://a.example", JWKSURL: "https://b.example/jwks"}, false},
	} {
		for _, allow := range []bool{true, false} {
			s := settings{audiences: list{"x"}, allowInsecureHTTP: allow}
			issuers, err := s.combine([]oidcauth.Issuer{test.issuer})
			if err != nil {
				t.Fatal(err)
			}
			if want := test.want && allow; issuers[0].InsecureHTTP != want {
				t.Errorf("%+v with the flag %t: InsecureHTTP = %t, want %t", test.issuer, allow, issuers[0].InsecureHTTP, want)
			}
		}
	}
}
