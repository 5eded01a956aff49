package interop_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

// file is what every file of vectors has in common. G is a group, which holds a
// key and the tests made with it.
type file[G any] struct {
	NumberOfTests int `json:"numberOfTests"`
	TestGroups    []G `json:"testGroups"`
}

// readFile reads one file of Wycheproof's, and fails when it holds no tests.
func readFile[G any](t *testing.T, name string) []G {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var content file[G]
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatal(err)
	}
	if content.NumberOfTests == 0 || len(content.TestGroups) == 0 {
		t.Fatalf("%s holds no tests", name)
	}
	return content.TestGroups
}

// count is how many vectors of a file were tried and how many skipped. Fixed
// numbers keep a vector from being skipped by accident.
type count struct{ tried, skipped int }

func (c count) check(t *testing.T, want count) {
	t.Helper()
	if c != want {
		t.Errorf("got %d vectors tried and %d skipped, want %d and %d", c.tried, c.skipped, want.tried, want.skipped)
	}
}
