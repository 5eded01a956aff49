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
	// where there is no lock.
	storeTempAge = time.Minute
)

var (
	ownTemp    = regexp.MustCompile(`^[0-9a-f]{32}\.json\.tmp-[0-9]+$`)
	formerTemp = regexp.MustCompile(`^\.tmp-[0-9]+$`) // of versions that took no lock
)

// lock waits for the lock on the directory.
func (st *store) lock() (unlock func(), err error) {
	return st.locked(func(root *os.Root) (*dirlock.Lock, error) {
		ctx, cancel := context.WithTimeout(context.Background(), storeLockTime)
		defer cancel()
		return dirlock.Wait(ctx, root, "")
	})
}

// clean clears the directory, if it is there and nobody writes to it just now.
func (st *store) clean() {
	if checkPath(st.dir, true) != nil {
		return
	}
	unlock, err := st.locked(func(root *os.Root) (*dirlock.Lock, error) { return dirlock.Try(root, "") })
	if err == nil {
		unlock()
	}
}

// locked takes the lock on the directory, and clears away what processes that were
// killed have left there.
func (st *store) locked(take func(*os.Root) (*dirlock.Lock, error)) (unlock func(), err error) {
	root, err := os.OpenRoot(st.dir)
	if err != nil {
		return nil, err
	}
	l, err := take(root)
	if err == nil || errors.Is(err, dirlock.ErrUnsupported) {
		sweep(root, err == nil)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return func() {
		l.Unlock()
		root.Close()
	}, nil
}

// sweep removes unfinished files, of any issuer. Who has the lock is the only one
// to write.
func sweep(root *os.Root, locked bool) {
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if ownTemp.MatchString(name) && locked || isAbandoned(root, name) {
			root.Remove(name)
		}
	}
}

// isAbandoned reports whether a file is one of ours that was begun long ago.
func isAbandoned(root *os.Root, name string) bool {
	if !ownTemp.MatchString(name) && !formerTemp.MatchString(name) {
		return false
	}
	info, err := root.Lstat(name)
	return err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()).Abs() >= storeTempAge
}
