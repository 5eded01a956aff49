package keyset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A directory that turns bad while keys are served is not written to, which is reported
// once each time, leaves nothing behind, and harms no key. Once it is mended the next
// keys are written.
func TestStore_TurnsBad(t *testing.T) {
	t.Parallel()
	for _, tt := range append(disktest.Damages, disktest.Damage{
		Name: "a directory in the file's place, so that it cannot be replaced", Want: "rename",
		Spoil: func(t *testing.T, dir string) {
			file := disktest.Only(t, dir)
			do(t, os.Remove(file))
			do(t, os.MkdirAll(filepath.Join(file, "full"), 0o700))
		},
		Mend: func(t *testing.T, dir string) { do(t, os.RemoveAll(disktest.Only(t, dir))) },
	}) {
		t.Run(tt.Name, func(t *testing.T) {
			if tt.Root {
				disktest.NeedsRoot(t)
			}
			dir := filepath.Join(t.TempDir(), "keys")
			synctest.Test(t, func(t *testing.T) {
				i := newIssuer(key("a", 0))
				cfg := i.config(t)
				cfg.CacheDir = dir
				stored(t, cfg)
				j := &journal{}
				cfg.Hooks = j.hooks()
				s := start(t, cfg)
				told := func(when string, want int) {
					t.Helper()
					synctest.Wait()
					if len(j.told().stores) != want {
						t.Fatalf("%s: StoreFailed was told %v, want %d", when, j.told().stores, want)
					}
					for _, err := range j.told().stores {
						if !strings.Contains(err.Error(), "not written") || !strings.Contains(err.Error(), tt.Want) {
							t.Errorf("%s: StoreFailed was told %v, want %q", when, err, tt.Want)
						}
					}
				}
				next := func(id string, n int) {
					t.Helper()
					time.Sleep(time.Minute)
					i.publish(key(id, n))
					mustKeys(t, s, id)
				}
				next("b", 1)
				told("before", 0)
				for round := range 2 {
					tt.Spoil(t, dir)
					before := disktest.Tree(t, filepath.Dir(dir))
					next("c", 2)
					told("spoiled", round+1)
					next("d", 3)
					told("still spoiled", round+1)
					if after := disktest.Tree(t, filepath.Dir(dir)); after != before {
						t.Errorf("the directory was changed:\n%s\nwas:\n%s", after, before)
					}
					tt.Mend(t, dir)
					next("a", 0)
					told("mended", round+1)
				}
				s.Close()
				i.set(func(i *issuer) { i.broken = true })
				if keys, err := start(t, cfg).Keys(t.Context(), jws.Named("a")); err != nil || len(keys) != 1 {
					t.Errorf("after a restart: Keys(a) = %v, %v, want it from the file", ids(keys), err)
				}
			})
		})
	}
}

// Neither keys that are written and read nor those that cannot be leave a file open.
func TestStore_LeavesNoFileOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	i := newIssuer(key("a", 0))
	cfg := i.config(t)
	cfg.CacheDir = dir
	run := func() {
		s, err := keyset.New(cfg)
		do(t, err)
		if _, err := s.Keys(t.Context(), jws.Named("b")); err == nil {
			t.Error("an unknown key was found")
		}
		s.Close()
	}
	authtest.LeavesNoFileOpen(t, run)
	file := disktest.Only(t, dir)
	chmod(t, file, 0o622)
	authtest.LeavesNoFileOpen(t, func() {
		chmod(t, file, 0o622)
		run()
	})
	chmod(t, dir, 0o777)
	authtest.LeavesNoFileOpen(t, run)
	chmod(t, dir, 0o700)
	do(t, os.Remove(file))
	do(t, os.MkdirAll(filepath.Join(file, "full"), 0o700))
	authtest.LeavesNoFileOpen(t, run)
	root, err := os.OpenRoot(dir)
	do(t, err)
	defer root.Close()
	held, err := dirlock.Try(root, "")
	do(t, err)
	defer held.Unlock()
	authtest.LeavesNoFileOpen(t, func() { start(t, cfg).Close() })
}

// Where others can write, nothing is cleared away: what looks like ours may be theirs.
func TestStore_ClearsNothingOfOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o700, 0o777} {
		dir := t.TempDir()
		unfinished := filepath.Join(dir, "0123456789abcdef0123456789abcdef.json.tmp-1")
		write(t, unfinished, "half")
		chmod(t, dir, mode)
		cfg := newIssuer(key("a", 0)).config(t)
		cfg.CacheDir = dir
		start(t, cfg).Close()
		if _, err := os.Stat(unfinished); (err == nil) != (mode == 0o777) {
			t.Errorf("mode %#o: an unfinished file: %v", mode, err)
		}
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
