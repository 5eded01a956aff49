package revoked

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// TestRead: what a directory keeps is read while somebody has it, and is not changed.
func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "revocations")
	if all, err := Read(path); all != nil || err != nil {
		t.Errorf("no directory: %v, %v", all, err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(filepath.Join(path, tempPrefix+"x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := Revocation{Issuer: "https://issuer.test", Subject: "alice", Until: time.Now().Add(time.Hour)}.Normal()
	content, err := encodeWaiting(want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(content); err != nil {
		t.Fatal(err)
	}
	if all, err := Read(path); err != nil || len(all) != 1 || all[0].Normal() != want {
		t.Errorf("Read() = %v, %v, want %v", all, err, want)
	}
	if _, err := os.Stat(filepath.Join(path, tempPrefix+"x")); err != nil {
		t.Errorf("what somebody is about to write: %v", err)
	}
	name, err := d.Put([]byte("no revocation"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("with something else: error = %v, want one that names %s", err, name)
	}
	if err := os.WriteFile(filepath.Join(path, name), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, errDamaged) {
		t.Errorf("with a damaged file: error = %v, want %v", err, errDamaged)
	}
}
