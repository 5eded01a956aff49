package revoked

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/memorylog"
)

func move(t *testing.T, from, to string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("an open directory cannot be moved there")
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// link makes a symbolic link, which not everybody may on Windows.
func link(t *testing.T, to, at string) {
	t.Helper()
	err := os.Symlink(to, at)
	if err != nil && runtime.GOOS == "windows" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// failing is a tap by which the calls that are meant fail.
func failing(err error, meant func(*disk.Call) bool) disk.Tap {
	return func(c *disk.Call, do func() error) error {
		if meant(c) {
			return err
		}
		return do()
	}
}

// lasting are the logs without one that answers: where there is none revocations are kept in
// the directory, and where it refuses they wait there.
var lasting = map[string]func() Log{
	"kept":    func() Log { return nil },
	"waiting": func() Log { l := memorylog.New[Revocation](); l.RefuseAll(); return l },
}

// What is written to a directory that was moved away is not there at the next start,
// whether another one is in its place or none.
func TestDir_MovedAway(t *testing.T) {
	path := privateDir(t)
	away := path + "-away"
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	move(t, path, away)
	if _, err := d.Put([]byte("one")); !errors.Is(err, errMoved) || !errors.Is(err, ErrDir) {
		t.Errorf("Put() error = %v, want %v", err, errMoved)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put([]byte("two")); !errors.Is(err, errMoved) {
		t.Errorf("Put() error = %v with another directory in its place, want %v", err, errMoved)
	}
	if has, err := d.Has(lockName); has || !errors.Is(err, errMoved) {
		t.Errorf("Has() = %t, %v, want %v", has, err, errMoved)
	}
	move(t, path, path+"-other")
	move(t, away, path)
	if _, err := d.Put([]byte("two")); err != nil {
		t.Errorf("Put() error = %v once it is back", err)
	}
	if has, err := d.Has(nameOf([]byte("two"))); !has || err != nil {
		t.Errorf("Has() = %t, %v once it is back", has, err)
	}
}

// A process that goes elsewhere has its directory where it was.
func TestDir_RelativePath(t *testing.T) {
	path := privateDir(t)
	t.Chdir(filepath.Dir(path))
	d, err := Open(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	t.Chdir(t.TempDir())
	if _, err := d.Put([]byte("one")); err != nil {
		t.Errorf("Put() error = %v", err)
	}
}

// A process that has given up the right to look goes on writing.
func TestDir_RightsGivenUp(t *testing.T) {
	gaveUp := false
	d, err := open(privateDir(t), failing(fs.ErrPermission, func(c *disk.Call) bool { return gaveUp && c.Op == disk.Stat }))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	gaveUp = true
	name, err := d.Put([]byte("one"))
	if err != nil {
		t.Errorf("Put() error = %v", err)
	}
	if has, err := d.Has(name); !has || err != nil {
		t.Errorf("Has() = %t, %v, want that it is there", has, err)
	}
}

// Nobody is told that a revocation is kept where the next start does not find it, not
// even one that was kept before. Once the directory is back it is, without being asked.
func TestFollower_Kept_MovedAway(t *testing.T) {
	path := privateDir(t)
	away := path + "-away"
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.keep(t, path)
		alice, bob := subject("alice", in(time.Hour)), subject("bob", in(time.Hour))
		b.wantKept(t, f, alice)
		move(t, path, away)
		for _, r := range []Revocation{alice, bob} {
			b.Add(r)
			if durable, err := f.Share(t.Context(), r); durable || !errors.Is(err, ErrNotWritten) {
				t.Errorf("Share(%s) = %t, %v, want %v", r.Describe(), durable, err, ErrNotWritten)
			}
		}
		move(t, away, path)
		time.Sleep(2 * maxFollowDelay)
		b.wantKept(t, f, bob)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if n := files(t, path); n != 2 {
			t.Errorf("%d files, want those of alice and bob", n)
		}
		b.Close()
	})
}

// The same of what waits for the log.
func TestFollower_Waiting_MovedAway(t *testing.T) {
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New[Revocation]()
		log.RefuseAll()
		b := newLab(false)
		f := b.follow(t, log, path)
		alice, bob := subject("alice", in(time.Hour)), subject("bob", in(time.Hour))
		b.Add(alice)
		if durable, err := f.Share(t.Context(), alice); !durable || !errors.Is(err, ErrWaits) {
			t.Errorf("Share() = %t, %v, want %v in the directory", durable, err, ErrWaits)
		}
		move(t, path, path+"-away")
		for _, r := range []Revocation{alice, bob} {
			b.Add(r)
			if durable, err := f.Share(t.Context(), r); durable || !errors.Is(err, ErrNotWritten) {
				t.Errorf("Share(%s) = %t, %v, want %v", r.Describe(), durable, err, ErrNotWritten)
			}
		}
		f.Close()
		b.Close()
	})
}

// A ".." behind a link leads to where the link does: such a directory is in its place.
func TestDir_PathThroughLink(t *testing.T) {
	top := t.TempDir()
	release := filepath.Join(top, "releases", "42")
	if err := os.MkdirAll(release, 0o700); err != nil {
		t.Fatal(err)
	}
	link(t, release, filepath.Join(top, "current"))
	if err := os.Mkdir(filepath.Join(top, "releases", "revocations"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(top, "current"))
	for _, path := range []string{top + "/current/../revocations", "../revocations"} {
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Put([]byte("one")); err != nil {
			t.Errorf("%s: Put() error = %v", path, err)
		}
		d.Close()
	}
}

// A path that leads elsewhere from now on is as good as a directory that was moved.
func TestDir_LinkSwapped(t *testing.T) {
	path, other := privateDir(t), privateDir(t)
	at := filepath.Join(t.TempDir(), "revocations")
	link(t, path, at)
	d, err := Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Put([]byte("one")); err != nil {
		t.Errorf("Put() error = %v", err)
	}
	link(t, other, at+"-new")
	move(t, at+"-new", at)
	if _, err := d.Put([]byte("two")); !errors.Is(err, errMoved) {
		t.Errorf("Put() error = %v, want %v", err, errMoved)
	}
}

// A directory that was replaced while an entry was written is found out as well.
func TestDir_ReplacedMeanwhile(t *testing.T) {
	path := privateDir(t)
	d, err := open(path, func(c *disk.Call, do func() error) error {
		err := do()
		if c.Op == disk.Rename {
			move(t, path, path+"-away")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Put([]byte("one")); !errors.Is(err, errMoved) {
		t.Errorf("Put() error = %v, want %v", err, errMoved)
	}
}

// Nothing is written where nobody looks: whoever causes logouts meanwhile would fill the
// disk, since what was not kept does not count.
func TestDir_MovedAway_DoesNotFill(t *testing.T) {
	path := privateDir(t)
	away := path + "-away"
	d := openDir(t, path)
	move(t, path, away)
	if _, err := d.Put([]byte("one")); !errors.Is(err, errMoved) {
		t.Errorf("Put() error = %v, want %v", err, errMoved)
	}
	if n := files(t, away); n != 0 {
		t.Errorf("%d files, want none", n)
	}
}

// Whoever closes a directory that is not where the next start looks is told that what it
// has is lost.
func TestFollower_Close_MovedAway(t *testing.T) {
	for name, log := range lasting {
		t.Run(name, func(t *testing.T) {
			path := privateDir(t)
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				f := b.follow(t, log(), path)
				alice := subject("alice", in(time.Hour))
				b.Add(alice)
				if durable, err := f.Share(t.Context(), alice); !durable {
					t.Errorf("Share() = %t, %v, want that it is in the directory", durable, err)
				}
				move(t, path, path+"-away")
				if err := f.Close(); !errors.Is(err, errMoved) || errors.Is(err, ErrWaits) {
					t.Errorf("Close() error = %v, want %v", err, errMoved)
				}
				if err := f.Close(); errors.Is(err, ErrDir) {
					t.Errorf("Close() error = %v once more", err)
				}
				b.Close()
			})
		})
	}
}

// Whoever revokes once more what somebody has taken out of the directory is told that it is
// kept when it is.
func TestFollower_Again_FileRemoved(t *testing.T) {
	for name, log := range lasting {
		t.Run(name, func(t *testing.T) {
			path := privateDir(t)
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				f := b.follow(t, log(), path)
				alice := subject("alice", in(time.Hour))
				b.Add(alice)
				for range 2 {
					if durable, err := f.Share(t.Context(), alice); !durable {
						t.Errorf("Share() = %t, %v, want that it is in the directory", durable, err)
					}
					if n := files(t, path); n != 1 {
						t.Errorf("%d files, want 1", n)
					}
					if err := os.Remove(filepath.Join(path, fileOf(t, alice))); err != nil {
						t.Fatal(err)
					}
				}
				f.Close()
				b.Close()
			})
		})
	}
}

func fileOf(t *testing.T, r Revocation) string {
	t.Helper()
	content, err := encodeWaiting(r)
	if err != nil {
		t.Fatal(err)
	}
	return nameOf(content)
}

// A directory that cannot be looked at is not taken for one that is in its place, nor a file
// for one that is there or not.
func TestDir_NotSeen(t *testing.T) {
	fails := func(*disk.Call) bool { return false }
	d, err := open(privateDir(t), failing(errFails, func(c *disk.Call) bool { return fails(c) }))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name, err := d.Put([]byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	for what, of := range map[string]string{"directory": "", "file": name} {
		fails = func(c *disk.Call) bool { return c.Op == disk.Stat && c.Name == of }
		if has, err := d.Has(name); has || !errors.Is(err, errFails) || !errors.Is(err, ErrDir) {
			t.Errorf("%s: Has() = %t, %v, want %v", what, has, err, errFails)
		}
	}
	fails = func(c *disk.Call) bool { return c.Op == disk.Stat && c.Name == "" }
	if _, err := d.Put([]byte("two")); !errors.Is(err, errFails) {
		t.Errorf("Put() error = %v, want %v", err, errFails)
	}
}

// What was taken out of the directory and cannot be written again is not kept.
func TestDir_Keep_DiskFails(t *testing.T) {
	fails := false
	d, err := open(privateDir(t), failing(errFails, func(c *disk.Call) bool { return fails && c.Op == disk.Create }))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	alice := subject("alice", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
	w := &waitingEntry{Revocation: alice, file: fileOf(t, alice)}
	fails = true
	if err := d.keep(w); !errors.Is(err, errFails) {
		t.Errorf("keep() error = %v, want %v", err, errFails)
	}
	fails = false
	if err := d.keep(w); err != nil {
		t.Errorf("keep() error = %v once the disk is well", err)
	}
}

// Where nothing was kept, nothing is lost by a directory that was moved.
func TestFollower_Close_MovedAwayEmpty(t *testing.T) {
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.keep(t, path)
		move(t, path, path+"-away")
		if err := f.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
		b.Close()
	})
}
