package oidcauth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
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

// Every sentinel is answered with the status that its comment promises.
func TestDocuments_StatusInComments(t *testing.T) {
	source := strings.ReplaceAll(trimmed(t, "errors.go"), "\n//", "")
	found := regexp.MustCompile(`(Err\w+) says .* HTTP status (\d+)\.\n`).FindAllStringSubmatch(source, -1)
	if len(found) != len(sentinels) {
		t.Errorf("%d comments with a status, want %d", len(found), len(sentinels))
	}
	for _, f := range found {
		sentinel := sentinels[f[1]]
		if status, _, _ := oidcauth.Answer(sentinel); sentinel == nil || strconv.Itoa(status) != f[2] {
			t.Errorf("%s is answered with %d, documented with %s", f[1], status, f[2])
		}
	}
}

// The README's table of checks has every sentinel, ErrClosed aside, in a row with
// the statuses of those that it names.
func TestDocuments_StatusInTable(t *testing.T) {
	named := map[string]bool{"ErrClosed": true}
	for line := range strings.Lines(trimmed(t, "README.md")) {
		names := regexp.MustCompile(`Err\w+`).FindAllString(line, -1)
		cells := strings.Split(line, "|")
		if len(names) == 0 || len(cells) != 6 {
			continue
		}
		var want []string
		for _, name := range names {
			named[name] = true
			status, _, _ := oidcauth.Answer(sentinels[name])
			if text := strconv.Itoa(status); !slices.Contains(want, text) {
				want = append(want, text)
			}
		}
		if got := strings.TrimSpace(cells[4]); got != strings.Join(want, ", ") {
			t.Errorf("%s: got %s, want %s", names, got, strings.Join(want, ", "))
		}
	}
	for name := range sentinels {
		if !named[name] {
			t.Errorf("%s is in no row", name)
		}
	}
}

// What the documents point to in the repository is there.
func TestDocuments_Links(t *testing.T) {
	documents, err := filepath.Glob("docs/*.md")
	if err != nil || len(documents) == 0 {
		t.Fatalf("Glob() = %q, %v, want the documents", documents, err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)[^):]*\)`) // with a colon it leads elsewhere
	for _, name := range append(documents, "README.md", "examples/README.md") {
		for _, to := range link.FindAllStringSubmatch(trimmed(t, name), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), to[1])); err != nil {
				t.Errorf("%s: %v", name, err)
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
