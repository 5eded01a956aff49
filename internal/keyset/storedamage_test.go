package keyset_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A damage is what may be wrong with a file, and what is then reported.
type damage struct {
	name   string
	damage func(t *testing.T, path string)
	want   string
}

var damages = []damage{
	{"garbage", func(t *testing.T, path string) { write(t, path, "garbage") }, "damaged"},
	{"nothing in it", func(t *testing.T, path string) { write(t, path, "") }, "damaged"},
	{"truncated", func(t *testing.T, path string) {
		if err := os.Truncate(path, 150); err != nil {
			t.Fatal(err)
		}
	}, "damaged"},
	{"too large", func(t *testing.T, path string) { write(t, path, strings.Repeat(" ", 2<<20+1)) }, "larger than"},
	{"another version", edit(`"version":1`, `"version":2`), "version"},
	{"another issuer's", edit(`"issuer":"https://issuer`, `"issuer":"https://rogue`), "issuer"},
	{"another source", edit(`"source":"jwks https://issuer`, `"source":"jwks https://rogue`), "source"},
	{"no keys", edit(`"jwks":{"keys":[{`, `"jwks":{"keys":[],"x":[{`), "no usable key"},
	{"from the future", edit(`"confirmed":"2000`, `"confirmed":"2001`), "future"},
	{"too old", func(t *testing.T, path string) { time.Sleep(24 * time.Hour) }, "too old"},
	{"writable by others", func(t *testing.T, path string) { chmod(t, path, 0o622) }, "writable by others"},
	{"in a directory writable by others", func(t *testing.T, path string) {
		chmod(t, filepath.Dir(path), 0o777)
	}, "writable by others"},
	{"a link", func(t *testing.T, path string) {
		if err := os.Rename(path, path+".real"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path+".real", path); err != nil {
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege on Windows:", err)
			}
			t.Fatal(err)
		}
	}, "not a regular file"},
	{"a directory", func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}, "not a regular file"},
}

func TestStore_Ignored(t *testing.T) {
	t.Parallel()
	for _, row := range damages {
		t.Run(row.name, row.ignored)
	}
	t.Run("another user's", func(t *testing.T) {
		disktest.NeedsRoot(t)
		damage{"", disktest.GiveAway, "another user"}.ignored(t)
	})
}

func (row damage) ignored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.CacheDir = dir
		row.damage(t, stored(t, cfg))
		before := i.count()
		j := &journal{}
		cfg.Hooks = j.hooks()
		s := start(t, cfg)
		synctest.Wait()
		if len(j.told().stores) != 1 || !strings.Contains(j.told().stores[0].Error(), row.want) {
			t.Errorf("StoreFailed was told %v, want %q once", j.told().stores, row.want)
		}
		if s.Report().State != keyset.None {
			t.Error("the file was used")
		}
		mustKeys(t, s, "a")
		wantCount(t, i, before+1)
	})
}

// edit returns a damage that puts to in the place of from.
func edit(from, to string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		body, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(body), from) {
			t.Fatalf("file = %s, %v, want %q in it", body, err, from)
		}
		write(t, path, strings.Replace(string(body), from, to, 1))
	}
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no Unix modes")
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
