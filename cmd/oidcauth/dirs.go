package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// checkDirs reports a directory of revocations that is another one, too.
func (file *fileConfig) checkDirs() error {
	own := file.Revocations.dir()
	for _, other := range [...]struct{ member, dir string }{{"key_cache_dir", file.KeyCacheDir}, {"local_issuer.dir", file.LocalIssuer.dir()}} {
		if own != "" && other.dir != "" && sameDir(own, other.dir) {
			return fmt.Errorf(`its "dir" is %s: want one of its own`, other.member)
		}
	}
	return nil
}

// sameDir reports whether two names are those of one directory, which need not be there.
func sameDir(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	a, errA = filepath.Abs(a)
	b, errB = filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}
