package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestDocuments: the configurations in the documents are by the schema, and are read.
func TestDocuments(t *testing.T) {
	t.Parallel()
	compiled := schema(t)
	for document, least := range map[string]int{"operate.md": 3, "deploy.md": 1} {
		text, err := os.ReadFile("../../docs/" + document)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("(?s)<!-- file: (\\S+\\.json) -->\n```json\n(.*?)```").FindAllSubmatch(text, -1)
		if len(found) < least {
			t.Errorf("%s: %d configurations, want %d at least", document, len(found), least)
		}
		for _, block := range found {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(block[2]))
			if err != nil {
				t.Fatalf("%s: %s: %v", document, block[1], err)
			}
			if err := compiled.Validate(value); err != nil {
				t.Errorf("%s: %s: %v", document, block[1], err)
			}
			if _, err := parseConfig(block[2]); err != nil {
				t.Errorf("%s: %s: %v", document, block[1], err)
			}
		}
	}
}

// TestDocuments_Metrics: the metrics that operate.md tells to watch are there, with the
// labels that it names.
func TestDocuments_Metrics(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	iss := startIssuer(t)
	s := serve(t, "--config", writeFile(t, "config.json", `{"issuers": [`+described(iss, "")+`]}`))
	if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"})); got.status != 200 {
		t.Fatalf("status %d", got.status)
	}
	metrics := s.get(t, "/metrics", "").body
	for _, name := range regexp.MustCompile("`((go|process)_[a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(metrics, "\n"+name[1]+" ") && (name[2] == "go" || runtime.GOOS == "linux") {
			t.Errorf("%s is no metric", name[1])
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(oidcauth_[a-z_]+)` \\| (.*)$").FindAllStringSubmatch(string(text), -1)
	if len(rows) < 7 {
		t.Errorf("%d metrics, want 7 at least", len(rows))
	}
	for _, row := range rows {
		lines := regexp.MustCompile(`(?m)^`+row[1]+`.*$`).FindAllString(metrics, -1)
		if len(lines) == 0 {
			t.Errorf("%s is no metric", row[1])
		}
		for _, label := range regexp.MustCompile("`([a-z]+=\"[a-z]+\")`").FindAllStringSubmatch(row[2], -1) {
			if !strings.Contains(strings.Join(lines, "\n"), label[1]) {
				t.Errorf("%s has no label %s", row[1], label[1])
			}
		}
	}
}
