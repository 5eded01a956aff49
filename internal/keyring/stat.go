package keyring

import (
	"io/fs"
	"os"
	"path/filepath"
)

// A Stat is what a [Dir] looks like from outside, at the price of one question
// to the file system. The zero Stat is of a ring that cannot be seen.
type Stat struct{ info fs.FileInfo }

// Stat looks at the file that holds the ring.
func (d *Dir) Stat() Stat {
	info, err := os.Lstat(filepath.Join(d.path, ringName))
	if err != nil {
		return Stat{}
	}
	return Stat{info}
}

// Same reports whether the ring is the one that it was: the same file with the
// same time and size. A ring that cannot be seen is never the same.
func (s Stat) Same(earlier Stat) bool {
	return os.SameFile(s.info, earlier.info) && // false where there is none
		s.info.ModTime().Equal(earlier.info.ModTime()) &&
		s.info.Size() == earlier.info.Size()
}
