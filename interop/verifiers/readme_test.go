package verifiers_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of differences into README.md")

const (
	begin = "<!-- begin -->\n"
	end   = "<!-- end -->\n"
)

// README.md has each difference, and the versions that are installed.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("README.md has no place for the table between %q and %q", begin, end)
	}
	want := before + begin + table() + end + after
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Error("README.md is stale: run go test ./interop/verifiers -run TestReadme -update")
	}
	for name, version := range dependencies(t) {
		if !strings.Contains(before, "| `"+name+"`") || !strings.Contains(before, "| "+version+" |") {
			t.Errorf("README.md does not name %s %s", name, version)
		}
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| verifier | of | a token that is good but for | why |\n|---|---|---|---|\n")
	for _, d := range differences {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", d.verifier, strings.Join(d.presets, "`, `"), d.change, d.why)
	}
	return b.String()
}

// dependencies returns the versions of the verifiers.
func dependencies(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var pkg struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &pkg); err != nil || len(pkg.Dependencies) == 0 {
		t.Fatalf("package.json: %v", err)
	}
	for name := range pkg.Dependencies {
		if !hasVerifier(name) {
			t.Errorf("%s is installed, and no verifier of it runs", name)
		}
	}
	return pkg.Dependencies
}

func hasVerifier(name string) bool {
	for _, v := range verifiers {
		if v.name == name {
			return true
		}
	}
	return false
}
