package revoked

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/oidcauth/oidcauth/internal/disk"
)

// Look reports a directory that has files of something else, which [Dir.Load] refuses. It
// takes nothing, and somebody may have the directory meanwhile; one that is not there is
// none to complain of.
func Look(path string) error {
	files, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, file := range files {
		if name := file.Name(); strings.HasSuffix(name, entrySuffix) && !isEntry(name) {
			return fmt.Errorf("%s: %w", name, errForeign)
		}
	}
	return err
}

// Read returns the revocations of a directory as it is just now, which somebody else may
// have. It takes and changes nothing; a directory that is not there has none.
func Read(path string) (all []Revocation, err error) {
	dir, err := disk.Open(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := Look(path); err != nil {
		return nil, err
	}
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, disk: dir} // without its lock
	for _, name := range names {
		if !strings.HasSuffix(name, entrySuffix) {
			continue
		}
		content, err := d.read(name)
		if errors.Is(err, fs.ErrNotExist) { // it was over meanwhile, or covered by another
			continue
		}
		var r Revocation
		if err == nil {
			r, err = decodeWaiting(content)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, r)
	}
	return all, nil
}
