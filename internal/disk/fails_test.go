package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
)

// before returns a tap that has something happen just before a call.
func before(op disk.Op, happen func()) disk.Tap {
	return func(c *disk.Call, do func() error) error {
		if c.Op == op {
			happen()
		}
		return do()
	}
}

// A directory that was closed says so, whatever is asked of it.
func TestDir_Closed(t *testing.T) {
	t.Parallel()
	dir, err := disk.Open(t.TempDir(), nil)
	must(t, err)
	must(t, dir.Close())
	_, info := dir.Info()
	_, names := dir.Names()
	_, lock := dir.TryLock("")
	for call, err := range map[string]error{"Info": info, "Names": names, "Keep": dir.Keep(), "TryLock": lock, "Create": dir.Create("f", "temp-", nil), "Remove": dir.Remove("f")} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s() error = %v, want %v", call, err, fs.ErrClosed)
		}
	}
}

// What goes away between two calls is an error of the second.
func TestDir_GoesAway(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := disk.Open(path, before(disk.Read, func() { must(t, os.Remove(filepath.Join(path, "f"))) }))
	must(t, err)
	must(t, dir.Replace("f", "temp-", []byte("one")))
	if body, err := dir.Read("f", 3, nil); body != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read() of a file that goes away = %q, %v, want %v", body, err, fs.ErrNotExist)
	}
	var closed *disk.Dir
	closed, err = disk.Open(path, before(disk.SyncDir, func() { closed.Close() }))
	must(t, err)
	if err := closed.Replace("f", "temp-", []byte("one")); !errors.Is(err, disk.ErrUnsure) || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Replace() in a directory that goes away: error = %v, want %v, %v", err, disk.ErrUnsure, fs.ErrClosed)
	}
	lost := filepath.Join(t.TempDir(), "lost")
	must(t, os.Mkdir(lost, 0o700))
	dir, err = disk.Open(lost, before(disk.List, func() { must(t, os.Remove(lost)) }))
	must(t, err)
	if names, err := dir.Names(); runtime.GOOS == "linux" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Names() of a directory that goes away = %q, %v, want %v", names, err, fs.ErrNotExist)
	}
	above := filepath.Join(t.TempDir(), "above")
	must(t, os.MkdirAll(filepath.Join(above, "a"), 0o700))
	gone := before(disk.SyncParent, func() { must(t, os.RemoveAll(above)) })
	if err := disk.Make(filepath.Join(above, "a"), gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Make() in a directory that goes away: error = %v, want %v", err, fs.ErrNotExist)
	}
}

// A directory whose name may not survive is not made, whether it was there or not, nor is
// one whose parent could not be made.
func TestMake_Fails(t *testing.T) {
	t.Parallel()
	d := disktest.New(filepath.Join(t.TempDir(), "a", "b"))
	must(t, disk.Make(d.Path, d.Tap))
	for _, tt := range []struct {
		op   disk.Op
		path string
	}{{disk.SyncParent, d.Path}, {disk.SyncParent, filepath.Join(d.Path, "c")}, {disk.Mkdir, filepath.Join(d.Path, "d", "e")}} {
		fails := func(c *disk.Call, do func() error) error {
			if c.Op == tt.op {
				return syscall.EIO
			}
			return do()
		}
		if err := disk.Make(tt.path, fails); !errors.Is(err, syscall.EIO) {
			t.Errorf("Make() where to %s fails: error = %v, want %v", tt.op, err, syscall.EIO)
		}
	}
	once := false
	parentFails := func(c *disk.Call, do func() error) error {
		if c.Op == disk.Mkdir && !once {
			once = true
			return syscall.EIO
		}
		return do()
	}
	if err := disk.Make(filepath.Join(d.Path, "f", "g"), parentFails); !errors.Is(err, syscall.EIO) {
		t.Errorf("Make() where the parent cannot be made: error = %v, want %v", err, syscall.EIO)
	}
}

// It is the directory that a directory is in whose names are kept, however it is spelled.
func TestMake_SyncsParent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	must(t, os.Mkdir(path, 0o700))
	var synced []string
	tap := func(c *disk.Call, do func() error) error {
		synced = append(synced, string(c.Op)+" "+c.Dir)
		return do()
	}
	for _, spelling := range []string{path, path + "/", path + "/."} {
		synced = nil
		must(t, disk.Make(filepath.FromSlash(spelling), tap))
		if want := []string{"sync parent " + path}; !slices.Equal(synced, want) {
			t.Errorf("Make(%s) calls %q, want %q", spelling, synced, want)
		}
	}
}

// A file that is written is nobody else's, and one that could not be leaves nothing open.
func TestDir_Replace_Private(t *testing.T) {
	dir, d := open(t, nil)
	must(t, dir.Replace("f", "temp-", []byte("one")))
	info, err := os.Stat(filepath.Join(d.Path, "f"))
	if must(t, err); info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, want 0600", info.Mode())
	}
	late, err := disk.Open(d.Path, func(c *disk.Call, do func() error) error {
		if err := do(); err != nil || c.Op != disk.Create {
			return err
		}
		return syscall.EIO // though it was made
	})
	must(t, err)
	authtest.LeavesNoFileOpen(t, func() {
		if err := late.Replace("f", "temp-", []byte("two")); !errors.Is(err, syscall.EIO) {
			t.Errorf("Replace() error = %v, want %v", err, syscall.EIO)
		}
	})
	holds(t, d.Path, "f", "one")
}
