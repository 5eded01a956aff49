package keyset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A cellar is a cache directory on a disk that fails.
type cellar struct {
	t      *testing.T
	disk   *disktest.Disk
	issuer *issuer
	j      *journal
	wants  []string // one of these keys, alone, is in the file; "" for no file
	cuts   int
}

func (c *cellar) start() *keyset.Set {
	c.t.Helper()
	c.j = &journal{}
	cfg := keyset.OnDisk(c.issuer.config(c.t), c.disk.Tap)
	cfg.CacheDir, cfg.KeepWarm, cfg.Hooks = c.disk.Path, true, c.j.hooks()
	return start(c.t, cfg)
}

// cut looks what a process that starts after a power cut would find.
func (c *cellar) cut() {
	for _, cut := range c.disk.Cuts() {
		if c.t.Failed() {
			return
		}
		if c.cuts++; cut == nil {
			continue // a directory that was made a moment ago, and is only a cache
		}
		path := c.disk.Path + "-cut"
		if err := cut.Make(path); err != nil {
			c.t.Fatal(err)
		}
		again := disktest.New(path)
		cfg := keyset.OnDisk(c.issuer.config(c.t), again.Tap)
		cfg.CacheDir = path
		s, err := keyset.New(cfg)
		if err != nil {
			c.t.Fatal(err)
		}
		var ids []string
		for _, k := range s.Report().Keys {
			ids = append(ids, k.ID)
		}
		if found := strings.Join(ids, " "); !slices.Contains(c.wants, found) {
			c.t.Errorf("%s: after a power cut: the keys %q, want one of %q: %v", c.disk.Failed(), found, c.wants, cut)
		}
		s.Close()
		if left := disktest.Left(path); len(left) > 1 || len(left) == 1 && !strings.HasSuffix(left[0], ".json") {
			c.t.Errorf("%s: left behind after a start: %q", c.disk.Failed(), left)
		}
		if err := os.RemoveAll(path); err != nil {
			c.t.Fatal(err)
		}
	}
}

// published has the issuer publish one key, and expects that it serves whatever the disk
// does, and that a failure is told once.
func (c *cellar) published(s *keyset.Set, n int, id string) {
	c.t.Helper()
	c.issuer.publish(key(id, n))
	c.wants = append(c.wants, id)
	if keys, err := s.Keys(c.t.Context(), jws.Named(id)); err != nil || len(keys) != 1 {
		c.t.Errorf("%s: Keys(%s) = %v, %v, want it", c.disk.Failed(), id, ids(keys), err)
	}
	synctest.Wait()
	told := map[string]int{}
	for _, err := range c.j.told().stores {
		what, _, _ := strings.Cut(err.Error(), ": ") // "key file ignored", "key file not written"
		if told[what]++; told[what] > 1 || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(what, "key file") {
			c.t.Errorf("%s: StoreFailed was told %q, want each once, in one line", c.disk.Failed(), c.j.told().stores)
		}
	}
	if c.disk.Failed() == "" {
		c.wants = []string{id}
	}
	c.cut()
}

// Whatever call fails, and at whichever the power does: keys serve, a file is whole or
// is not there, keys that left the set do not come back once that was written, a failure
// is told once, and nothing is left behind.
func TestStore_Faults(t *testing.T) {
	t.Parallel()
	cuts := 0
	disktest.Everywhere(t, func(t *testing.T, d *disktest.Disk, all bool) {
		synctest.Test(t, func(t *testing.T) {
			c := &cellar{t: t, disk: d, issuer: newIssuer(key("a", 0)), wants: []string{""}}
			if all {
				d.Before = func(*disk.Call) { c.cut() }
			}
			s := c.start()
			c.published(s, 0, "a")
			time.Sleep(time.Minute)
			c.published(s, 1, "b")
			if d.Killed() {
				s.Close()
				d.Heal()
				s = c.start()
				mustKeys(t, s, "b")
			}
			d.Heal()
			time.Sleep(2 * time.Hour) // and refreshes
			synctest.Wait()
			c.wants = []string{"b"}
			c.cut()
			s.Close()
			if left := disktest.Left(d.Path); len(left) != 1 {
				t.Errorf("%s: left in the end: %q", d.Failed(), left)
			}
			c.issuer.set(func(i *issuer) { i.broken = true })
			s = c.start()
			if keys, err := s.Keys(t.Context(), jws.Named("b")); err != nil || len(keys) != 1 {
				t.Errorf("%s: Keys(b) after a restart in an outage = %v, %v", d.Failed(), ids(keys), err)
			}
			s.Close()
			cuts += c.cuts
		})
	})
	t.Logf("%d power cuts", cuts)
}

// Where the file system has no locks, keys are stored all the same.
func TestStore_NoLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, locks := newIssuer(key("a", 0)), 0
		cfg := keyset.OnDisk(i.config(t), func(c *disk.Call, do func() error) error {
			if c.Op == disk.Lock {
				locks++
				return fmt.Errorf("flock: %w", dirlock.ErrUnsupported)
			}
			return do()
		})
		j := &journal{}
		cfg.CacheDir, cfg.Hooks = filepath.Join(t.TempDir(), "keys"), j.hooks()
		s := start(t, cfg)
		mustKeys(t, s, "a")
		synctest.Wait()
		s.Close()
		i.set(func(i *issuer) { i.broken = true })
		const hash = "0123456789abcdef0123456789abcdef"
		underWay, abandoned := filepath.Join(cfg.CacheDir, hash+".json.tmp-1"), filepath.Join(cfg.CacheDir, hash+".json.tmp-2")
		noFile := filepath.Join(cfg.CacheDir, ".tmp-3")
		do(t, os.Mkdir(noFile, 0o700))
		for path, age := range map[string]time.Duration{underWay: 0, abandoned: time.Hour, noFile: time.Hour} {
			if path != noFile {
				write(t, path, "half")
			}
			do(t, os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)))
		}
		s = start(t, cfg)
		mustKeys(t, s, "a")
		s.Close()
		for path, want := range map[string]bool{underWay: true, abandoned: false, noFile: true} {
			if _, err := os.Lstat(path); (err == nil) != want {
				t.Errorf("%s is there: %v, want %t", filepath.Base(path), err, want)
			}
		}
		if len(j.told().stores) != 0 || locks < 2 {
			t.Errorf("StoreFailed was told %v, and %d locks were asked for", j.told().stores, locks)
		}
	})
}

// A lock that cannot be had for another reason is told, and nothing is written.
func TestStore_LockFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, j, fails := newIssuer(key("a", 0)), &journal{}, errors.New("no locks available")
		cfg := keyset.OnDisk(i.config(t), func(c *disk.Call, do func() error) error {
			switch c.Op {
			case disk.Lock:
				return fails
			case disk.Create, disk.Rename:
				t.Errorf("%s without a lock", c.Op)
			}
			return do()
		})
		cfg.CacheDir, cfg.Hooks = filepath.Join(t.TempDir(), "keys"), j.hooks()
		s := start(t, cfg)
		mustKeys(t, s, "a")
		synctest.Wait()
		s.Close()
		if len(j.told().stores) != 1 || !errors.Is(j.told().stores[0], fails) || !strings.HasPrefix(j.told().stores[0].Error(), "key file not written: ") {
			t.Errorf("StoreFailed was told %v, want %v", j.told().stores, fails)
		}
	})
}

// A write waits for five seconds for those of other processes.
func TestStore_LockHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	do(t, os.Mkdir(path, 0o700))
	synctest.Test(t, func(t *testing.T) {
		dir, err := disk.Open(path, nil)
		do(t, err)
		defer dir.Close()
		held, err := dir.TryLock("")
		if errors.Is(err, dirlock.ErrUnsupported) {
			t.Skip("no locks on directories here")
		}
		do(t, err)
		i, j := newIssuer(key("a", 0)), &journal{}
		cfg := i.config(t)
		cfg.CacheDir, cfg.Hooks = path, j.hooks()
		s := start(t, cfg)
		mustKeys(t, s, "a")
		time.Sleep(5*time.Second - time.Millisecond)
		if synctest.Wait(); len(j.told().stores) != 0 {
			t.Errorf("StoreFailed was told %v before five seconds were over", j.told().stores)
		}
		time.Sleep(100 * time.Millisecond)
		if synctest.Wait(); len(j.told().stores) != 1 || !errors.Is(j.told().stores[0], dirlock.ErrHeld) {
			t.Errorf("StoreFailed was told %v, want %v once", j.told().stores, dirlock.ErrHeld)
		}
		s.Close()
		held.Unlock()
	})
}

// Keys that were fetched once more and are the same are written every five minutes, for
// the time at which they were confirmed, and others at once.
func TestStore_WritesWhatChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := disktest.New(filepath.Join(t.TempDir(), "keys"))
		writes := 0
		d.Before = func(c *disk.Call) {
			if c.Op == disk.Write {
				writes++
			}
		}
		c := &cellar{t: t, disk: d, issuer: newIssuer(key("a", 0)), wants: []string{""}}
		s := c.start()
		defer s.Close()
		look := func(when, id string, want int) {
			t.Helper()
			writes = 0
			fetched := c.issuer.count()
			_, _ = s.Keys(t.Context(), jws.Named(id))
			synctest.Wait()
			if writes != want || c.issuer.count() == fetched {
				t.Errorf("%s: %d writes after %d fetches, want %d", when, writes, c.issuer.count()-fetched, want)
			}
		}
		look("at first", "a", 1)
		time.Sleep(time.Minute)
		look("the same a minute later", "other", 0)
		c.issuer.publish(key("a", 0), key("b", 1))
		time.Sleep(time.Minute)
		look("one more", "b", 1)
		c.issuer.publish(key("b", 1))
		time.Sleep(time.Minute)
		look("one less", "other", 1)
		time.Sleep(5*time.Minute - 1)
		look("the same for nearly five minutes", "other", 0)
		time.Sleep(time.Minute)
		look("the same for longer", "other", 1)
	})
}

// So it is when the issuer says that nothing has changed.
func TestStore_WritesConfirmations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := disktest.New(filepath.Join(t.TempDir(), "keys"))
		var writes atomic.Int64
		d.Before = func(c *disk.Call) {
			if c.Op == disk.Write {
				writes.Add(1)
			}
		}
		i := newIssuer(key("a", 0))
		i.etag = `"1"`
		i.header.Set("Cache-Control", "max-age=300")
		cfg := keyset.WithRandom(keyset.OnDisk(i.config(t), d.Tap), func() float64 { return 0.5 })
		cfg.CacheDir = d.Path
		s := startHeld(t, cfg)
		mustKeys(t, s, "a")
		for n, want := range []int64{1, 1, 2, 2, 3} { // a refresh every four minutes
			synctest.Wait()
			if i.count() != n+1 || writes.Load() != want {
				t.Errorf("%d writes after %d fetches, want %d after %d", writes.Load(), i.count(), want, n+1)
			}
			time.Sleep(4 * time.Minute)
		}
	})
}
