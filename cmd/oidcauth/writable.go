package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A writtenDir is a directory in which a start makes files, or in which it makes that
// directory itself, unless that has to be there.
type writtenDir struct {
	member, path string
	there        bool
}

// writtenDirs are those of a configuration. Of keys that are another user's nothing is known.
func (file *fileConfig) writtenDirs() []writtenDir {
	dirs := []writtenDir{{"key_cache_dir", file.KeyCacheDir, false}, {"revocations.dir", file.Revocations.dir(), false}}
	if !file.LocalIssuer.isOthers() {
		dirs = append(dirs, writtenDir{"local_issuer.dir", file.LocalIssuer.dir(), false})
	}
	if c := file.Admin; c != nil {
		if socket, isSocket := strings.CutPrefix(c.addr(), unixPrefix); isSocket {
			dirs = append(dirs, writtenDir{"admin.addr", filepath.Dir(socket), true})
		}
	}
	return dirs
}

// tellUnwritable names those in which whoever checks the configuration cannot make files. It
// is no mistake of the configuration: the server may have a user of its own, and what is not
// there yet may be made, or mounted, before it starts.
func (file *fileConfig) tellUnwritable(out io.Writer) {
	for _, dir := range file.writtenDirs() {
		if dir.path == "" {
			continue
		}
		if err := dir.check(); err != nil {
			fmt.Fprintf(out, "oidcauth serve: %s: this user cannot make files in %s: %s\n", dir.member, printable(dir.path), printable(err.Error()))
		}
	}
}

// check returns why files could not be made in the directory, or it itself not, and makes
// nothing.
func (d writtenDir) check() error {
	for path := d.path; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !d.there && path != filepath.Dir(path):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return mayMakeFilesIn(path)
	}
}
