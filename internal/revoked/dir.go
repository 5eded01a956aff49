// Package revoked holds which tokens are revoked in this process, and keeps that
// the same in all processes of a cluster: a [List] is what holds here, a
// [Follower] shares it through a log, and a [Dir] keeps what the log has not taken
// yet, so that it survives the process. It knows neither sessions nor how tokens
// are verified.
package revoked

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
)

const (
	entrySuffix = ".json"
	tempPrefix  = "temporary-"

	// maxEntry bounds a file.
	maxEntry = 64 << 10
)

// ErrDir is wrapped by every error of a [Dir].
var ErrDir = errors.New("directory of revocations")

// lockName names the file that is locked beside the directory, for file systems
// where a directory cannot be.
const lockName = "lock"

var (
	errInUse   = errors.New("in use: want a directory of its own for each process")
	errDamaged = errors.New("damaged")
	errForeign = errors.New("no file of a revocation: want a directory of its own for these, and nothing else in it")
	errFull    = errors.New("full")
	errMoved   = errors.New("moved away, and the next start would read another: put it back, or start again and revoke again")
)

// A Dir is a directory with a small file for each entry, whose name is a hash of
// its content: a file is whole or it is not there, and damage shows. One process
// holds it at a time. It is safe for concurrent use.
type Dir struct {
	path string
	at   string      // the same, wherever the process goes
	top  fs.FileInfo // of what it begins with; nil if that is not to be seen

	mu   sync.Mutex // guards what follows
	disk *disk.Dir  // nil once closed
	lock *dirlock.Lock
}

// Open opens the directory, which it creates if need be, and takes it for this
// process until Close. It is an error if somebody has it already, and if it is not ours
// alone to write to (see [disk.CheckWritable]).
func Open(path string) (*Dir, error) { return open(path, nil) }

// open is [Open] with a tap, for tests.
func open(path string, tap disk.Tap) (*Dir, error) {
	d := &Dir{path: path, at: fromRoot(path)}
	d.top, _ = os.Stat(string(filepath.Separator))
	if err := d.open(tap); err != nil {
		return nil, d.wrap(err)
	}
	return d, nil
}

// fromRoot returns a path that leads to the same place wherever the process goes, if it can
// tell where it is. It takes no ".." out, as [filepath.Abs] does: behind a link that leads
// elsewhere.
func fromRoot(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if here, err := os.Getwd(); err == nil && runtime.GOOS != "windows" {
		return here + string(filepath.Separator) + path
	}
	if abs, err := filepath.Abs(path); err == nil { // there a link changes nothing of ".."
		return abs
	}
	return path
}

func (d *Dir) open(tap disk.Tap) error {
	if err := disk.Make(d.path, tap); err != nil {
		return err
	}
	dir, err := disk.Open(d.path, tap)
	if err != nil {
		return err
	}
	info, err := dir.Info()
	if err == nil {
		err = disk.CheckWritable(info)
	}
	if err == nil {
		d.lock, err = dir.TryLock(lockName)
	}
	if errors.Is(err, dirlock.ErrHeld) {
		err = errInUse
	}
	if err != nil {
		dir.Close()
		return err
	}
	if err := dir.Keep(); err != nil { // an entry whose writer died meanwhile counts from now on
		d.lock.Unlock()
		dir.Close()
		return err
	}
	d.disk = dir
	return nil
}

// Close lets another process have the directory. It may be called more than once.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.disk == nil {
		return nil
	}
	d.lock.Unlock()
	err := d.disk.Close()
	d.disk = nil
	return d.wrap(err)
}

// closeWith is Close where so many entries are to be found by the next process: it is an
// error, too, if that will look elsewhere.
func (d *Dir) closeWith(entries int) error {
	var moved error
	if _, err := d.Has(lockName); entries > 0 && errors.Is(err, errMoved) {
		moved = err
	}
	return errors.Join(moved, d.Close())
}

// Load returns all entries by their names, at most so many. A file that is
// damaged is an error, and so is one entry too many. What a crash left unfinished
// is removed, and files that are nobody's entries are left alone.
func (d *Dir) Load(most int) (map[string][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries, err := d.load(most)
	return entries, d.wrap(err)
}

func (d *Dir) load(most int) (map[string][]byte, error) {
	if d.disk == nil {
		return nil, fs.ErrClosed
	}
	names, err := d.disk.Names()
	if err != nil {
		return nil, err
	}
	entries := make(map[string][]byte)
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			d.disk.Remove(name) // what cannot be removed does no harm
		}
		if !strings.HasSuffix(name, entrySuffix) {
			continue
		}
		if !isEntry(name) {
			return nil, fmt.Errorf("%s: %w", name, errForeign)
		}
		if len(entries) == most {
			return nil, fmt.Errorf("got more than %d entries, want no more", most)
		}
		if entries[name], err = d.read(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return entries, nil
}

// read reads an entry whose content is what its name says.
func (d *Dir) read(name string) ([]byte, error) {
	content, err := d.disk.Read(name, maxEntry, nil)
	if err == nil && nameOf(content) != name {
		err = fmt.Errorf("%w: what it says is lost; remove the file when that is dealt with", errDamaged)
	}
	return content, err
}

// isEntry reports whether a file has the name of an entry, whatever is in it.
func isEntry(name string) bool {
	digest, err := hex.DecodeString(strings.TrimSuffix(name, entrySuffix))
	return err == nil && len(digest) == sha256.Size
}

func nameOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]) + entrySuffix
}

// Put stores an entry and returns its name. When it returns without error, the
// entry survives a crash of the machine, and the next process finds it. With an error it
// may be there all the same.
// Equal entries are one.
func (d *Dir) Put(content []byte) (name string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(content) > maxEntry {
		return "", d.wrap(fmt.Errorf("got %d bytes, want at most %d", len(content), maxEntry))
	}
	if d.disk == nil {
		return "", d.wrap(fs.ErrClosed)
	}
	name = nameOf(content)
	if err := d.inPlace(); err != nil { // before it fills, with files that nobody counts
		return name, d.wrap(err)
	}
	if err := d.disk.Replace(name, tempPrefix, content); err != nil {
		return name, d.wrap(err)
	}
	return name, d.wrap(d.inPlace())
}

// Has reports whether the next process finds an entry that was put: somebody may have taken
// it out, or it is an error that says why all of them are elsewhere.
func (d *Dir) Has(name string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.disk == nil {
		return false, d.wrap(fs.ErrClosed)
	}
	if err := d.inPlace(); err != nil {
		return false, d.wrap(err)
	}
	switch _, err := d.disk.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return true, nil // as far as one can tell
	default:
		return err == nil, d.wrap(err)
	}
}

// inPlace is an error if the next process would not look here. What is written goes to the
// directory that was opened, wherever that is now.
func (d *Dir) inPlace() error {
	is, err := d.disk.IsAt(d.at)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil // a process that has given up rights cannot tell
	case err == nil && !is && d.confined():
		return nil // nor can one for which paths begin elsewhere now
	case err == nil && !is:
		return errMoved
	}
	return err
}

// confined reports whether the process has been given another directory to begin paths with.
func (d *Dir) confined() bool {
	top, err := os.Stat(string(filepath.Separator))
	return err == nil && d.top != nil && !os.SameFile(top, d.top)
}

// Remove removes an entry. After a crash it may be there again, once.
func (d *Dir) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.disk == nil {
		return d.wrap(fs.ErrClosed)
	}
	return d.wrap(d.disk.Remove(name))
}

func (d *Dir) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w %s: %w", ErrDir, d.path, err)
}
