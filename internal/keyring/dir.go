package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disk"
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
	tap  disk.Tap   // nil but in tests
	mu   sync.Mutex // held while the lock is: a lock excludes other processes only
}

// Open returns the directory if it holds a ring, which a power cut then does not undo.
// Whatever else it finds it refuses and leaves alone. The error wraps [fs.ErrNotExist]
// if there is none.
func Open(path string) (*Dir, error) { return open(path, nil) }

func open(path string, tap disk.Tap) (*Dir, error) {
	d := &Dir{path: path, tap: tap}
	dir, err := d.open()
	if err != nil {
		return d, err
	}
	defer dir.Close()
	if _, err = read(dir); err == nil {
		err = dir.Keep()
	}
	return d, d.wrap(err)
}

// OpenOrCreate is [Open], except that a directory that does not exist or is
// empty is created with a new ring.
func OpenOrCreate(ctx context.Context, path string, now time.Time) (*Dir, error) {
	return openOrCreate(ctx, path, now, nil)
}

func openOrCreate(ctx context.Context, path string, now time.Time, tap disk.Tap) (*Dir, error) {
	d, err := open(path, tap)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := disk.Make(path, tap); err != nil {
		return nil, d.wrap(err)
	}
	return d, d.create(ctx, now)
}

// CheckNew reports why [OpenOrCreate] would make no new ring in a directory that has none:
// nil where it would, and where there is no directory. It makes nothing.
func CheckNew(path string) error {
	d := &Dir{path: path}
	dir, err := d.open()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	defer dir.Close()
	return d.wrap(checkEmpty(dir))
}

// create makes a new ring unless another process was faster. It takes no lock until the
// ring is sure to stay, so that where a lock is there was a ring.
func (d *Dir) create(ctx context.Context, now time.Time) error {
	dir, err := d.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	err = checkEmpty(dir)
	if err == nil {
		err = d.add(ctx, dir, now)
	}
	if err != nil {
		if _, other := read(dir); other != nil {
			return d.wrap(err)
		}
	}
	if err := dir.Keep(); err != nil {
		return d.wrap(err)
	}
	return d.locked(ctx, func(*disk.Dir, func() bool) error { return nil })
}

// add writes a new ring where none is.
func (d *Dir) add(ctx context.Context, dir *disk.Dir, now time.Time) error {
	r, err := New(now)
	if err != nil {
		return err
	}
	body, err := r.encode()
	if err != nil {
		return err
	}
	err = dir.Create(ringName, tempName, body)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case !errors.Is(err, disk.ErrNoLink):
		return err
	}
	return d.addLocked(ctx, body)
}

// addLocked is add where there are no links. As long as there is no ring it leaves no
// file that says that there was one: if the directory itself can be locked it takes no
// other lock.
func (d *Dir) addLocked(ctx context.Context, body []byte) error {
	add := func(dir *disk.Dir, _ func() bool) error {
		if _, err := read(dir); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return dir.Replace(ringName, tempName, body)
	}
	err := d.lockedBy(ctx, "", add)
	if errors.Is(err, dirlock.ErrUnsupported) {
		err = d.lockedBy(ctx, lockName, add)
	}
	return err
}

// Load reads the ring. The error wraps [fs.ErrNotExist] if there is none.
func (d *Dir) Load() (Ring, error) {
	dir, err := d.open()
	if err != nil {
		return Ring{}, err
	}
	defer dir.Close()
	r, err := read(dir)
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
	err := d.locked(ctx, func(dir *disk.Dir, held func() bool) error {
		r, err := read(dir)
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
			err = write(dir, next)
		} else {
			err = dir.Keep() // somebody may have died who was about to
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
func (d *Dir) open() (*disk.Dir, error) {
	named, err := os.Lstat(d.path)
	if err != nil {
		return nil, d.wrap(err)
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		return nil, d.wrap(errors.New("a symbolic link: name the directory itself"))
	}
	dir, err := disk.Open(d.path, d.tap)
	if err != nil {
		return nil, d.wrap(err)
	}
	info, err := dir.Info()
	switch {
	case err != nil:
	case !os.SameFile(named, info):
		err = errors.New("the directory was replaced while it was opened")
	default:
		err = disk.CheckPrivate(info)
	}
	if err != nil {
		dir.Close()
		return nil, d.wrap(err)
	}
	return dir, nil
}

// checkEmpty keeps a new ring out of a directory that holds something else, or
// held a ring whose file was lost.
func checkEmpty(dir *disk.Dir) error {
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case name == lockName:
			return fmt.Errorf("%w: no %s, but the lock of one: restore it from a copy, or empty the directory for new keys", ErrRing, ringName)
		case !isUnfinished(name):
			return fmt.Errorf("%w: no %s, but %q: want an empty directory for a new ring", ErrRing, ringName, name)
		}
	}
	return nil
}

// read reads the file if it is a file of ours.
func read(dir *disk.Dir) (Ring, error) {
	body, err := dir.Read(ringName, maxFile, disk.CheckPrivate)
	if err != nil {
		return Ring{}, err
	}
	return decode(body)
}

// write puts a ring in the place of the one that is there.
func write(dir *disk.Dir, r Ring) error {
	body, err := r.encode()
	if err != nil {
		return err
	}
	return dir.Replace(ringName, tempName, body)
}

func isUnfinished(name string) bool { return strings.HasPrefix(name, tempName) }
