//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dirlock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// try returns nil without an error if somebody else holds the lock.
func try(dir *os.File) (unlock func(), err error) {
	fd := int(dir.Fd())
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return func() { syscall.Flock(fd, syscall.LOCK_UN) }, nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
}
