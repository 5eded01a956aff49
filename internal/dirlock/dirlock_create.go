package dirlock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// createFile is lockFile where files have no locks: whoever creates the file has it. On
// Windows nobody can remove a file that is open, so that one whose holder is gone goes.
func createFile(root *os.Root, name string, onWindows bool) (*os.File, error) {
	open := root.OpenFile
	if onWindows {
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

// removeFile is unlockFile of what createFile has locked.
func removeFile(root *os.Root, name string, f *os.File) {
	f.Close()
	root.Remove(name)
}
