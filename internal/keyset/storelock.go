package keyset

import (
	"context"
	"errors"
	"regexp"
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

// lock waits for the lock on the directory.
func lock(dir *disk.Dir) (unlock func(), err error) {
	return locked(dir, func() (*dirlock.Lock, error) {
		ctx, cancel := context.WithTimeout(context.Background(), storeLockTime)
		defer cancel()
		return dir.Lock(ctx, "")
	})
}

// clean clears the directory, if it is there and nobody writes to it just now.
func (st *store) clean() {
	dir, err := st.open()
	if err != nil {
		return
	}
	defer dir.Close()
	if unlock, err := locked(dir, func() (*dirlock.Lock, error) { return dir.TryLock("") }); err == nil {
		unlock()
	}
}

// locked takes the lock on the directory, and clears away what processes that were
// killed have left there.
func locked(dir *disk.Dir, take func() (*dirlock.Lock, error)) (unlock func(), err error) {
	l, err := take()
	if err != nil && !errors.Is(err, dirlock.ErrUnsupported) {
		return nil, err
	}
	// Unfinished files may be of any issuer. Who has the lock is the only one to write.
	alone := err == nil
	dir.Sweep(func(name string) bool { return ownTemp.MatchString(name) && alone || isAbandoned(dir, name) })
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
