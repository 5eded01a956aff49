// Package disk reads and writes the small files that have to survive a crash: the
// local issuer's keys, the issuers' public keys, and revocations that wait to be
// shared. It knows nothing of what is in them. A file is replaced as a whole: whoever
// reads finds the old content or the new one, also after a power cut, and what is
// begun and not ended bears another name.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

// A Dir is an open directory: what was checked is what is used, whatever becomes of
// its path. It is safe for concurrent use.
type Dir struct {
	path string
	root *os.Root
	tap  Tap
}

// Open opens a directory. The tap is nil but in tests.
func Open(path string, tap Tap) (*Dir, error) {
	d := &Dir{path: path, tap: tap}
	err := d.call(&Call{Op: OpenDir}, func() (err error) {
		d.root, err = os.OpenRoot(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Info describes the directory itself.
func (d *Dir) Info() (info fs.FileInfo, err error) {
	err = d.call(&Call{Op: Stat}, func() error {
		info, err = d.root.Stat(".")
		return err
	})
	return info, err
}

// IsAt reports whether a path leads to this directory: it may have been moved away, and
// another one be there, which whoever comes next opens.
func (d *Dir) IsAt(path string) (bool, error) {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	here, err := d.Info()
	return err == nil && os.SameFile(there, here), err
}

// Names returns the names of all that is in the directory, in no order.
func (d *Dir) Names() (names []string, err error) {
	err = d.call(&Call{Op: List}, func() error {
		dir, err := d.root.Open(".")
		if err != nil {
			return err
		}
		defer dir.Close()
		names, err = dir.Readdirnames(-1)
		return err
	})
	return names, err
}

// Stat describes a file, or the link that is in its place.
func (d *Dir) Stat(name string) (info fs.FileInfo, err error) {
	err = d.call(&Call{Op: Stat, Name: name}, func() error {
		info, err = d.root.Lstat(name)
		return err
	})
	return info, err
}

// Read returns the content of a regular file of at most so many bytes that check,
// which may be nil, does not refuse. A link is no regular file.
func (d *Dir) Read(name string, most int64, check func(fs.FileInfo) error) (body []byte, err error) {
	named, err := d.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := acceptable(named, nil); err != nil {
		return nil, err
	}
	err = d.call(&Call{Op: Read, Name: name}, func() error {
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err == nil {
			err = acceptable(info, check)
		}
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(f, most+1))
		}
		return err
	})
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

func acceptable(info fs.FileInfo, check func(fs.FileInfo) error) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", info.Name())
	}
	if check == nil {
		return nil
	}
	return check(info)
}

// Remove removes a file. That it is not there is no error. After a power cut it may be
// there again.
func (d *Dir) Remove(name string) error {
	err := d.call(&Call{Op: Remove, Name: name}, func() error { return d.root.Remove(name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Sweep removes the files that unfinished reports, as far as that is possible. Whoever
// calls it knows that nobody goes on with them.
func (d *Dir) Sweep(unfinished func(name string) bool) {
	names, err := d.Names()
	if err != nil {
		return
	}
	for _, name := range names {
		if unfinished(name) {
			d.Remove(name)
		}
	}
}

// Lock waits for the lock on the directory, and on the file of that name in it unless
// the name is empty: see [dirlock.Wait].
func (d *Dir) Lock(ctx context.Context, name string) (l *dirlock.Lock, err error) {
	err = d.call(&Call{Op: Lock, Name: name}, func() error {
		l, err = dirlock.Wait(ctx, d.root, name)
		return err
	})
	return l, err
}

// TryLock is Lock that does not wait: see [dirlock.Try].
func (d *Dir) TryLock(name string) (l *dirlock.Lock, err error) {
	err = d.call(&Call{Op: Lock, Name: name}, func() error {
		l, err = dirlock.Try(d.root, name)
		return err
	})
	return l, err
}
