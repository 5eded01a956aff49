//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dirlock

import (
	"os"
	"runtime"
)

// flock finds no locks on directories here.
func flock(*os.File) error { return ErrUnsupported }

func lockFile(root *os.Root, name string) (*os.File, error) {
	return createFile(root, name, runtime.GOOS == "windows")
}

func unlockFile(root *os.Root, name string, f *os.File) { removeFile(root, name, f) }
