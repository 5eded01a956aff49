package keyring

import (
	"context"
	"errors"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
)

const (
	lockName  = "keyring.lock"
	lockLimit = 10 * time.Second
)

// errLockLost says that the lock file is no longer the one that was locked.
var errLockLost = errors.New("lock file replaced")

// locked calls do while no other process, and nobody else in this one, changes
// the ring. What held returns becomes false when somebody takes the lock away.
func (d *Dir) locked(ctx context.Context, do func(dir *disk.Dir, held func() bool) error) error {
	// Beside the lock on the directory itself that on the file, since earlier versions
	// of this package know that alone.
	return d.lockedBy(ctx, lockName, do)
}

// lockedBy is locked with the lock of a name, or without a name that on the directory
// alone, which not every system has.
func (d *Dir) lockedBy(ctx context.Context, name string, do func(dir *disk.Dir, held func() bool) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, err := d.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	l, err := dir.Lock(ctx, name)
	if err != nil {
		return d.wrap(err)
	}
	defer l.Unlock()
	dir.Sweep(isUnfinished) // what a crash left behind
	return d.wrap(do(dir, l.Held))
}
