package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
)

// ErrOtherUser is wrapped by the error about a file or directory that is not this
// process's user's, nor root's.
var ErrOtherUser = errors.New("belongs to another user")

// CheckWritable refuses a file or directory that others than this process's user and
// root can write to or own. Where there are no Unix modes and owners it trusts the
// access control of the directory.
func CheckWritable(info fs.FileInfo) error { return check(info, 0o022, "writable by") }

// CheckPrivate is [CheckWritable] that refuses also what others can read or enter.
func CheckPrivate(info fs.FileInfo) error { return check(info, 0o077, "open to") }

// check refuses what others have these permissions for, and other owners.
func check(info fs.FileInfo, others fs.FileMode, what string) error {
	name := info.Name()
	if info.IsDir() {
		name = "the directory" // the caller knows its path; the name it was opened by is "."
	}
	mode := info.Mode().Perm()
	switch {
	case runtime.GOOS != "windows" && mode&others != 0:
		return fmt.Errorf("%s is %s others: mode %#o, want %#o", name, what, mode, mode&^others)
	case !isOurs(info):
		return fmt.Errorf("%s %w: want this process's, run it as that one", name, ErrOtherUser)
	}
	return nil
}
