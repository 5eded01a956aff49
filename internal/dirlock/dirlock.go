// Package dirlock locks directories against other processes. The lock is on the
// directory itself: nothing has to be created for it, and nobody can remove it
// from under those who rely on it.
package dirlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrUnsupported says that the system or the file system has no such locks.
var ErrUnsupported = errors.New("directory cannot be locked")

const retry = 5 * time.Millisecond

// Lock waits for the lock of an open directory until ctx ends. The system
// releases it when its holder ends, however that happens. The error wraps
// [ErrUnsupported] where there are no locks.
func Lock(ctx context.Context, dir *os.File) (unlock func(), err error) {
	for {
		unlock, err := try(dir)
		if err != nil || unlock != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("directory is locked by another process: %w", context.Cause(ctx))
		case <-time.After(retry):
		}
	}
}
