package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema returns the schema that the command prints, compiled.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	got := invoke(t, "", "config", "schema")
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(got.out)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("oidcauth.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("oidcauth.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestConfig_Schema: what the schema refuses the command refuses, and what it accepts
// the command reads.
func TestConfig_Schema(t *testing.T) {
	t.Parallel()
	compiled := schema(t)
	for _, test := range []struct {
		name, text string
		good       bool
	}{
		{"nothing", `{}`, true},
		{"an issuer", `{"$schema": "s.json", "issuers": [{"url": "https://a.example", "audiences": ["a"], "leeway": "10s", "keys": {"insecure_http": true}}]}`, true},
		{"rules in rules", `{"issuers": [{"claim_rules": [{"claim": ["a"], "in": ["b"], "or": [{"claim": ["c"], "present": true}]}]}]}`, true},
		{"a key set", `{"issuers": [{"keys": {"jwks": {"keys": []}}}]}`, true},
		{"strangers", `{"any_issuer": {"first_contacts_per_second": 0.5, "deny_prefixes": ["10.0.0.0/8"]}}`, true},
		{"unknown", `{"isuers": []}`, false},
		{"unknown in an issuer", `{"issuers": [{"audience": "x"}]}`, false},
		{"unknown in a rule in a rule", `{"issuers": [{"claim_rules": [{"claim": ["a"], "or": [{"clam": ["c"]}]}]}]}`, false},
		{"a text for a list", `{"issuers": [{"audiences": "x"}]}`, false},
		{"a fraction", `{"max_token_bytes": 1.5}`, false},
		{"a leeway in numbers", `{"leeway": 30}`, false},
		{"a leeway of words", `{"leeway": "soon"}`, false},
		{"a log of another form", `{"log_format": "xml"}`, false},
		{"null in a list", `{"issuers": [null]}`, false},
	} {
		var value any
		decoder := json.NewDecoder(bytes.NewReader([]byte(test.text)))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(value); (err == nil) != test.good {
			t.Errorf("%s: Validate() error = %v, want one: %t", test.name, err, !test.good)
		}
		if _, err := parseConfig([]byte(test.text)); (err == nil) != test.good {
			t.Errorf("%s: parseConfig() error = %v, want one: %t", test.name, err, !test.good)
		}
	}
}

// TestConfig_Samples: the samples are by the schema, and what the command prints is
// the minimal one.
func TestConfig_Samples(t *testing.T) {
	t.Parallel()
	compiled := schema(t)
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) < 2 {
		t.Fatalf("found %q, %v", names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	sample := invoke(t, "", "config", "sample")
	file, err := parseConfig([]byte(sample.out))
	if err != nil || len(file.Issuers) != 1 || file.AnyIssuer != nil || file.LocalIssuer != nil {
		t.Errorf("the sample is %+v, %v: want one issuer and neither strangers' nor a local one", file, err)
	}
}

func TestConfig_Operands(t *testing.T) {
	t.Parallel()
	for _, operands := range [][]string{{}, {"samples"}, {"sample", "schema"}} {
		if got := invoke(t, "", append([]string{"config"}, operands...)...); got.code != 2 || got.out != "" {
			t.Errorf("%q: got %+v, want exit code 2", operands, got)
		}
	}
}
