package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
)

// open opens a new directory on a disk on which these calls fail from now on.
func open(t *testing.T, err error, ops ...disk.Op) (*disk.Dir, *disktest.Disk) {
	t.Helper()
	d := disktest.New(filepath.Join(t.TempDir(), "a", "b"))
	must(t, disk.Make(d.Path, d.Tap))
	dir, failed := disk.Open(d.Path, d.Tap)
	must(t, failed)
	t.Cleanup(func() { dir.Close() })
	if err != nil {
		d.FailAt(1, disktest.Fault{Name: "fault", Err: err, Lasting: true, Ops: ops})
	}
	return dir, d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// holds expects one file with that content, or none, and nothing else.
func holds(t *testing.T, path, name, want string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(path, name))
	if want == "" && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil || string(body) != want {
		t.Errorf("%s holds %q, %v, want %q", name, body, err, want)
	}
	if left := disktest.Left(path, name); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestDir_Replace(t *testing.T) {
	t.Parallel()
	dir, d := open(t, nil)
	for _, body := range []string{"one", "two"} {
		must(t, dir.Replace("f", "temp-", []byte(body)))
		holds(t, d.Path, "f", body)
	}
	if err := dir.Create("f", "temp-", []byte("three")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create() error = %v, want %v", err, fs.ErrExist)
	}
	holds(t, d.Path, "f", "two")
	for range 2 {
		must(t, dir.Remove("f"))
	}
	must(t, dir.Create("f", "temp-", []byte("three")))
	holds(t, d.Path, "f", "three")
}

// A file that could not be written is as it was, and what was begun is gone.
func TestDir_ReplaceFails(t *testing.T) {
	t.Parallel()
	for _, op := range []disk.Op{disk.Create, disk.Write, disk.Sync, disk.Close, disk.Rename, disk.Link} {
		dir, d := open(t, syscall.ENOSPC, op)
		write, want := dir.Replace, syscall.ENOSPC.Error()
		if op == disk.Link {
			write, want = dir.Create, disk.ErrNoLink.Error()
		}
		if err := write("f", "temp-", []byte("one")); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, disk.ErrUnsure) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s fails: error = %v, want %v", op, err, want)
		}
		holds(t, d.Path, "f", "")
		d.Heal()
		must(t, write("f", "temp-", []byte("one")))
		holds(t, d.Path, "f", "one")
	}
}

// A name that may not survive is told apart from a file that is as it was.
func TestDir_Unsure(t *testing.T) {
	t.Parallel()
	dir, d := open(t, syscall.EIO, disk.SyncDir)
	if err := dir.Replace("f", "temp-", []byte("one")); !errors.Is(err, disk.ErrUnsure) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Replace() error = %v, want %v, %v", err, disk.ErrUnsure, syscall.EIO)
	}
	holds(t, d.Path, "f", "one")
	if err := dir.Keep(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Keep() error = %v, want %v", err, syscall.EIO)
	}
	for _, beyondUs := range []error{syscall.EINVAL, syscall.EROFS, syscall.EACCES, syscall.ENOTSUP} {
		dir, d := open(t, beyondUs, disk.SyncDir, disk.SyncParent)
		if err := errors.Join(dir.Keep(), disk.Make(d.Path, d.Tap)); err != nil {
			t.Errorf("Keep(), Make() error = %v where nothing can be synced", err)
		}
	}
}

func TestMake(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	for _, path := range []string{"file", "file/below"} {
		if err := disk.Make(filepath.Join(root, path), nil); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("Make(%s) error = %v, want %v", path, err, syscall.ENOTDIR)
		}
	}
	for range 2 {
		must(t, disk.Make(filepath.Join(root, "a", "b", "c")+string(filepath.Separator), nil))
	}
	info, err := os.Stat(filepath.Join(root, "a", "b", "c"))
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("made %v, %v, want a directory of mode 0700", info.Mode(), err)
	}
	t.Chdir(root)
	must(t, disk.Make("relative", nil))
}

// A ".." behind a link leads to where the link does: there the directory is made, and
// nowhere else.
func TestMake_PathThroughLink(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "releases", "42"), 0o700))
	must(t, os.Symlink(filepath.Join("releases", "42"), filepath.Join(root, "current")))
	t.Chdir(filepath.Join(root, "current"))
	for _, path := range []string{root + "/current/../a/b/", "../c//d", "../e"} {
		must(t, disk.Make(path, nil))
		dir, err := disk.Open(path, nil)
		must(t, err)
		dir.Close()
	}
	names, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil || len(names) != 2 {
		t.Errorf("%s has %v, %v, want nothing new", root, names, err)
	}
}

func TestDir_Read(t *testing.T) {
	t.Parallel()
	dir, d := open(t, nil)
	must(t, dir.Replace("f", "temp-", []byte("one")))
	must(t, os.Symlink("f", filepath.Join(d.Path, "link")))
	must(t, os.Mkdir(filepath.Join(d.Path, "dir"), 0o700))
	refused := errors.New("refused")
	for _, tt := range []struct {
		name, file string
		most       int64
		check      func(fs.FileInfo) error
		want       string // the error's text; empty for none
	}{
		{"whole", "f", 3, func(fs.FileInfo) error { return nil }, ""},
		{"no check", "f", 3, nil, ""},
		{"too long", "f", 2, nil, "larger than 2 bytes"},
		{"refused by the check", "f", 3, func(fs.FileInfo) error { return refused }, "refused"},
		{"a link", "link", 3, nil, "not a regular file"},
		{"a directory", "dir", 3, nil, "not a regular file"},
	} {
		body, err := dir.Read(tt.file, tt.most, tt.check)
		if tt.want == "" && (err != nil || string(body) != "one") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || body != nil) {
			t.Errorf("%s: Read() = %q, %v, want error %q", tt.name, body, err, tt.want)
		}
	}
	if _, err := dir.Read("none", 3, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read() error = %v, want %v", err, fs.ErrNotExist)
	}
}

// A directory that was closed is: nothing of it stays open.
func TestDir_Close(t *testing.T) {
	t.Parallel()
	dir, _ := open(t, nil)
	must(t, dir.Replace("f", "temp-", []byte("one")))
	must(t, dir.Close())
	if _, err := dir.Read("f", 3, nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read() after Close() error = %v, want %v", err, fs.ErrClosed)
	}
	if err := dir.Replace("f", "temp-", []byte("two")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Replace() after Close() error = %v, want %v", err, fs.ErrClosed)
	}
}
