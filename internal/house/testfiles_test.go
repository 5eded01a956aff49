package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	longestTestFile = 600 // lines
	filesAtTheTop   = 55  // Go files of the root, tests included
)

// Whoever looks for a test finds it by the name of what it tests: the files are
// few and short, and TestThing_WhatItSays is how a test is called.
func TestTestFiles(t *testing.T) {
	atTheTop, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil || len(atTheTop) == 0 || len(atTheTop) > filesAtTheTop {
		t.Errorf("%d Go files at the top, %v, want at most %d", len(atTheTop), err, filesAtTheTop)
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
