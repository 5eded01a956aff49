package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
)

var (
	// ErrUnsure says that a file has the new content, which a power cut may still undo.
	ErrUnsure = errors.New("written, but a power cut may undo it")

	// ErrNoLink says that a file could not be given its name where none must be: not
	// every file system has links.
	ErrNoLink = errors.New("no link made")
)

// Replace gives the file of a name this content, whether it is there or not. When it
// returns without error that survives a power cut; with one the file has the content of
// before or this one, the latter if the error is [ErrUnsure]. Until the file bears its
// name it is called temp and something random. Nobody but its owner may read it.
func (d *Dir) Replace(name, temp string, body []byte) error {
	return d.place(name, temp, body, Rename)
}

// Create is Replace for a file that is not there yet: the error is [fs.ErrExist] if
// there is one, and [ErrNoLink] where there are no links.
func (d *Dir) Create(name, temp string, body []byte) error {
	return d.place(name, temp, body, Link)
}

func (d *Dir) place(name, temp string, body []byte, how Op) error {
	temp += rand.Text()
	if err := d.write(temp, body); err != nil {
		d.Remove(temp) // the cause is told; what cannot be removed is swept later
		return fmt.Errorf("%s is not written: %w", name, err)
	}
	err := d.call(&Call{Op: how, Name: temp, To: name}, func() error {
		if how == Rename {
			return d.root.Rename(temp, name)
		}
		return d.root.Link(temp, name)
	})
	if err != nil || how == Link {
		d.Remove(temp)
	}
	switch {
	case err == nil:
		return d.sync(name)
	case how == Link:
		err = fmt.Errorf("%w: %w", ErrNoLink, err)
	}
	return fmt.Errorf("%s is not written: %w", name, err)
}

// write makes a file whose content survives a power cut, though its name may not.
func (d *Dir) write(name string, body []byte) error {
	var f *os.File
	err := d.call(&Call{Op: Create, Name: name}, func() (err error) {
		f, err = d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		if f != nil {
			f.Close()
		}
		return err
	}
	c := &Call{Op: Write, Name: name, Data: body}
	err = d.call(c, func() error {
		_, err := f.Write(c.Data)
		return err
	})
	if err == nil {
		err = d.call(&Call{Op: Sync, Name: name}, f.Sync)
	}
	if closed := d.call(&Call{Op: Close, Name: name}, f.Close); err == nil {
		err = closed
	}
	return err
}

// sync has the names in the directory survive a power cut, that of a new file above all.
func (d *Dir) sync(name string) error {
	err := d.call(&Call{Op: SyncDir}, func() error { return syncDir(d.root.Open) })
	if err != nil {
		return fmt.Errorf("%s is %w: %w", name, ErrUnsure, err)
	}
	return nil
}

// syncDir syncs a directory, which "." is to open.
func syncDir(open func(string) (*os.File, error)) error {
	if runtime.GOOS == "windows" {
		return nil // which has no such call
	}
	dir, err := open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
