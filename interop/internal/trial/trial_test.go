package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seeAll has a trial see something in every column but those left out.
func seeAll(t *testing.T, tr *Trial, fact string, except ...string) {
	t.Helper()
	t.Run("sees", func(t *testing.T) {
		for _, column := range Columns {
			if len(except) == 0 || column != except[0] {
				tr.Saw(t, column, fact)
			}
		}
	})
}

func TestTrial_Record(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(RecordVariable, "yes")
	for _, row := range []struct {
		name, except string
		code, want   int
	}{
		{"whole", "", 0, 0},
		{"a column that no test saw", Logout, 0, 1},
		{"a test failed", "", 2, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			tr := in(dir, row.name, "Example", "1.0")
			seeAll(t, tr, "fine", row.except)
			if got := tr.Done(row.code); got != row.want {
				t.Errorf("Done(%d) = %d, want %d", row.code, got, row.want)
			}
			_, err := os.Stat(filepath.Join(dir, row.name+".json"))
			if written := err == nil; written != (row.want == 0) {
				t.Errorf("the row is written: %v", written)
			}
		})
	}
	table, err := Table(dir)
	if err != nil || !strings.Contains(table, "| Example | 1.0 | fine |") || strings.Count(table, "\n") != 3 {
		t.Errorf("Table() = %q, %v, want one row", table, err)
	}
}

func TestTrial_Compare(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(RecordVariable, "yes")
	tr := in(dir, "example", "Example", "1.0")
	seeAll(t, tr, "fine")
	if code := tr.Done(0); code != 0 {
		t.Fatalf("Done() = %d", code)
	}
	t.Setenv(RecordVariable, "")
	for _, row := range []struct {
		name, file, version, fact, except string
		want                              int
	}{
		{"the same", "example", "1.0", "fine", "", 0},
		{"a part of it", "example", "1.0", "fine", Logout, 0},
		{"something else", "example", "1.0", "other", "", 1},
		{"something else of another version", "example", "1.1", "other", "", 0},
		{"never recorded", "stranger", "1.0", "fine", "", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			tr := in(dir, row.file, "Example", row.version)
			seeAll(t, tr, row.fact, row.except)
			if got := tr.Done(0); got != row.want {
				t.Errorf("Done() = %d, want %d", got, row.want)
			}
		})
	}
	if code := in(dir, "stranger", "Example", "1").Done(0); code != 0 {
		t.Errorf("Done() = %d where no test ran, want 0", code)
	}
}

// What two tests see differently is no fact.
func TestTrial_Contradiction(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(RecordVariable, "yes")
	tr := in(dir, "example", "Example", "1.0")
	seeAll(t, tr, "fine")
	seeAll(t, tr, "other", Logout)
	if tr.Done(0) == 0 {
		t.Error("two facts in one column are recorded")
	}
}
