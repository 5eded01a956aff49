//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package revoked

import (
	"errors"
	"os"
	"syscall"
)

// lock locks the directory itself, so that there is no file that somebody could
// remove meanwhile. The system releases it when its holder ends, however that
// happens.
func lock(root *os.Root) (unlock func(), err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { dir.Close() }, nil
	}
	dir.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errInUse
	}
	return nil, err
}
