package keyset

import (
	"context"
	"errors"
	"os"
	"regexp"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

const (
	storeTemp = ".tmp-" // behind the file's name, and then a number

	// storeTempAge is how long ago a file was begun that nobody goes on with,
	// where no lock tells.
	storeTempAge = time.Minute
)

var (
	ownTemp    = regexp.MustCompile(`^[0-9a-f]{32}\.json\.tmp-[0-9]+$`)
	formerTemp = regexp.MustCompile(`^\.tmp-[0-9]+$`) // of versions that took no lock
)

// lock waits for the lock on the directory, and clears away what processes that
// were killed have left there.
func (st *store) lock(wait time.Duration) (unlock func(), err error) {
	dir, err := os.Open(st.dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	release, err := dirlock.Lock(ctx, dir)
	if err != nil && !errors.Is(err, dirlock.ErrUnsupported) {
		dir.Close()
		return nil, err
	}
	st.sweep(dir, err == nil)
	if err != nil {
		dir.Close()
		return nil, err
	}
	return func() {
		release()
		dir.Close()
	}, nil
}

// sweep removes unfinished files, of any issuer. Who has the lock is the only one
// to write.
func (st *store) sweep(dir *os.File, locked bool) {
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if ownTemp.MatchString(name) && locked || st.isAbandoned(name) {
			os.Remove(st.dir + string(os.PathSeparator) + name)
		}
	}
}

// isAbandoned reports whether a file is one of ours that was begun long ago.
func (st *store) isAbandoned(name string) bool {
	if !ownTemp.MatchString(name) && !formerTemp.MatchString(name) {
		return false
	}
	info, err := os.Lstat(st.dir + string(os.PathSeparator) + name)
	return err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()).Abs() >= storeTempAge
}

// clean clears the directory, if it is there and nobody writes to it just now.
func (st *store) clean() {
	if checkPath(st.dir, true) != nil {
		return
	}
	if unlock, err := st.lock(0); err == nil {
		unlock()
	}
}
