package oidcauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the README and the guide show is the code of examples, which compile and
// run. White space at the beginning of lines does not count.
func TestDocuments(t *testing.T) {
	sources, err := filepath.Glob("*example_test.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("Glob() = %q, %v, want the examples", sources, err)
	}
	var code strings.Builder
	for _, name := range append(sources, "issuers/example_test.go") {
		code.WriteString(trimmed(t, name))
	}
	for name, least := range map[string]int{"README.md": 2, "docs/guide.md": 8} {
		blocks := strings.Split(trimmed(t, name), "\n```go\n")[1:]
		if len(blocks) < least {
			t.Errorf("%s: %d blocks of code, want %d or more", name, len(blocks), least)
		}
		for _, block := range blocks {
			block, _, _ = strings.Cut(block, "```\n")
			if !strings.Contains(code.String(), "\n"+block) {
				t.Errorf("%s: in no example:\n%s", name, block)
			}
		}
	}
}

// trimmed reads a text file and trims each line.
func trimmed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
