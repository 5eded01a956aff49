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
	lockName = "keyring.lock"
	tempName = "keyring.tmp-"
	maxFile  = 4 << 20

	lockRetry = 5 * time.Millisecond
	lockLimit = 10 * time.Second
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

// create makes a new ring unless another process was faster.
func (d *Dir) create(ctx context.Context, now time.Time) error {
	return d.locked(ctx, func(root *os.Root) error {
		if _, err := read(root); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := checkEmpty(root); err != nil {
			return err
		}
		r, err := New(now)
		if err != nil {
			return err
		}
		return write(root, r)
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
// returns it. No other process changes it meanwhile.
func (d *Dir) Update(ctx context.Context, change func(Ring) (Ring, bool, error)) (Ring, error) {
	var result Ring
	err := d.locked(ctx, func(root *os.Root) error {
		r, err := read(root)
		if err != nil {
			return err
		}
		next, changed, err := change(r)
		if err != nil {
			return err
		}
		if changed {
			next.Generation = r.Generation + 1
			err = write(root, next)
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

// checkEmpty keeps a new ring out of a directory that holds something else, a
// ring whose file was lost for instance.
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
		if name != lockName && !strings.HasPrefix(name, tempName) {
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

// write replaces the file in one step. Readers find the old ring or the new
// one, also after a crash.
func write(root *os.Root, r Ring) error {
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
		err = root.Rename(name, ringName)
	}
	if err != nil {
		return errors.Join(err, root.Remove(name))
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

// locked calls do while no other process, and nobody else in this one, changes
// the ring.
func (d *Dir) locked(ctx context.Context, do func(*os.Root) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	unlock, err := d.lock(ctx, root)
	if err != nil {
		return d.wrap(err)
	}
	defer unlock()
	sweep(root)
	return d.wrap(do(root))
}

// lock waits for the lock, for ctx and for lockLimit.
func (d *Dir) lock(ctx context.Context, root *os.Root) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for {
		unlock, err := tryLock(root)
		if err != nil || unlock != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s is held by another process: %w", ErrRing, lockName, context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}

// sweep removes what a crash left behind. The lock must be held.
func sweep(root *os.Root) {
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, tempName) {
			root.Remove(name)
		}
	}
}
