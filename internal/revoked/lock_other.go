//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package revoked

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
)

const lockName = "lock"

// lock creates a file that only one process can create. On Windows nobody can
// remove it while it is open, so that one that can be removed is a dead process's;
// elsewhere it has to be removed by hand after a crash.
func lock(root *os.Root) (unlock func(), err error) {
	if runtime.GOOS == "windows" {
		root.Remove(lockName)
	}
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errInUse
	}
	if err != nil {
		return nil, err
	}
	return func() {
		f.Close()
		root.Remove(lockName)
	}, nil
}
