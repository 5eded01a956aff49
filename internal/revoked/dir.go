// Package revoked holds which tokens are revoked in this process, and keeps that
// the same in all processes of a cluster: a [List] is what holds here, a
// [Follower] shares it through a log, and a [Dir] keeps what the log has not taken
// yet, so that it survives the process. It knows neither sessions nor how tokens
// are verified.
package revoked

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

const (
	entrySuffix = ".json"
	tempPrefix  = "temporary-"

	// maxEntry bounds a file.
	maxEntry = 64 << 10
)

// ErrDir is wrapped by every error of a [Dir].
var ErrDir = errors.New("directory of waiting revocations")

// lockName names the file that is locked beside the directory, for file systems
// where a directory cannot be.
const lockName = "lock"

var errInUse = errors.New("in use: want a directory of its own for each process")

// A Dir is a directory with a small file for each entry, whose name is a hash of
// its content: a file is whole or it is not there, and damage shows. One process
// holds it at a time. It is safe for concurrent use.
type Dir struct {
	path   string
	before func(call string) error // of each call that changes something; for tests

	mu   sync.Mutex // guards what follows
	root *os.Root   // nil once closed
	lock *dirlock.Lock
}

// Open opens the directory, which it creates if need be, and takes it for this
// process until Close. It is an error if somebody has it already, and if others
// than its owner may write to it.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path}
	if err := d.open(); err != nil {
		return nil, d.wrap(err)
	}
	return d, nil
}

func (d *Dir) open() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	info, err := root.Stat(".")
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("open to others: mode %#o, want %#o", info.Mode().Perm(), 0o700)
	}
	if err == nil {
		d.lock, err = dirlock.Try(root, lockName)
	}
	if errors.Is(err, dirlock.ErrHeld) {
		err = errInUse
	}
	if err != nil {
		root.Close()
		return err
	}
	d.root = root
	return nil
}

// Close lets another process have the directory. It may be called more than once.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	d.lock.Unlock()
	err := d.root.Close()
	d.root = nil
	return d.wrap(err)
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
	if d.root == nil {
		return nil, fs.ErrClosed
	}
	dir, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	entries := make(map[string][]byte)
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			d.root.Remove(name)
		}
		if !strings.HasSuffix(name, entrySuffix) {
			continue
		}
		if len(entries) == most {
			return nil, fmt.Errorf("got more than %d entries, want no more", most)
		}
		if entries[name], err = d.read(name); err != nil {
			return nil, fmt.Errorf("%s: %w: what it says is lost; remove the file when that is dealt with", name, err)
		}
	}
	return entries, nil
}

// read reads an entry whose content is what its name says.
func (d *Dir) read(name string) ([]byte, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxEntry || nameOf(content) != name {
		return nil, errors.New("damaged")
	}
	return content, nil
}

func nameOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]) + entrySuffix
}

// Put stores an entry and returns its name. When it returns without error, the
// entry survives a crash of the machine. Equal entries are one.
func (d *Dir) Put(content []byte) (name string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(content) > maxEntry {
		return "", d.wrap(fmt.Errorf("got %d bytes, want at most %d", len(content), maxEntry))
	}
	if d.root == nil {
		return "", d.wrap(fs.ErrClosed)
	}
	name = nameOf(content)
	return name, d.wrap(d.write(name, content))
}

func (d *Dir) write(name string, content []byte) error {
	temp := tempPrefix + rand.Text()
	if err := d.check("create"); err != nil {
		return err
	}
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = d.fill(f, content)
	if err == nil {
		err = d.check("rename")
	}
	if err == nil {
		err = d.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(temp))
	}
	return d.syncDir()
}

// fill writes and closes a file.
func (d *Dir) fill(f *os.File, content []byte) error {
	err := d.check("write")
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = d.check("sync")
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d *Dir) syncDir() error {
	if err := d.check("sync directory"); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Remove removes an entry. After a crash it may be there again, once.
func (d *Dir) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return d.wrap(fs.ErrClosed)
	}
	err := d.check("remove")
	if err == nil {
		err = d.root.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return d.wrap(err)
}

func (d *Dir) check(call string) error {
	if d.before == nil {
		return nil
	}
	return d.before(call)
}

func (d *Dir) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w %s: %w", ErrDir, d.path, err)
}
