//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package keyring

import (
	"errors"
	"io/fs"
	"os"
)

// tryLock returns no file and no error if another process holds the lock. The
// lock is a file that only one can create; after a crash it has to be removed
// by hand.
func tryLock(root *os.Root) (f *os.File, unlock func(), err error) {
	f, err = root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return f, func() {
		f.Close()
		root.Remove(lockName)
	}, nil
}
