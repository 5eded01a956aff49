package keyset

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
)

const (
	storeTemp = ".tmp-" // behind the file's name, and then something random

	// storeTempAge is how long ago a file was begun that nobody goes on with,
	// where there is no lock.
	storeTempAge = time.Minute
)

var (
	ownTemp    = regexp.MustCompile(`^[0-9a-f]{32}\.json\.tmp-[0-9A-Z]+$`)
	formerTemp = regexp.MustCompile(`^\.tmp-[0-9]+$`) // of versions that took no lock
)

// sweepShare is how many files, one in so many, there may be for each who comes to a
// directory without clearing it.
const sweepShare = 64

// sweeps knows how many may still come to a directory before it is to be cleared again.
// To clear it costs as much as it has files: of thousands of issuers, each of which has
// one, not each may do that when they start. It is safe for concurrent use.
var sweeps struct {
	mu   sync.Mutex // guards what follows
	left map[string]int
}

// sweepDue reports whether whoever comes to the directory has to clear it.
func (st *store) sweepDue() bool {
	sweeps.mu.Lock()
	defer sweeps.mu.Unlock()
	left := sweeps.left[st.dir]
	if left > 0 {
		sweeps.left[st.dir] = left - 1
	}
	return left == 0
}

// swept notes that the directory was cleared, and how many files it had.
func (st *store) swept(files int) {
	sweeps.mu.Lock()
	defer sweeps.mu.Unlock()
	if sweeps.left == nil {
		sweeps.left = make(map[string]int)
	}
	sweeps.left[st.dir] = files / sweepShare
}

// lock waits for the lock on the directory until a time.
func (st *store) lock(dir *disk.Dir, until time.Time) (unlock func(), err error) {
	return st.locked(dir, st.sweepDue(), func() (*dirlock.Lock, error) {
		ctx, cancel := context.WithDeadline(context.Background(), until)
		defer cancel()
		return dir.Lock(ctx, "")
	})
}

// clean clears the directory, if it is there and nobody writes to it just now.
func (st *store) clean() {
	if !st.sweepDue() {
		return
	}
	dir, err := st.open()
	if err != nil {
		return
	}
	defer dir.Close()
	if unlock, err := st.locked(dir, true, func() (*dirlock.Lock, error) { return dir.TryLock("") }); err == nil {
		unlock()
	}
}

// locked takes the lock on the directory, and clears away what processes that were
// killed have left there, if that is due.
func (st *store) locked(dir *disk.Dir, sweep bool, take func() (*dirlock.Lock, error)) (unlock func(), err error) {
	l, err := take()
	if err != nil && !errors.Is(err, dirlock.ErrUnsupported) {
		return nil, err
	}
	// Unfinished files may be of any issuer. Who has the lock is the only one to write.
	alone := err == nil
	if sweep {
		files := 0
		dir.Sweep(func(name string) bool {
			files++
			return strings.Contains(name, storeTemp) && (ownTemp.MatchString(name) && alone || isAbandoned(dir, name))
		})
		st.swept(files)
	}
	if err != nil {
		return nil, err
	}
	return l.Unlock, nil
}

// isAbandoned reports whether a file is one of ours that was begun long ago.
func isAbandoned(dir *disk.Dir, name string) bool {
	if !ownTemp.MatchString(name) && !formerTemp.MatchString(name) {
		return false
	}
	info, err := dir.Stat(name)
	return err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()).Abs() >= storeTempAge
}
