package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A dependency is a row of docs/dependencies.md.
type dependency struct{ module, version, in, licence string }

// licences are told by words that no other of them has, the first that fits.
var licences = []struct{ words, name string }{
	{"Apache License", "Apache-2.0"},
	{"Permission to use, copy, modify", "ISC"},
	{"Permission is hereby granted, free of charge", "MIT"},
	{"Neither the name", "BSD-3-Clause"},
	{"names of", "BSD-3-Clause"},
	{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
}

// Each direct dependency of each module, and of the root every one, stands in the table
// with its version, and with the licence that its own file says.
func TestDependencies(t *testing.T) {
	t.Parallel()
	listed := listedDependencies(t)
	var required []string
	for _, dir := range modules(t) {
		for _, r := range requirements(t, dir) {
			key := r.Path + " " + r.Version + " " + dir
			required = append(required, key)
			if _, ok := listed[key]; !ok {
				t.Errorf("docs/dependencies.md does not have %s %s, which %s requires", r.Path, r.Version, dir)
			}
		}
	}
	if len(required) < 50 {
		t.Errorf("%d dependencies are required: some are not read", len(required))
	}
	for key, d := range listed {
		if !slices.Contains(required, key) {
			t.Errorf("docs/dependencies.md has %s, which is not required any more", key)
		}
		licence, err := licenceOf(d.module, d.version)
		switch {
		case err != nil && d.in == ".":
			t.Errorf("%s: %v: go mod download gets it", d.module, err)
		case err == nil && licence != d.licence:
			t.Errorf("docs/dependencies.md: the licence of %s is %s, want %s", d.module, d.licence, licence)
		}
	}
}

// listedDependencies reads the table, a dependency for each module that has it.
func listedDependencies(t *testing.T) map[string]dependency {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]dependency)
	row := regexp.MustCompile(`(?m)^\| (\S+\.\S+) \| (v\S+) \| ([^|]+) \| (\S+) \| ([^|]+) \|$`)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		for _, in := range strings.Split(m[3], ", ") {
			d := dependency{m[1], m[2], strings.Trim(in, "`"), m[4]}
			listed[d.module+" "+d.version+" "+d.in] = d
		}
	}
	return listed
}

// modules returns the folders of go.work's modules.
func modules(t *testing.T) (dirs []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\.\S*)$`).FindAllStringSubmatch(string(text), -1) {
		dirs = append(dirs, filepath.Clean(m[1]))
	}
	return dirs
}

type requirement struct {
	Path, Version string
	Indirect      bool
}

// requirements returns what a module requires of others: itself and, of the root's,
// on the way.
func requirements(t *testing.T, dir string) (all []requirement) {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = filepath.Join(root, dir)
	text, err := cmd.Output()
	var file struct{ Require []requirement }
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		own := r.Path == modulePath || strings.HasPrefix(r.Path, modulePath+"/")
		if !own && (!r.Indirect || dir == ".") {
			all = append(all, r)
		}
	}
	return all
}

// licenceOf reads the licence of a module in the module cache.
func licenceOf(module, version string) (string, error) {
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return "", err
	}
	escaped := regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(module, func(s string) string { return "!" + strings.ToLower(s) })
	dir := filepath.Join(string(bytes.TrimSpace(cache)), filepath.FromSlash(escaped)+"@"+version)
	files, err := filepath.Glob(filepath.Join(dir, "[LlC][IiO][CcP]*"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("%s %s has no licence in the module cache", module, version)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return "", err
	}
	words := strings.Join(strings.Fields(string(text)), " ")
	for _, l := range licences {
		if strings.Contains(words, l.words) {
			return l.name, nil
		}
	}
	return "", fmt.Errorf("%s: a licence that is not known", files[0])
}
