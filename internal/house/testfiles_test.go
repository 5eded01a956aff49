package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const longestTestFile = 600 // lines

// besides are the test files of the root that are named after no file of it.
var besides = []string{"bench", "example", "export", "fuzz", "helpers", "hostile", "storm"}

// Whoever looks for a test finds it by the name of what it tests: a test file at the
// top is named after the file that it tests, none is long, and TestThing_WhatItSays
// is how a test is called.
func TestTestFiles(t *testing.T) {
	atTheTop, err := filepath.Glob(filepath.Join(root, "*_test.go"))
	if err != nil || len(atTheTop) == 0 {
		t.Fatalf("Glob() = %q, %v, want the tests of the root", atTheTop, err)
	}
	for _, path := range atTheTop {
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), "_test.go"), "_")
		if _, err := os.Stat(filepath.Join(root, name+".go")); err != nil && !slices.Contains(besides, name) {
			t.Errorf("%s is named after no file: put its tests into FILE_test.go or FILE_TOPIC_test.go, where FILE.go is what they test", path)
		}
	}
	misnamed := regexp.MustCompile(`(?m)^func (?:Test|Fuzz|Benchmark)(?:[a-z]\w*|\w*_[a-z]\w*)\(`)
	files := 0
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if lines := bytes.Count(text, []byte("\n")); lines > longestTestFile {
			t.Errorf("%s has %d lines, want at most %d", path, lines, longestTestFile)
		}
		for _, name := range misnamed.FindAll(text, -1) {
			t.Errorf("%s: %s: want a capital letter", path, name)
		}
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("%d files with tests, %v", files, err)
	}
}
