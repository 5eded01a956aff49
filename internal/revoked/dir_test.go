package revoked

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/disktest"
)

func openDir(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// contents returns what the directory holds, sorted.
func contents(t *testing.T, d *Dir) []string {
	t.Helper()
	entries, err := d.Load(100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, content := range entries {
		all = append(all, string(content))
	}
	slices.Sort(all)
	return all
}

func TestDir(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b")
	d := openDir(t, path)
	names := make(map[string]string)
	for _, content := range []string{"one", "two", "three", "two"} {
		name, err := d.Put([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		names[content] = name
	}
	for range 2 {
		if err := d.Remove(names["one"]); err != nil {
			t.Errorf("Remove() error = %v", err)
		}
	}
	if _, err := Open(path); !errors.Is(err, ErrDir) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Open() error = %v while it is open, want that it is in use", err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	}
	if _, err := d.Put([]byte("late")); !errors.Is(err, ErrDir) {
		t.Errorf("Put() error = %v after Close, want %v", err, ErrDir)
	}
	if got, want := contents(t, openDir(t, path)), []string{"three", "two"}; !slices.Equal(got, want) {
		t.Errorf("Load() = %q, want %q", got, want)
	}
}

func TestDir_Damaged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(t *testing.T, path, name string)
		whole  bool
	}{
		{"cut short", func(t *testing.T, path, name string) { overwrite(t, path, name, "on") }, false},
		{"empty", func(t *testing.T, path, name string) { overwrite(t, path, name, "") }, false},
		{"changed", func(t *testing.T, path, name string) { overwrite(t, path, name, "One") }, false},
		{"huge", func(t *testing.T, path, name string) { overwrite(t, path, name, strings.Repeat("x", maxEntry+1)) }, false},
		{"renamed", func(t *testing.T, path, name string) {
			if err := os.Rename(filepath.Join(path, name), filepath.Join(path, "x.json")); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a directory", func(t *testing.T, path, name string) {
			if err := os.Mkdir(filepath.Join(path, "d.json"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"another's file beside it", func(t *testing.T, path, _ string) { overwrite(t, path, "lost+found", "") }, true},
		{"an unfinished file beside it", func(t *testing.T, path, _ string) { overwrite(t, path, tempPrefix+"x", "o") }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := t.TempDir()
			d := openDir(t, path)
			name, err := d.Put([]byte("one"))
			if err != nil {
				t.Fatal(err)
			}
			tt.damage(t, path, name)
			entries, err := d.Load(10)
			if tt.whole != (err == nil) || err != nil && !errors.Is(err, ErrDir) || tt.whole && len(entries) != 1 {
				t.Errorf("Load() = %q, %v, whole %t", entries, err, tt.whole)
			}
		})
	}
}

func overwrite(t *testing.T, path, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDir_Refused(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := openDir(t, path)
	if _, err := d.Put(make([]byte, maxEntry+1)); !errors.Is(err, ErrDir) {
		t.Errorf("Put() error = %v for a huge entry", err)
	}
	for n := range 3 {
		if _, err := d.Put(fmt.Append(nil, n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Load(2); !errors.Is(err, ErrDir) {
		t.Errorf("Load() error = %v, want %v for three entries of two", err, ErrDir)
	}
}

// An entry may be as long as is said, and no longer.
func TestDir_Longest(t *testing.T) {
	d := openDir(t, privateDir(t))
	defer d.Close()
	for bytes, want := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		if _, err := d.Put(make([]byte, bytes)); (err == nil) != want {
			t.Errorf("Put() of %d bytes: %v, want it taken: %t", bytes, err, want)
		}
	}
	if entries, err := d.Load(2); len(entries) != 1 || err != nil {
		t.Errorf("Load() = %d entries, %v, want the one", len(entries), err)
	}
}

// What is closed takes nothing more, and gives nothing away.
func TestDir_Closed(t *testing.T) {
	t.Parallel()
	d := openDir(t, filepath.Join(t.TempDir(), "waiting"))
	name, err := d.Put([]byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	}
	_, loaded := d.Load(100)
	_, put := d.Put([]byte("two"))
	_, has := d.Has(name)
	for call, err := range map[string]error{"Load": loaded, "Put": put, "Has": has, "Remove": d.Remove(name)} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s() error = %v, want %v", call, err, fs.ErrClosed)
		}
	}
}

// A directory that others can write to, or that is another user's, is not opened; once it
// is mended it has what was in it.
func TestOpen_BadDirectory(t *testing.T) {
	t.Parallel()
	for _, tt := range disktest.Damages {
		t.Run(tt.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "waiting")
			d := openDir(t, path)
			if _, err := d.Put([]byte("one")); err != nil {
				t.Fatal(err)
			}
			d.Close()
			tt.Spoil(t, path)
			if d, err := Open(path); !errors.Is(err, ErrDir) || !strings.Contains(err.Error(), tt.Want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open() = %v, %v, want error %v, %q and the directory's name", d, err, ErrDir, tt.Want)
			}
			tt.Mend(t, path)
			if got := contents(t, openDir(t, path)); !slices.Equal(got, []string{"one"}) {
				t.Errorf("once mended: Load() = %q, want what was there", got)
			}
		})
	}
}
