package revoked

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestLook: what Load would refuse is told without taking the directory, and nothing else.
func TestLook(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "revocations")
	if err := Look(path); err != nil {
		t.Errorf("no directory: %v", err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Put([]byte("an entry")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Look(path); err != nil {
		t.Errorf("a directory that somebody has: %v", err)
	}
	if err := os.WriteFile(filepath.Join(path, "keyring.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	looked := Look(path)
	if _, err := d.Load(10); !errors.Is(looked, errForeign) || !errors.Is(err, errForeign) {
		t.Errorf("with the keys of an issuer: Look says %v, and Load %v", looked, err)
	}
}
