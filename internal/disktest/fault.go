package disktest

import (
	"errors"
	"slices"
	"syscall"

	"github.com/oidcauth/oidcauth/internal/disk"
)

// A Fault is how a call fails.
type Fault struct {
	Name    string
	Err     error
	Done    bool      // what was to be done is done all the same
	Short   bool      // half of what was to be written is
	Lasting bool      // later calls fail too, until Heal
	Ops     []disk.Op // which calls can fail; empty for all
}

// Faults are the kinds of faults.
var Faults = []Fault{
	{Name: "EIO", Err: syscall.EIO},
	{Name: "a full disk", Err: syscall.ENOSPC, Short: true, Lasting: true, Ops: []disk.Op{disk.Mkdir, disk.Create, disk.Write, disk.Sync, disk.Link, disk.Rename}},
	{Name: "EIO after it was done", Err: syscall.EIO, Done: true},
	{Name: "a read-only disk", Err: syscall.EROFS, Lasting: true, Ops: []disk.Op{disk.Mkdir, disk.Create, disk.Write, disk.Link, disk.Rename, disk.Remove, disk.Lock}},
	{Name: "ENOSPC", Err: syscall.ENOSPC},
	{Name: "killed", Err: errKilled, Lasting: true},
}

// errKilled is what a process meets that is no more.
var errKilled = errors.New("killed")

// Killed reports whether the process is no more that made the calls. Another begins
// with Heal, on what the first has left.
func (d *Disk) Killed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault.Err == errKilled && d.failed != "" && !d.healed
}

// hits reports whether a call can fail so. A lock on a directory itself writes nothing.
func (f Fault) hits(c *disk.Call) bool {
	if c.Op == disk.Lock && c.Name == "" && len(f.Ops) > 0 {
		return false
	}
	return len(f.Ops) == 0 || slices.Contains(f.Ops, c.Op)
}

// changes reports whether a call may change what a file or a directory is.
func changes(op disk.Op) bool {
	return slices.Contains([]disk.Op{disk.Mkdir, disk.Create, disk.Write, disk.Link, disk.Rename, disk.Lock}, op)
}
