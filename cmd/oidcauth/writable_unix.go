//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// mayMakeFilesIn returns why this process's user cannot make files in a directory: for want
// of permission, or because the file system is one to read only.
func mayMakeFilesIn(dir string) error {
	const writeAndEnter = 2 | 1 // W_OK and X_OK of access(2)
	if err := syscall.Access(dir, writeAndEnter); err != nil {
		return &fs.PathError{Op: "access", Path: dir, Err: err}
	}
	return nil
}
