package keyring_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// TestCheckNew_AsOpenOrCreate: it says what OpenOrCreate does of a directory without a ring,
// and leaves the directory as it is.
func TestCheckNew_AsOpenOrCreate(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path string) error{
		"none":              func(string) error { return nil },
		"empty":             func(path string) error { return os.Mkdir(path, 0o700) },
		"open to others":    func(path string) error { return os.Mkdir(path, 0o755) },
		"no directory":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"what a crash left": func(path string) error { return withFile(path, "keyring.tmp-1") },
		"a lock":            func(path string) error { return withFile(path, "keyring.lock") },
		"another's":         func(path string) error { return withFile(path, "notes") },
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadDir(path)
		said := keyring.CheckNew(path)
		if after, _ := os.ReadDir(path); len(after) != len(before) {
			t.Errorf("%s: it made files: %v", name, after)
		}
		if _, err := keyring.OpenOrCreate(t.Context(), path, time.Now()); (err == nil) != (said == nil) {
			t.Errorf("%s: CheckNew says %v, and OpenOrCreate %v", name, said, err)
		}
	}
}

// withFile makes a directory with one file.
func withFile(path, name string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, name), nil, 0o600)
}
