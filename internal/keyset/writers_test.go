package keyset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A crowd is the sets of many issuers that write into one directory in turns, where each
// file takes a second unless each says otherwise.
type crowd struct {
	dir     string
	sets    []*keyset.Set
	writers *keyset.Writers
	told    *journal
	each    time.Duration
	locking func() // is called before each takes the lock; may be nil

	inDir, most atomic.Int32 // how many have the directory open to write there
}

// newCrowd has as many sets fetch their keys, all of which are in hand when it returns.
func newCrowd(t *testing.T, many int) *crowd {
	t.Helper()
	c := &crowd{dir: t.TempDir(), told: &journal{}, writers: keyset.NewWriters(), each: time.Second}
	chmod(t, c.dir, 0o700)
	c.more(t, many, func(*testing.T, *keyset.Set) {})
	return c
}

// more has more sets fetch their keys until there are as many, and calls then for each.
func (c *crowd) more(t *testing.T, many int, then func(*testing.T, *keyset.Set)) {
	t.Helper()
	i := newIssuer(key("a", 0))
	cfg := keyset.OnDisk(i.config(t), c.tap)
	cfg.Writers, cfg.Hooks = c.writers, c.told.hooks()
	cfg.CacheDir = c.dir
	for n := len(c.sets); n < many; n++ {
		cfg.Issuer = fmt.Sprint("https://issuer.example/", n)
		c.sets = append(c.sets, start(t, cfg))
		mustKeys(t, c.sets[n], "a")
		then(t, c.sets[n])
	}
}

// hold takes the lock on a directory as another process does.
func hold(t *testing.T, path string) *dirlock.Lock {
	t.Helper()
	dir, err := disk.Open(path, nil)
	do(t, err)
	t.Cleanup(func() { dir.Close() })
	held, err := dir.TryLock("")
	if errors.Is(err, dirlock.ErrUnsupported) {
		t.Skip("no locks on directories here")
	}
	do(t, err)
	return held
}

// tap lets the time pass that each file takes, and counts who is about to write.
func (c *crowd) tap(call *disk.Call, do func() error) error {
	switch call.Op {
	case disk.Lock:
		if c.locking != nil {
			c.locking()
		}
		c.most.Store(max(c.most.Load(), c.inDir.Add(1)))
		defer c.inDir.Add(-1)
	case disk.Sync:
		time.Sleep(c.each)
	}
	return do()
}

// files returns how many are written.
func (c *crowd) files(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(c.dir, "*.json"))
	do(t, err)
	return len(all)
}

// However many issuers' keys come at once, one waits for the directory, with files open, at
// a time, beside the set that has just started and clears it; all are written, whatever time
// that takes.
func TestWriters(t *testing.T) {
	t.Parallel()
	const many = 100
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, many)
		time.Sleep((many + 1) * time.Second)
		if n, most := c.files(t), c.most.Load(); n != many || most > 2 || len(c.told.told().stores) != 0 {
			t.Errorf("%d files are written, %d had the directory open at a time, %v was told; want %d, two at most and nothing", n, most, c.told.told().stores, many)
		}
	})
}

// While another process holds the directory, all who came wait for five seconds and not
// each for as long after the one before.
func TestWriters_LockHeld(t *testing.T) {
	t.Parallel()
	const many = 100
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		chmod(t, path, 0o700)
		held := hold(t, path)
		i, j := newIssuer(key("a", 0)), &journal{}
		cfg := i.config(t)
		cfg.CacheDir, cfg.Hooks, cfg.Writers = path, j.hooks(), keyset.NewWriters()
		for n := range many {
			cfg.Issuer = fmt.Sprint("https://issuer.example/", n)
			mustKeys(t, start(t, cfg), "a")
		}
		time.Sleep(5*time.Second + 100*time.Millisecond)
		if synctest.Wait(); len(j.told().stores) != many {
			t.Errorf("after five seconds %d were told that their file is not written, want %d", len(j.told().stores), many)
		}
		held.Unlock()
		cfg.Issuer = "https://issuer.example/later"
		mustKeys(t, start(t, cfg), "a")
		synctest.Wait()
		if all, err := os.ReadDir(path); err != nil || len(all) != 1 {
			t.Errorf("%d files are written once the directory is free, %v; want one", len(all), err)
		}
	})
}

// Who has stood in line for long, while others of this process wrote, waits for another
// process as long as who has just come.
func TestWriters_LockHeldLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 12
		c := newCrowd(t, 0)
		hold(t, c.dir).Unlock() // or skip here
		began := time.Now()
		c.locking = func() {
			if time.Since(began) == (many-2)*time.Second {
				time.AfterFunc(time.Second, hold(t, c.dir).Unlock)
			}
		}
		c.more(t, many, func(*testing.T, *keyset.Set) {})
		time.Sleep(2 * many * time.Second)
		if n := c.files(t); n != many || len(c.told.told().stores) != 0 {
			t.Errorf("%d files are written, %v was told; want %d and nothing", n, c.told.told().stores, many)
		}
	})
}

// Whoever closes all sets while very many wait for their turn does not wait for all of them;
// as many write as can in a few seconds, which on most disks are thousands.
func TestWriters_Hurry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		many        int
		each        time.Duration // takes a file
		least, most int           // are written
	}{
		{5, time.Second, 5, 5},
		{200, time.Second, 5, 6},
		{500, 5 * time.Millisecond, 500, 500},
	} {
		t.Run(fmt.Sprint(tt.many, " of ", tt.each), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, 0)
				c.each = tt.each
				c.more(t, tt.many, func(*testing.T, *keyset.Set) {})
				synctest.Wait()
				began := time.Now()
				c.writers.Hurry()
				c.writers.Hurry()
				for _, s := range c.sets {
					s.Close()
				}
				if n, took := c.files(t), time.Since(began); n < tt.least || n > tt.most || took > 6*time.Second {
					t.Errorf("%d files are written in %v once sets are closed, want %d to %d in six seconds at most", n, took, tt.least, tt.most)
				}
			})
		})
	}
	(*keyset.Writers)(nil).Hurry()
}

// An issuer that is let go of while others' keys are written is not waited for.
func TestWriters_SetClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		c := newCrowd(t, many)
		synctest.Wait()
		began := time.Now()
		for _, s := range c.sets[many/2:] {
			s.Close()
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("to close sets that wait for their turn took %v, want a second at most", took)
		}
		time.Sleep(many * time.Second)
		if n := c.files(t); n < many/2 || n > many/2+1 {
			t.Errorf("%d files are written, want those of the %d sets that were not closed", n, many/2)
		}
	})
}

// A set stands in line once, however often its keys were confirmed meanwhile: who has
// nothing to write does not find out whether others still hold the directory.
func TestWriters_OncePerSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 5
		c := newCrowd(t, 0)
		held := hold(t, c.dir)
		defer held.Unlock()
		c.more(t, many, func(t *testing.T, s *keyset.Set) {
			for n := range 3 {
				if _, err := s.Keys(t.Context(), jws.Named(fmt.Sprint("unknown ", n))); err == nil {
					t.Error("a key is found that the issuer does not have")
				}
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(5*time.Second + 100*time.Millisecond)
		if synctest.Wait(); len(c.told.told().stores) != many {
			t.Errorf("after five seconds %d were told that their file is not written, want %d", len(c.told.told().stores), many)
		}
	})
}
