package dirlock_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

func open(t *testing.T, path string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// needsLocks skips where directories cannot be locked, but not in CI.
func needsLocks(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, dirlock.ErrUnsupported) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("error = %v", err)
	}
}

// One holder at a time; who waits leaves with its context.
func TestWait(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "the.lock"} {
		t.Run("name "+name, func(t *testing.T) {
			path := t.TempDir()
			l, err := dirlock.Wait(t.Context(), open(t, path), name)
			needsLocks(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := dirlock.Wait(ctx, open(t, path), name); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, dirlock.ErrHeld) {
				t.Errorf("Wait() while it is held: error = %v, want %v, %v", err, dirlock.ErrHeld, context.DeadlineExceeded)
			}
			if _, err := dirlock.Try(open(t, path), name); !errors.Is(err, dirlock.ErrHeld) {
				t.Errorf("Try() while it is held: error = %v, want %v", err, dirlock.ErrHeld)
			}
			l.Unlock()
			again, err := dirlock.Try(open(t, path), name)
			if err != nil {
				t.Fatalf("Try() after that: error = %v", err)
			}
			again.Unlock()
			if names, err := os.ReadDir(path); err != nil || name == "" && len(names) != 0 {
				t.Errorf("the directory holds %v, %v, want nothing", names, err)
			}
		})
	}
}

// Who knows the file alone and who knows the directory alone shut each other out
// through one that takes both.
func TestTry_Both(t *testing.T) {
	t.Parallel()
	const name = "the.lock"
	path := t.TempDir()
	file, err := dirlock.LockFile(open(t, path), name)
	needsLocks(t, err)
	if _, err := dirlock.Try(open(t, path), name); !errors.Is(err, dirlock.ErrHeld) {
		t.Errorf("Try() with the file locked: error = %v, want %v", err, dirlock.ErrHeld)
	}
	// The lock on the directory is not kept by the one that failed.
	dir, err := dirlock.Try(open(t, path), "")
	needsLocks(t, err)
	file.Close()
	if _, err := dirlock.Try(open(t, path), name); !errors.Is(err, dirlock.ErrHeld) {
		t.Errorf("Try() with the directory locked: error = %v, want %v", err, dirlock.ErrHeld)
	}
	dir.Unlock()
	both, err := dirlock.Try(open(t, path), name)
	if err != nil {
		t.Fatalf("Try() with neither locked: error = %v", err)
	}
	both.Unlock()
}

// A file that is no file is no lock, and not one that can be waited for.
func TestTry_NoFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, "the.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "f")
	if err := errors.Join(os.WriteFile(elsewhere, nil, 0o600), os.Symlink(elsewhere, filepath.Join(path, "a.link")),
		os.WriteFile(filepath.Join(path, "f"), nil, 0o600), os.Symlink("f", filepath.Join(path, "inner.link"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"the.lock", "a.link", "inner.link"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := dirlock.Wait(ctx, open(t, path), name)
		cancel()
		if err == nil || errors.Is(err, dirlock.ErrHeld) {
			t.Errorf("Wait() with %s error = %v, want another than %v", name, err, dirlock.ErrHeld)
		}
	}
	l, err := dirlock.Try(open(t, path), "another.lock")
	if err != nil {
		t.Fatalf("Try() after that: error = %v", err)
	}
	l.Unlock()
}

// Held reports when somebody has removed the file, even if there is another.
func TestLock_Held(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	root := open(t, path)
	l, err := dirlock.Try(root, "the.lock")
	needsLocks(t, err)
	defer l.Unlock()
	if !l.Held() {
		t.Error("Held() = false")
	}
	if err := root.Remove("the.lock"); err != nil {
		t.Skip(err) // on Windows
	}
	if l.Held() {
		t.Error("Held() = true of a file that is gone")
	}
	if err := root.WriteFile("the.lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if l.Held() {
		t.Error("Held() = true of another file")
	}
}

// Nobody holds a lock that is not the one that others would take, nor one that could not
// be had.
func TestTry_NoLock(t *testing.T) {
	t.Parallel()
	root := open(t, t.TempDir())
	removed := func(root *os.Root, name string) (*os.File, error) {
		f, err := dirlock.LockFile(root, name)
		return f, errors.Join(err, root.Remove(name))
	}
	if l, err := dirlock.TryWithFile(removed, root, "the.lock"); l != nil || !errors.Is(err, dirlock.ErrHeld) {
		t.Errorf("Try() of a file that is removed meanwhile = %v, %v, want %v", l, err, dirlock.ErrHeld)
	}
	if l, err := dirlock.Try(root, "none/the.lock"); l != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Try() in a directory that is not there = %v, %v, want %v", l, err, fs.ErrNotExist)
	}
	l, err := dirlock.Try(root, "the.lock")
	needsLocks(t, err)
	if info, err := root.Stat("the.lock"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want that nobody else may open it", info, err)
	}
	l.Unlock()
	if l.Held() {
		t.Error("Held() = true after Unlock()")
	}
	root.Close()
	for _, name := range []string{"", "the.lock"} {
		if l, err := dirlock.Try(root, name); l != nil || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Try() of a directory that was closed = %v, %v, want %v", l, err, fs.ErrClosed)
		}
	}
}

// Of a lock without a file nobody can remove the file.
func TestLock_HeldWithoutName(t *testing.T) {
	t.Parallel()
	l, err := dirlock.Try(open(t, t.TempDir()), "")
	needsLocks(t, err)
	defer l.Unlock()
	if !l.Held() {
		t.Error("Held() = false")
	}
}

// Where directories cannot be locked, the file is the lock, for one at a time.
func TestTry_FileAlone(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	noDirectory := func(*os.File) error { return dirlock.ErrUnsupported }
	root := open(t, path)
	file, err := dirlock.LockFile(root, "the.lock")
	needsLocks(t, err)
	file.Close()
	l, err := dirlock.TryWith(noDirectory, root, "the.lock")
	if err != nil {
		t.Fatalf("TryWith() error = %v where files can be locked", err)
	}
	if _, err := dirlock.TryWith(noDirectory, root, "the.lock"); !errors.Is(err, dirlock.ErrHeld) {
		t.Errorf("while it is held: error = %v, want %v", err, dirlock.ErrHeld)
	}
	l.Unlock()
	if _, err := dirlock.TryWith(noDirectory, root, ""); !errors.Is(err, dirlock.ErrUnsupported) {
		t.Errorf("without a name: error = %v, want %v", err, dirlock.ErrUnsupported)
	}
	var holders, most, times atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				l, err := dirlock.TryWith(noDirectory, root, "the.lock")
				if err != nil {
					if !errors.Is(err, dirlock.ErrHeld) && !strings.Contains(err.Error(), "the.lock") {
						t.Errorf("error = %v", err)
					}
					continue
				}
				if n := holders.Add(1); n > most.Load() {
					most.Store(n)
				}
				times.Add(1)
				holders.Add(-1)
				l.Unlock()
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || times.Load() == 0 {
		t.Errorf("%d held it at once, %d times, want one at a time", most.Load(), times.Load())
	}
}
