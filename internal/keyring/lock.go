package keyring

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

const (
	lockName  = "keyring.lock"
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
	// Beside the lock on the directory itself that on the file, since earlier versions
	// of this package know that alone.
	l, err := dirlock.Wait(ctx, root, lockName)
	if err != nil {
		return d.wrap(err)
	}
	defer l.Unlock()
	sweep(root)
	return d.wrap(do(root, l.Held))
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
