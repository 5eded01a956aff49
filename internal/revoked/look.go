package revoked

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
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
