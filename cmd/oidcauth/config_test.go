package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	file, err := parseConfig([]byte(`{
		"issuers": [
			{"url": "https://a.example", "audiences": ["x"]},
			{"url": "https://b.example", "audiences": ["y"], "roles": [["realm_access", "roles"]]}
		],
		"leeway": "10s", "addr": "127.0.0.1:1", "resource": "https://db.example",
		"key_cache_dir": "keys", "log_format": "json", "max_token_bytes": 100, "cache_bytes": -1, "proxies": ["10.0.0.0/8"]
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
		file.LogFormat != "json" || file.MaxTokenBytes != 100 || file.CacheBytes != -1 || fmt.Sprint(file.Proxies) != "[10.0.0.0/8]" {
		t.Errorf("got %+v", file)
	}
}

func TestParseConfig_Mistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text, says string // says empty: no error
	}{
		{"an empty object", `{}`, ""},
		{"white space around", "\n {} \n", ""},
		{"the same name in two objects", `{"issuers": [{"url": "a"}, {"url": "b"}]}`, ""},
		{"nothing", ``, "does not end"},
		{"a list", `[]`, "want a JSON object"},
		{"null", `null`, "want a JSON object"},
		{"unknown member", `{"isuers": []}`, `line 1: isuers: there is no such member; did you mean issuers?`},
		{"unknown member of an issuer", `{"issuers": [{"url": "a", "audience": "x"}]}`, `issuers[0].audience: there is no such member; did you mean audiences?`},
		{"unknown member of any_issuer", `{"any_issuer": {"audience": "x"}}`, `any_issuer.audience: there is no such member; did you mean audiences?`},
		{"unknown member of local_issuer", `{"local_issuer": {"directory": "keys"}}`, `local_issuer.directory: there is no such member; did you mean dir?`},
		{"a key in the file", `{"local_issuer": {"dir": "keys", "key": "-----BEGIN PRIVATE KEY-----"}}`, `local_issuer.key: there is no such member`},
		{"any_issuer as a flag is", `{"any_issuer": true}`, `any_issuer: got true or false, want an object`},
		{"local_issuer as a flag is", "{\n\"local_issuer\": \"keys\"}", `line 2: local_issuer: got a text, want an object`},
		{"a member of any_issuer twice", `{"any_issuer": {"max_issuers": 1, "max_issuers": 2}}`, `any_issuer.max_issuers: it comes twice`},
		{"a member twice", `{"issuers": [], "issuers": []}`, `issuers: it comes twice`},
		{"a member in another case", `{"leeway": "1s", "Leeway": "5m"}`, `Leeway: there is no such member; did you mean leeway?`},
		{"an issuer's member twice", `{"issuers": [{"audiences": ["a"], "audiences": ["b"]}]}`, `issuers[0].audiences: it comes twice`},
		{"two objects", `{} {}`, "something follows"},
		{"no end", `{"issuers": [`, "does not end"},
		{"no end of an issuer in a list", `{"issuers": [{"url": "a"}`, "does not end"},
		{"no end of a text", `{"addr": "a`, "does not end"},
		{"not JSON, on line 3", "{\n\"issuers\": [],\n!}", "line 3: "},
		{"wrong type, on line 2", "{\n\"issuers\": \"https://a.example\"\n}", `line 2: issuers: got a text, want a list`},
		{"an issuer's list as a text", `{"issuers": [{"audiences": "x"}]}`, `issuers[0].audiences: got a text, want a list`},
		{"a switch of the second issuer as a text", `{"issuers": [{}, {"keys": {"insecure_http": "yes"}}]}`, `issuers[1].keys.insecure_http: got a text, want true or false`},
		{"an issuer as a text", `{"issuers": ["https://a.example"]}`, `got a text, want an object`},
		{"a proxy that is no network", `{"proxies": ["10.0.0.1"]}`, "10.0.0.1"},
		{"a proxy as a number", `{"proxies": [10]}`, `proxies[0]: got a number, want a text`},
		{"a denied network that is none", `{"any_issuer": {"deny_prefixes": ["corp"]}}`, "corp"},
		{"a number as a text", `{"cache_bytes": "1"}`, `cache_bytes: got a text, want a whole number`},
		{"a fraction", `{"max_token_bytes": 1.5}`, `max_token_bytes: got 1.5, want a whole number`},
		{"a rate as a text", `{"any_issuer": {"first_contacts_per_second": "1"}}`, `any_issuer.first_contacts_per_second: got a text, want a number`},
		{"an address as a number", `{"addr": 8080}`, `addr: got a number, want a text`},
		{"a switch as a text", `{"issuers": [{"keys": {"insecure_http": "yes"}}]}`, `want true or false`},
		{"leeway as a number", `{"leeway": 30}`, `leeway: got a number, want a text such as "30s"`},
		{"leeway of no form", `{"leeway": "soon"}`, `leeway: got "soon": want a duration`},
		{"negative leeway", `{"leeway": "-1s"}`, "0s means none"},
		{"a secret in the file", `{"admin": {"secret": "s3cret"}}`, "admin.secret: there is no such member; did you mean secret_file?"},
		{"a log of another form", `{"log_format": "jsn"}`, `log_format: got "jsn", want text, json; did you mean json?`},
		{"null for a setting", `{"tls": null}`, "tls: got null, want an object: leave it out if nothing is meant"},
		{"strangers without types", `{"any_issuer": {"token_types": []}}`, "any_issuer: its \"algorithms\" or \"token_types\" are an empty list"},
		{"strangers without rules", `{"any_issuer": {"claim_rules": []}}`, "any_issuer: its \"claim_rules\" are an empty list"},
		{"null in a list", `{"issuers": [{"audiences": ["a", null]}]}`, "issuers[0].audiences[1]: got null, want a text"},
		{"a setting of keys beside them", `{"issuers": [{"ca_file": "ca"}]}`, "issuers[0].ca_file: there is no such member; did you mean issuers[].keys.ca_file?"},
		{"letters that are none", "{\"addr\": \"\xff\"}", "not UTF-8"},
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

// TestParseConfig_All: a mistake does not hide those behind it.
func TestParseConfig_All(t *testing.T) {
	t.Parallel()
	_, err := parseConfig([]byte(`{
		"adr": "127.0.0.1:1",
		"issuers": [{"url": "https://a.example", "audiences": "x"},
			{"keys": {"jwks_uri": "https://b.example"}, "leeway": "soon"}],
		"cache_bytes": 1, "cache_bytes": 2,
		"log_format": 7
	}`))
	want := `line 2: adr: there is no such member; did you mean addr?
line 3: issuers[0].audiences: got a text, want a list
line 4: issuers[1].keys.jwks_uri: there is no such member; did you mean jwks_url?
line 4: issuers[1].leeway: got "soon": want a duration such as 30s
line 5: cache_bytes: it comes twice in one object
line 6: log_format: got a number, want a text`
	if err == nil || err.Error() != want {
		t.Errorf("parseConfig() error = \n%v\nwant\n%s", err, want)
	}
}

func TestReadConfig_NoSuchFile(t *testing.T) {
	t.Parallel()
	_, err := readConfig(t.TempDir() + "/missing.json")
	var usage usageError
	if !errors.As(err, &usage) {
		t.Errorf("readConfig() error = %v, want a usageError", err)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	file, err := parseConfig([]byte(`{"issuers": [
		{"url": "https://own.example", "audiences": ["own"], "token_types": ["at+jwt"]}, {"url": "https://bare.example"}
	], "any_issuer": {"token_types": ["at+jwt"]}, "local_issuer": {"dir": "keys", "audiences": ["own"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := settings{issuers: list{"https://flag.example"}, audiences: list{"a", "b"}, tokenTypes: list{"JWT"}, anyIssuer: true}
	if err := s.apply(&file); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"any":   strings.Join(file.AnyIssuer.Audiences, ",") + " / " + strings.Join(file.AnyIssuer.TokenTypes, ","),
		"local": strings.Join(file.LocalIssuer.Audiences, ","),
	}
	for _, issuer := range file.Issuers {
		got[issuer.URL] = strings.Join(issuer.Audiences, ",") + " / " + strings.Join(issuer.TokenTypes, ",")
	}
	want := map[string]string{
		"https://own.example":  "own / at+jwt",
		"https://bare.example": "a,b / JWT",
		"https://flag.example": "a,b / JWT",
		"any":                  "a,b / at+jwt",
		"local":                "own",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	file.Issuers[1].Audiences[0], file.AnyIssuer.Audiences[0] = "x", "y"
	if file.Issuers[2].Audiences[0] != "a" || s.audiences[0] != "a" {
		t.Error("the issuers share one list of audiences")
	}
}

func TestApply_Mistakes(t *testing.T) {
	t.Parallel()
	const own = `{"issuers": [{"url": "https://a.example", "audiences": ["x"], "token_types": ["JWT"]}]}`
	const strangers = `{"any_issuer": {"audiences": ["x"], "token_types": ["JWT"]}}`
	const local = `{"local_issuer": {"dir": "keys", "audiences": ["x"]}}`
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
		{"any issuer in the file", strangers, settings{}, ""},
		{"any issuer in the file and as a flag", strangers, settings{anyIssuer: true}, ""},
		{"any issuer as a flag", `{}`, settings{anyIssuer: true, audiences: list{"y"}}, ""},
		{"any issuer with the flag's audience", `{"any_issuer": {}}`, settings{audiences: list{"y"}}, ""},
		{"any issuer and any audience", `{"any_issuer": {"insecure_any_audience": true}}`, settings{}, ""},
		{"audience that nothing takes, any being good", `{"any_issuer": {"insecure_any_audience": true}}`, settings{audiences: list{"y"}}, "--audience"},
		{"any issuer as a flag without audience", `{}`, settings{anyIssuer: true}, "--audience"},
		{"any issuer in the file without audience", `{"any_issuer": {}}`, settings{}, `"any_issuer"`},
		{"audience that any issuer does not take", strangers, settings{audiences: list{"y"}}, "--audience"},
		{"type that any issuer does not take", strangers, settings{tokenTypes: list{"JWT"}}, "--token-type"},
		{"a local issuer in the file", local, settings{}, ""},
		{"a local issuer with the flag's audience", `{"local_issuer": {"dir": "keys"}}`, settings{audiences: list{"y"}}, ""},
		{"a local issuer with the flag's directory", `{"local_issuer": {}}`, settings{local: localFlags{dir: "keys"}}, ""},
		{"a local issuer without a directory", `{"local_issuer": {"url": "x"}}`, settings{}, "no directory"},
		{"audience that the local issuer does not take", local, settings{audiences: list{"y"}}, "--audience"},
		{"type with nothing but a local issuer", local, settings{tokenTypes: list{"JWT"}}, "--token-type"},
		{"a name without a local issuer", own, settings{local: localFlags{url: "x"}}, "no effect without --local-issuer"},
		{"an origin without a local issuer", own, settings{local: localFlags{origins: list{"*"}}}, "no effect without --local-issuer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, err := parseConfig([]byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			err = test.apply(&file)
			if test.says == "" {
				if err != nil {
					t.Errorf("apply() error = %v, want none", err)
				}
				return
			}
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("apply() error = %v, want a usageError that says %q", err, test.says)
			}
		})
	}
}

// TestApply_All: a mistake in the flags does not hide the next.
func TestApply_All(t *testing.T) {
	t.Parallel()
	s := settings{issuers: list{"a", "https://b.example"}, tokenTypes: list{"JWT"}, local: localFlags{url: "x"}}
	err := s.apply(&fileConfig{Issuers: []oidcauth.Issuer{{URL: "https://c.example", TokenTypes: []string{"JWT"}}}})
	for _, want := range []string{`"a": want an issuer's URL`, "no audience for issuer \"https://b.example\"", "no audience for issuer \"https://c.example\"", "no effect without --local-issuer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("apply() error = %v, want it to say %q", err, want)
		}
	}
}

// TestApply_InsecureHTTP: the flag must not weaken issuers that use https.
func TestApply_InsecureHTTP(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		issuer oidcauth.Issuer
		want   bool
	}{
		{oidcauth.Issuer{URL: "http://127.0.0.1:1"}, true},
		{oidcauth.Issuer{URL: "https://a.example", Keys: oidcauth.KeysFrom{JWKSURL: "http://127.0.0.1:1/jwks"}}, true},
		{oidcauth.Issuer{URL: "https://a.example", Keys: oidcauth.KeysFrom{DiscoveryURL: "http://127.0.0.1:1/"}}, true},
		{oidcauth.Issuer{URL: "https://a.example", Keys: oidcauth.KeysFrom{JWKSURL: "https://b.example/jwks"}}, false},
	} {
		for _, allow := range []bool{true, false} {
			s := settings{audiences: list{"x"}, allowInsecureHTTP: allow}
			file := fileConfig{Issuers: []oidcauth.Issuer{test.issuer}}
			if err := s.apply(&file); err != nil {
				t.Fatal(err)
			}
			if want := test.want && allow; file.Issuers[0].Keys.InsecureHTTP != want {
				t.Errorf("%+v with the flag %t: InsecureHTTP = %t, want %t", test.issuer, allow, file.Issuers[0].Keys.InsecureHTTP, want)
			}
		}
	}
}

// FuzzParseConfig: whatever a file holds, it is refused or read as encoding/json reads
// it, and what is read goes on to be used or refused.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`, string(sampleConfig), `{"issuers": [null]}`, `{"admin": {"bearer": {}}, "revocations": {"nats": {"servers": [""]}}}`,
		`{"issuers": [{"url": "https://a.example", "audiences": ["a"], "http_proxy": "http://p"}], "forward_auth": {"proxy": "nginx", "rules": [{"path": "/"}]}}`,
		`{"local_issuer": {"dir": "x", "token_lifetime": "1h"}, "tls": {"cert_file": "$CREDENTIALS_DIRECTORY/x", "key_file": ""}}`,
		`{"token_places": {"headers": ["\u0000"], "cookie": {"name": "", "origins": [""]}}, "ready_issuers": ["x"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseConfig(data)
		if err != nil {
			return
		}
		var read, other fileConfig
		if err := json.Unmarshal(data, &other); err != nil || fileTable.Read(data, &read) != nil || !reflect.DeepEqual(read, other) {
			t.Errorf("read %+v, and encoding/json %+v, %v, from %s", read, other, err, data)
		}
		if new(settings).apply(&file) != nil {
			return
		}
		cfg := oidcauth.Config{Issuers: file.Issuers, Extract: file.TokenPlaces.extractor()}
		_, _ = file.Forward.forwarder(&file, cfg)
		_ = newLive(cfg, &file).ready(nil)
		_ = file.Admin != nil && file.Admin.isLocal()
	})
}
