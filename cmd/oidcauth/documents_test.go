package main

import (
	"bytes"
	"os"
	"regexp"
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
