package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Make makes a directory, which nobody but its owner may enter, and those above it,
// unless they are there. When it returns without error the directory's name survives a
// power cut, also if somebody else has just made it: what is in a directory that is lost
// is lost, however well it was written.
func Make(path string, tap Tap) error {
	path = trimmed(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case err == nil:
		return syncParent(path, tap)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if parent := above(path); parent != path {
		if err := Make(parent, tap); err != nil {
			return err
		}
	}
	err = tap.call(&Call{Op: Mkdir, Dir: path}, func() error { return os.Mkdir(path, 0o700) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncParent(path, tap)
}

// above returns the path of the directory that a directory is in. It takes no ".." out, as
// [filepath.Dir] does: behind a link that leads elsewhere.
func above(path string) string {
	dir, _ := filepath.Split(path)
	return trimmed(dir)
}

// trimmed returns a path without what says nothing at its end, separators and ".", unless
// it is nothing else.
func trimmed(path string) string {
	for last := len(path) - 1; last > len(filepath.VolumeName(path)); last-- {
		if !os.IsPathSeparator(path[last]) && (path[last] != '.' || !os.IsPathSeparator(path[last-1])) {
			break
		}
		path = path[:last]
	}
	if path == "" {
		return "."
	}
	return path
}

// syncParent syncs the directory that a directory is in.
func syncParent(path string, tap Tap) error {
	return possible(tap.call(&Call{Op: SyncParent, Dir: path}, func() error {
		return syncDir(func(string) (*os.File, error) { return os.Open(above(path)) })
	}))
}

// Keep has what is in the directory survive a power cut, also if whoever wrote it died
// before that was sure. Call it before going by what was found there.
func (d *Dir) Keep() error {
	return possible(d.call(&Call{Op: SyncDir}, func() error { return syncDir(d.root.Open) }))
}

// possible returns an error of syncing unless it is not ours to do, because we may not
// read the directory, or cannot be done there.
func possible(err error) error {
	for _, beyondUs := range []error{fs.ErrPermission, errors.ErrUnsupported, syscall.EINVAL, syscall.EROFS} {
		if errors.Is(err, beyondUs) {
			return nil
		}
	}
	return err
}
