package keyset_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disktest"
)

// What the issuer confirmed later stays in the file, whoever writes last. A file
// that nobody could load does not.
func TestStore_OlderKeysWrittenLast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(file map[string]any)
		want  string // the key in the file, after "a" was written last
	}{
		{"confirmed later by another process", func(file map[string]any) {
			file["confirmed"] = time.Now().Add(30 * time.Second).UTC()
		}, "b"},
		{"confirmed earlier", func(file map[string]any) {
			file["confirmed"] = time.Now().Add(-30 * time.Second).UTC()
		}, "a"},
		{"confirmed in the far future", func(file map[string]any) {
			file["confirmed"] = time.Now().Add(time.Hour).UTC()
		}, "a"},
		{"another version", func(file map[string]any) {
			file["version"], file["confirmed"] = 9, time.Now().Add(30*time.Second).UTC()
		}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			synctest.Test(t, func(t *testing.T) {
				i := newIssuer(key("b", 1))
				cfg := i.config(t)
				cfg.CacheDir = dir
				s := start(t, cfg)
				mustKeys(t, s, "b")
				s.Close()
				file := disktest.Only(t, dir)
				rewrite(t, file, tt.spoil)

				i.publish(key("a", 0))
				cfg.CacheDir = dir
				late := start(t, cfg)
				mustKeys(t, late, "a")
				late.Close()
				body, err := os.ReadFile(file)
				if err != nil || !strings.Contains(string(body), `"kid":"`+tt.want+`"`) {
					t.Errorf("the file is %s, %v, want the key %q", body, err, tt.want)
				}
			})
		})
	}
}

// rewrite changes a file's members.
func rewrite(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	change(members)
	if body, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What processes that were killed have left behind goes, at the next start and at
// the next write. What is not ours stays.
func TestStore_RemovesUnfinishedFiles(t *testing.T) {
	t.Parallel()
	const hash = "0123456789abcdef0123456789abcdef"
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	leave := func(age time.Duration, names ...string) {
		for _, name := range names {
			path := filepath.Join(dir, name)
			write(t, path, "half")
			if err := os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	foreign := []string{".tmp-mine", "notes.txt", "0123.json.tmp-5", hash + ".json.tmp-x"}
	leave(time.Hour, foreign...)
	check := func(when string) {
		t.Helper()
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range all {
			name := file.Name()
			if strings.Contains(name, ".tmp-") && !strings.Contains(strings.Join(foreign, " "), name) {
				t.Errorf("%s: %q is still there", when, name)
			}
		}
		for _, name := range foreign {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%s: %q, which is not ours, is gone", when, name)
			}
		}
	}
	i := newIssuer(key("a", 0))
	cfg := i.config(t)
	cfg.CacheDir = dir
	leave(0, hash+".json.tmp-1")
	leave(time.Hour, ".tmp-123456", hash+".json.tmp-2")
	s := start(t, cfg)
	check("after a start")
	leave(0, hash+".json.tmp-3")
	leave(time.Hour, ".tmp-654321")
	mustKeys(t, s, "a")
	s.Close()
	check("after a write")
}
