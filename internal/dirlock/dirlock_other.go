//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dirlock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// flock finds no locks on directories here.
func flock(*os.File) error { return ErrUnsupported }

func lockFile(root *os.Root, name string) (*os.File, error) {
	open := root.OpenFile
	if runtime.GOOS == "windows" {
		// What os.Root opens there, others may remove.
		open = func(name string, flag int, mode os.FileMode) (*os.File, error) {
			return os.OpenFile(filepath.Join(root.Name(), name), flag, mode)
		}
		root.Remove(name) // succeeds only if its holder is gone
	}
	f, err := open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, ErrHeld
	}
	return f, err
}

func unlockFile(root *os.Root, name string, f *os.File) {
	f.Close()
	root.Remove(name)
}
