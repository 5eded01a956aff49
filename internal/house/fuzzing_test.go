package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/fuzzing.md has a row for each fuzz target of all modules and for nothing else,
// each with what it is held against and with how much was run.
func TestFuzzing(t *testing.T) {
	t.Chdir(root)
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)
	targets := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			targets[filepath.ToSlash(filepath.Dir(path))+" "+m[1]] = true
		}
		return err
	})
	if err != nil || len(targets) < 50 {
		t.Fatalf("found %d targets, %v", len(targets), err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\S+) (Fuzz\\w+)` \\| ([^|]+) \\| ([^|]+) \\| ([0-9,]+) \\| ([0-9.]+) \\| ([^|]+) \\|$")
	rows := row.FindAllStringSubmatch(trimmed(t, "docs/fuzzing.md"), -1)
	for _, m := range rows {
		name := m[1] + " " + m[2]
		if !targets[name] {
			t.Errorf("docs/fuzzing.md: %s is no target, or comes twice", name)
		}
		delete(targets, name)
	}
	for name := range targets {
		t.Errorf("docs/fuzzing.md: want a row for %s: what it reads, what it is held against, inputs, minutes, what was found", name)
	}
}
