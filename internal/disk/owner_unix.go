//go:build unix

package disk

import (
	"io/fs"
	"os"
	"syscall"
)

// isOurs reports whether a file belongs to this process's user, or to root, who may
// write to every file whomever it belongs to.
func isOurs(info fs.FileInfo) bool { return isOf(info, os.Geteuid()) }

// isOf is isOurs for a process of that user.
func isOf(info fs.FileInfo, user int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == 0 || int(stat.Uid) == user
}
