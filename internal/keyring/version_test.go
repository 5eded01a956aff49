package keyring_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A file of version 1 is read as it is, and is one of version 2 with an ID of
// its own after the next change. Its keys are the same.
func TestOpen_FormerVersion(t *testing.T) {
	t.Parallel()
	former, err := os.ReadFile("testdata/version1.json")
	must(t, err)
	path := t.TempDir()
	must(t, os.Chmod(path, 0o700))
	file := filepath.Join(path, "keyring.json")
	must(t, os.WriteFile(file, former, 0o600))
	dir := open(t, path)
	before := load(t, path)
	if len(before.Keys) != 3 || before.ID != "" || before.Issuer != "localhost" || before.Active().Private == nil {
		t.Fatalf("read %d keys of issuer %q with ID %q", len(before.Keys), before.Issuer, before.ID)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, former) {
		t.Errorf("reading has changed the file: %v", err)
	}
	if secret, err := before.Active().TicketSecret(); err != nil || len(secret) != 32 {
		t.Errorf("TicketSecret() = %d bytes, %v, want 32", len(secret), err)
	}
	after, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) { return r, true, nil })
	must(t, err)
	again := load(t, path)
	if after.ID == "" || again.ID != after.ID || !again.Follows(before) || again.Generation != before.Generation+1 {
		t.Errorf("after a change: ID %q, then %q, generation %d, want one ID and generation %d", after.ID, again.ID, again.Generation, before.Generation+1)
	}
	for i, k := range again.Keys {
		if k.ID != before.Keys[i].ID || k.State != before.Keys[i].State {
			t.Errorf("key %d is %s %q, want %s %q", i, k.State, k.ID, before.Keys[i].State, before.Keys[i].ID)
		}
	}
}

// TestOpen_NewerVersion: after a step back to an older program the error says so, and not
// that the file is damaged, which would have somebody throw good keys away.
func TestOpen_NewerVersion(t *testing.T) {
	t.Parallel()
	former, err := os.ReadFile("testdata/version1.json")
	must(t, err)
	for _, more := range []string{"", `"epoch": 7, `, `"keys": {"all": []}, `} {
		path := t.TempDir()
		must(t, os.Chmod(path, 0o700))
		newer := bytes.Replace(former, []byte(`"version": 1,`), []byte(`"version": 3, `+more), 1)
		must(t, os.WriteFile(filepath.Join(path, "keyring.json"), newer, 0o600))
		_, err := keyring.Open(path)
		if err == nil || !strings.Contains(err.Error(), "version: got 3, want 1 or 2") || strings.Contains(err.Error(), "damaged") {
			t.Errorf("with %q: error = %v, want one about the version", more, err)
		}
	}
}
