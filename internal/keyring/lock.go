package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

const (
	lockName  = "keyring.lock"
	lockRetry = 5 * time.Millisecond
	lockLimit = 10 * time.Second
)

// errLockLost says that the lock file is no longer the one that was locked.
var errLockLost = errors.New("lock file replaced")

// locked calls do while no other process, and nobody else in this one, changes
// the ring. What held returns becomes false when somebody takes the lock away.
func (d *Dir) locked(ctx context.Context, do func(root *os.Root, held func() bool) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	// The lock on the directory cannot be taken away, but not every file system
	// has it, and earlier versions of this package know the file alone.
	unlockDir, err := lockDir(ctx, root)
	if err != nil {
		return d.wrap(err)
	}
	defer unlockDir()
	f, unlock, err := lock(ctx, root)
	if err != nil {
		return d.wrap(err)
	}
	defer unlock()
	sweep(root)
	return d.wrap(do(root, func() bool { return isAt(root, f) }))
}

func lockDir(ctx context.Context, root *os.Root) (unlock func(), err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	release, err := dirlock.Lock(ctx, dir)
	switch {
	case errors.Is(err, dirlock.ErrUnsupported):
		return func() { dir.Close() }, nil
	case err != nil:
		dir.Close()
		return nil, fmt.Errorf("%w: %w", ErrRing, err)
	}
	return func() {
		release()
		dir.Close()
	}, nil
}

// lock waits for the lock file until ctx ends.
func lock(ctx context.Context, root *os.Root) (f *os.File, unlock func(), err error) {
	for {
		f, unlock, err := tryLock(root)
		if err != nil {
			return nil, nil, err
		}
		if f != nil && isAt(root, f) {
			return f, unlock, nil
		}
		if f != nil {
			unlock() // of a file that was removed meanwhile
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: %s is held by another process: %w", ErrRing, lockName, context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}

// isAt reports whether the lock file is the one that others would lock.
func isAt(root *os.Root, f *os.File) bool {
	locked, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := root.Lstat(lockName)
	return err == nil && os.SameFile(locked, named)
}

// sweep removes what a crash left behind. The lock must be held.
func sweep(root *os.Root) {
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, tempName) {
			root.Remove(name)
		}
	}
}
