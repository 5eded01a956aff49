package keyring_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

// Whatever goes wrong at the first start is told, and what is found instead stays.
func TestOpenOrCreate_Fails(t *testing.T) {
	t.Parallel()
	ring, err := keyring.New(time.Now())
	must(t, err)
	good, err := keyring.Encode(ring)
	must(t, err)
	for _, tt := range []struct {
		name  string
		fails map[disk.Op]error
		put   string // what another writes when the ring is given its name
		want  error
		left  string // in the file; "" if there is none
	}{
		{"the directory cannot be listed", map[disk.Op]error{disk.List: syscall.EIO}, "", syscall.EIO, ""},
		{"the ring cannot be synced", map[disk.Op]error{disk.SyncDir: syscall.EIO}, "", syscall.EIO, "{"},
		{"no links, and no renaming", map[disk.Op]error{disk.Link: syscall.EPERM, disk.Rename: syscall.EIO}, "", syscall.EIO, ""},
		{"no links, and no lock on the directory", map[disk.Op]error{disk.Link: syscall.EPERM, disk.Lock: dirlock.ErrUnsupported}, "", nil, "{"},
		{"no links, and another's damaged ring", map[disk.Op]error{disk.Link: syscall.EPERM}, "garbage", keyring.ErrRing, "garbage"},
		{"no links, and another's ring", map[disk.Op]error{disk.Link: syscall.EPERM}, string(good), nil, string(good)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			file := filepath.Join(path, "keyring.json")
			tap := func(c *disk.Call, do func() error) error {
				err := tt.fails[c.Op]
				if c.Op == disk.Link && tt.put != "" {
					must(t, os.WriteFile(file, []byte(tt.put), 0o600))
				}
				if err != nil && !(c.Op == disk.Lock && c.Name != "") {
					return fmt.Errorf("%s: %w", c.Op, err)
				}
				return do()
			}
			dir, err := keyring.OpenOrCreateOn(t.Context(), path, time.Now(), tap)
			if !errors.Is(err, tt.want) || err != nil && !errors.Is(err, keyring.ErrRing) {
				t.Errorf("OpenOrCreate() error = %v, want %v", err, tt.want)
			}
			if body, _ := os.ReadFile(file); !strings.HasPrefix(string(body), tt.left) || tt.left == "" && body != nil {
				t.Errorf("the file has %q, want %q", body, tt.left)
			}
			if err == nil {
				if _, err := dir.Load(); err != nil {
					t.Errorf("Load() error = %v", err)
				}
			}
		})
	}
}

// A directory that is another once it is open is not used.
func TestOpen_ReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	open(t, path)
	open(t, path+"-other")
	before := strings.ReplaceAll(disktest.Tree(t, path+"-other"), path+"-other", path)
	_, err := keyring.OpenOrCreateOn(t.Context(), path, time.Now(), func(c *disk.Call, do func() error) error {
		if c.Op == disk.OpenDir {
			must(t, os.Rename(path, path+"-away"))
			must(t, os.Rename(path+"-other", path))
		}
		return do()
	})
	checkError(t, err, "the directory was replaced while it was opened")
	if after := disktest.Tree(t, path); after != before {
		t.Errorf("the directory was changed:\n%s\nwas:\n%s", after, before)
	}
}

// A ring that looks other in one way alone is seen to be another.
func TestStat_Same(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	dir := open(t, path)
	file := filepath.Join(path, "keyring.json")
	then := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(file, then, then))
	body, err := os.ReadFile(file)
	must(t, err)
	before := dir.Stat()
	for _, tt := range []struct {
		name   string
		change func()
		want   bool
	}{
		{"nothing", func() {}, true},
		{"its size", func() {
			must(t, os.WriteFile(file, append(body, '\n'), 0o600))
			must(t, os.Chtimes(file, then, then))
		}, false},
		{"back to what it was", func() {
			must(t, os.WriteFile(file, body, 0o600))
			must(t, os.Chtimes(file, then, then))
		}, true},
		{"its time", func() { must(t, os.Chtimes(file, then, then.Add(time.Second))) }, false},
		{"the file", func() {
			must(t, os.Rename(file, file+"-away"))
			must(t, os.WriteFile(file, body, 0o600))
			must(t, os.Chtimes(file, then, then))
		}, false},
	} {
		tt.change()
		if now := dir.Stat(); now.Same(before) != tt.want || before.Same(now) != tt.want {
			t.Errorf("%s: Same() = %t, want %t", tt.name, !tt.want, tt.want)
		}
	}
	var unseen keyring.Stat
	if unseen.Same(before) || before.Same(unseen) || unseen.Same(unseen) {
		t.Error("a ring that cannot be seen is the same as another")
	}
}
