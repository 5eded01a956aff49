// Package disktest is a disk for tests of what writes files by package disk. It fails
// at the call that a test names, and it knows what a power cut could leave at any
// moment: which is less than what the calls were to do, and more than nothing.
package disktest

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth/internal/disk"
)

var all = flag.Bool("disk.all", false, "try each fault at each call, and power cuts at each call after that")

// A Disk is a directory of the real file system, seen through a tap. It is safe for
// concurrent use.
type Disk struct {
	Path string

	// Before, if not nil, is called before each call, and must make none.
	Before func(c *disk.Call)

	mu      sync.Mutex // guards what follows
	fault   Fault
	at      int // the call that fails; 0 for none
	healed  bool
	failed  string // which call it was
	calls   int
	exposed []string
	model
}

// New returns a disk for a directory that may be there already, and then survives a
// power cut as it is.
func New(path string) *Disk {
	d := &Disk{Path: path}
	entries, err := os.ReadDir(path)
	if err != nil {
		return d
	}
	d.exists, d.kept = true, true
	for _, e := range entries {
		body, err := os.ReadFile(filepath.Join(path, e.Name()))
		if err != nil {
			panic(err)
		}
		d.put(e.Name(), body)
	}
	return d
}

// Put has a file in the directory as if it had been there for a long time.
func (d *Disk) Put(name string, body []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(name, body)
	return os.WriteFile(filepath.Join(d.Path, name), body, 0o600)
}

// FailAt has the n-th call from now fail, counted from 1.
func (d *Disk) FailAt(n int, f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.at, d.healed, d.failed = f, d.calls+n, false, ""
}

// Heal ends a fault that lasts.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.healed = true
}

// Failed returns which call has failed, and how; empty if none has.
func (d *Disk) Failed() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// Calls returns how many calls there were.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Exposed returns which files others could read or write at any moment, and how.
func (d *Disk) Exposed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.exposed
}

// Tap is the tap. Nothing is synced in earnest: what a power cut leaves is computed.
func (d *Disk) Tap(c *disk.Call, do func() error) error {
	if d.Before != nil {
		d.Before(c)
	}
	d.mu.Lock()
	d.calls++
	fails := d.fails(c)
	d.mu.Unlock()
	switch {
	case fails && d.fault.Short && len(c.Data) > 1:
		c.Data = c.Data[:len(c.Data)/2]
		do()
	case fails && (!d.fault.Done || c.Op == disk.Lock): // no lock is held that nobody knows of
		if c.Op == disk.Close {
			do() // or the test runs out of files
		}
		return d.err(c)
	case c.Op == disk.Sync || c.Op == disk.SyncDir || c.Op == disk.SyncParent:
	default:
		if err := do(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if filepath.Clean(c.Dir) == filepath.Clean(d.Path) {
		d.apply(c)
		d.look(c)
	}
	if fails {
		return d.err(c)
	}
	return nil
}

// err is the error of a call that fails, as package os words it.
func (d *Disk) err(c *disk.Call) error {
	return &fs.PathError{Op: string(c.Op), Path: cmp.Or(c.Name, c.Dir), Err: d.fault.Err}
}

// fails reports whether a call is one that fails.
func (d *Disk) fails(c *disk.Call) bool {
	switch {
	case d.at == 0 || d.healed || d.calls < d.at:
		return false
	case d.calls > d.at && !d.fault.Lasting, !d.fault.hits(c):
		return false
	}
	if d.failed == "" {
		d.failed = fmt.Sprintf("%s at call %d, %s %s", d.fault.Name, d.calls, c.Op, c.Name)
	}
	return true
}

// look notes what others can read or write.
func (d *Disk) look(c *disk.Call) {
	if runtime.GOOS == "windows" || !changes(c.Op) {
		return
	}
	filepath.WalkDir(d.Path, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			d.exposed = append(d.exposed, fmt.Sprintf("%v %s after %s", info.Mode(), path, c.Op))
		}
		return nil
	})
}

// Everywhere runs a test with a fault at each of its calls, on directories that do not
// exist yet. The test is told of the disk, and whether it has to look what power cuts
// would leave. Without -disk.all the faults take turns.
func Everywhere(t *testing.T, test func(t *testing.T, d *Disk, cuts bool)) {
	t.Helper()
	dir := TempDir(t)
	run := func(n int, f Fault, cuts bool) *Disk {
		d := New(filepath.Join(dir, fmt.Sprint(n, f.Name)))
		if n > 0 {
			d.FailAt(n, f)
		}
		test(t, d, cuts)
		if exposed := d.Exposed(); len(exposed) > 0 {
			t.Errorf("%s: open to others: %q", d.Failed(), exposed)
		}
		os.RemoveAll(d.Path)
		return d
	}
	calls := run(0, Fault{}, true).Calls()
	faults := 0
	for n := 1; n <= calls; n++ {
		for i, f := range Faults {
			if (*all || n%len(Faults) == i) && !t.Failed() {
				faults++
				run(n, f, *all)
			}
		}
	}
	t.Logf("%d calls, %d runs with a fault", calls, faults)
}

// TempDir is t.TempDir in memory, if the system has a place for that: a disk that others
// use makes the thousands of small files of a test take long.
func TempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "disktest-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Left returns the files of a directory but those that are named.
func Left(path string, but ...string) (left []string) {
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if !slices.Contains(but, e.Name()) {
			left = append(left, e.Name())
		}
	}
	return left
}
