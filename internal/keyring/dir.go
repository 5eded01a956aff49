package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	ringName = "keyring.json"
	tempName = "keyring.tmp-"
	maxFile  = 4 << 20
)

// A Dir is a directory that holds a ring: one file, which is replaced as a
// whole, and a lock for those who replace it. It is safe for concurrent use.
type Dir struct {
	path string
	mu   sync.Mutex // held while the lock is: a lock excludes other processes only
}

// Open returns the directory if it holds a ring. Whatever else it finds it
// refuses and leaves alone. The error wraps [fs.ErrNotExist] if there is none.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path}
	_, err := d.Load()
	return d, err
}

// OpenOrCreate is [Open], except that a directory that does not exist or is
// empty is created with a new ring.
func OpenOrCreate(ctx context.Context, path string, now time.Time) (*Dir, error) {
	d, err := Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRing, err)
	}
	return d, d.create(ctx, now)
}

// create makes a new ring unless another process was faster. It takes no lock, so
// that where a lock is there was a ring.
func (d *Dir) create(ctx context.Context, now time.Time) error {
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	err = checkEmpty(root)
	if err == nil {
		err = d.add(ctx, root, now)
	}
	if err != nil {
		if _, other := read(root); other != nil {
			return d.wrap(err)
		}
	}
	return d.locked(ctx, func(*os.Root, func() bool) error { return nil })
}

// add writes a new ring where none is.
func (d *Dir) add(ctx context.Context, root *os.Root, now time.Time) error {
	r, err := New(now)
	if err != nil {
		return err
	}
	err = writeTo(root, r, root.Link)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	// Not every file system has links.
	return d.locked(ctx, func(root *os.Root, _ func() bool) error {
		if _, err := read(root); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return writeTo(root, r, root.Rename)
	})
}

// Load reads the ring. The error wraps [fs.ErrNotExist] if there is none.
func (d *Dir) Load() (Ring, error) {
	root, err := d.open()
	if err != nil {
		return Ring{}, err
	}
	defer root.Close()
	r, err := read(root)
	return r, d.wrap(err)
}

// Update replaces the ring with what change makes of the one that is there, and
// returns it. No other process changes it meanwhile: change is called again if
// somebody took the lock away. What change returns is a generation younger than
// both rings.
func (d *Dir) Update(ctx context.Context, change func(Ring) (Ring, bool, error)) (Ring, error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for {
		result, err := d.update(ctx, change)
		if !errors.Is(err, errLockLost) {
			return result, err
		}
	}
}

func (d *Dir) update(ctx context.Context, change func(Ring) (Ring, bool, error)) (Ring, error) {
	var result Ring
	err := d.locked(ctx, func(root *os.Root, held func() bool) error {
		r, err := read(root)
		if err != nil {
			return err
		}
		next, changed, err := change(r)
		if err != nil {
			return err
		}
		if changed {
			next.Generation = max(r.Generation, next.Generation) + 1
			if next.ID == "" {
				next.ID = rand.Text()
			}
			if !held() {
				return errLockLost
			}
			err = writeTo(root, next, root.Rename)
		}
		result = next
		return err
	})
	return result, err
}

func (d *Dir) wrap(err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrRing) {
		err = fmt.Errorf("%w: %w", ErrRing, err)
	}
	return fmt.Errorf("%s: %w", d.path, err)
}

// open opens the directory itself, so that what was checked is what is used.
func (d *Dir) open() (*os.Root, error) {
	named, err := os.Lstat(d.path)
	if err != nil {
		return nil, d.wrap(err)
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		return nil, d.wrap(errors.New("a symbolic link: name the directory itself"))
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, d.wrap(err)
	}
	info, err := root.Stat(".")
	switch {
	case err != nil:
	case !os.SameFile(named, info):
		err = errors.New("the directory was replaced while it was opened")
	default:
		err = checkMode(info, 0o700)
	}
	if err != nil {
		root.Close()
		return nil, d.wrap(err)
	}
	return root, nil
}

// checkMode refuses what anybody but the owner may read or write.
func checkMode(info fs.FileInfo, want fs.FileMode) error {
	name := info.Name()
	if info.IsDir() {
		name = "the directory" // its path stands before the error, its name here is "."
	}
	switch {
	case runtime.GOOS != "windows" && info.Mode().Perm()&^want != 0:
		return fmt.Errorf("%w: %s is open to others: mode %#o, want %#o", ErrRing, name, info.Mode().Perm(), want)
	case !ownedByUs(info):
		return fmt.Errorf("%w: %s belongs to another user", ErrRing, name)
	}
	return nil
}

// checkEmpty keeps a new ring out of a directory that holds something else, or
// held a ring whose file was lost.
func checkEmpty(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case name == lockName:
			return fmt.Errorf("%w: no %s, but the lock of one: restore it from a copy, or empty the directory for new keys", ErrRing, ringName)
		case !strings.HasPrefix(name, tempName):
			return fmt.Errorf("%w: no %s, but %q: want an empty directory for a new ring", ErrRing, ringName, name)
		}
	}
	return nil
}

// read reads the file if it is a file of ours.
func read(root *os.Root) (Ring, error) {
	named, err := root.Lstat(ringName)
	if err != nil {
		return Ring{}, err
	}
	if !named.Mode().IsRegular() {
		return Ring{}, fmt.Errorf("%w: %s is not a regular file", ErrRing, ringName)
	}
	f, err := root.Open(ringName)
	if err != nil {
		return Ring{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Ring{}, err
	}
	if !info.Mode().IsRegular() {
		return Ring{}, fmt.Errorf("%w: %s is not a regular file", ErrRing, ringName)
	}
	if err := checkMode(info, 0o600); err != nil {
		return Ring{}, err
	}
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Ring{}, err
	}
	if len(body) > maxFile {
		return Ring{}, fmt.Errorf("%w: %s is larger than %d bytes", ErrRing, ringName, maxFile)
	}
	return decode(body)
}

// writeTo writes the ring to a file of its own and has place give it the ring's
// name, in one step: a link where no ring may be, a new name where one is.
// Readers find the old ring or the new one, also after a crash.
func writeTo(root *os.Root, r Ring, place func(from, to string) error) error {
	body, err := r.encode()
	if err != nil {
		return err
	}
	name := tempName + rand.Text()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = place(name, ringName)
	}
	if gone := root.Remove(name); err != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err != nil {
		return err
	}
	return syncDir(root)
}

func syncDir(root *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
