//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dirlock

import "os"

// try finds no locks on directories here.
func try(*os.File) (unlock func(), err error) { return nil, ErrUnsupported }
