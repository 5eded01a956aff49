package keyring_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A place is where a ring is kept, and where the test puts what it takes away.
type place struct{ dir, file, away string }

// putInstead puts a file in the place of the ring's.
func putInstead(t *testing.T, p place, body string) {
	t.Helper()
	must(t, os.Rename(p.file, p.away))
	must(t, os.WriteFile(p.file, []byte(body), 0o600))
}

func restore(t *testing.T, p place) {
	t.Helper()
	must(t, os.Rename(p.away, p.file))
}

// A directory that turns bad after it was opened is neither read nor written, and says
// what is wrong with it. Once it is mended, it is as it was.
func TestDir_TurnsBad(t *testing.T) {
	t.Parallel()
	type row struct {
		name        string
		spoil, mend func(t *testing.T, p place)
		want        string
	}
	rows := []row{
		{"a directory that others may enter",
			func(t *testing.T, p place) { must(t, os.Chmod(p.dir, 0o711)) },
			func(t *testing.T, p place) { must(t, os.Chmod(p.dir, 0o700)) }, "the directory is open to others"},
		{"file opened to others",
			func(t *testing.T, p place) { must(t, os.Chmod(p.file, 0o604)) },
			func(t *testing.T, p place) { must(t, os.Chmod(p.file, 0o600)) }, "keyring.json is open to others"},
		{"file given to another user",
			func(t *testing.T, p place) { disktest.GiveAway(t, p.file) },
			func(t *testing.T, p place) { disktest.TakeBack(t, p.file) }, "keyring.json belongs to another user"},
		{"directory gone",
			func(t *testing.T, p place) { must(t, os.Rename(p.dir, p.away)) },
			func(t *testing.T, p place) { must(t, os.Rename(p.away, p.dir)) }, "no such file"},
		{"a link in the directory's place",
			func(t *testing.T, p place) {
				must(t, os.Rename(p.dir, p.away))
				must(t, os.Symlink(p.away, p.dir))
			},
			func(t *testing.T, p place) { must(t, os.Remove(p.dir)); must(t, os.Rename(p.away, p.dir)) }, "a symbolic link"},
		{"file gone",
			func(t *testing.T, p place) { must(t, os.Rename(p.file, p.away)) }, restore, "no such file"},
		{"a directory in the file's place",
			func(t *testing.T, p place) { must(t, os.Rename(p.file, p.away)); must(t, os.Mkdir(p.file, 0o700)) },
			func(t *testing.T, p place) { must(t, os.Remove(p.file)); must(t, os.Rename(p.away, p.file)) }, "not a regular file"},
		{"half a file",
			func(t *testing.T, p place) {
				whole, err := os.ReadFile(p.file)
				must(t, err)
				putInstead(t, p, string(whole[:len(whole)/2]))
			}, restore, "damaged"},
		{"an empty file",
			func(t *testing.T, p place) { putInstead(t, p, "") }, restore, "damaged"},
		{"a file that is too large",
			func(t *testing.T, p place) { putInstead(t, p, strings.Repeat(" ", 4<<20+1)) }, restore, "larger than"},
		{"a file that nobody may read",
			func(t *testing.T, p place) {
				if os.Geteuid() == 0 {
					t.Skip("root reads every file")
				}
				must(t, os.Chmod(p.file, 0))
			},
			func(t *testing.T, p place) { must(t, os.Chmod(p.file, 0o600)) }, "permission denied"},
	}
	for _, d := range disktest.Damages {
		rows = append(rows, row{d.Name,
			func(t *testing.T, p place) { d.Spoil(t, p.dir) },
			func(t *testing.T, p place) { d.Mend(t, p.dir) }, d.Want})
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			parent := t.TempDir()
			p := place{filepath.Join(parent, "keys"), filepath.Join(parent, "keys", "keyring.json"), filepath.Join(parent, "away")}
			dir := open(t, p.dir)
			good := load(t, p.dir)
			rotate := func() error {
				_, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
					r, err := r.Rotate(time.Now())
					return r, true, err
				})
				return err
			}
			tt.spoil(t, p)
			before := disktest.Tree(t, parent)
			_, err := dir.Load()
			for what, err := range map[string]error{"Load()": err, "Update()": rotate()} {
				if !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), p.dir) {
					t.Errorf("%s error = %v, want %v, %q and the directory's name", what, err, keyring.ErrRing, tt.want)
				}
			}
			if after := disktest.Tree(t, parent); after != before {
				t.Errorf("the directory was changed:\n%s\nwas:\n%s", after, before)
			}
			tt.mend(t, p)
			if again, err := dir.Load(); err != nil || again.Active().ID != good.Active().ID || again.Generation != good.Generation {
				t.Errorf("once mended: Load() = %+v, %v, want the ring as it was", again, err)
			}
			if err := rotate(); err != nil {
				t.Errorf("once mended: Update() error = %v", err)
			}
		})
	}
}

// Neither a ring that is read or changed nor one that cannot be leaves a file open.
func TestDir_LeavesNoFileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	dir := open(t, path)
	use := func() error {
		_, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) { return r, true, nil })
		_, loadErr := dir.Load()
		_, openErr := keyring.OpenOrCreate(t.Context(), path, time.Now())
		return errors.Join(err, loadErr, openErr)
	}
	authtest.LeavesNoFileOpen(t, func() { must(t, use()) })
	made := 0
	authtest.LeavesNoFileOpen(t, func() {
		made++
		open(t, fmt.Sprint(path, "-", made))
	})
	must(t, os.Chmod(path, 0o711))
	authtest.LeavesNoFileOpen(t, func() {
		if err := use(); !errors.Is(err, keyring.ErrRing) {
			t.Errorf("error = %v, want %v", err, keyring.ErrRing)
		}
	})
	must(t, os.Chmod(path, 0o700))
	must(t, os.Truncate(filepath.Join(path, "keyring.json"), 100))
	authtest.LeavesNoFileOpen(t, func() {
		if err := use(); !errors.Is(err, keyring.ErrRing) {
			t.Errorf("error = %v, want %v", err, keyring.ErrRing)
		}
	})
}
