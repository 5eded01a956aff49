//go:build unix

package disk_test

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
)

// A fileInfo is what the system says of a file, or of a directory.
type fileInfo struct {
	mode fs.FileMode
	uid  int
}

func (f fileInfo) Name() string       { return "f" }
func (f fileInfo) Size() int64        { return 0 }
func (f fileInfo) Mode() fs.FileMode  { return f.mode }
func (f fileInfo) ModTime() time.Time { return time.Time{} }
func (f fileInfo) IsDir() bool        { return f.mode.IsDir() }
func (f fileInfo) Sys() any           { return &syscall.Stat_t{Uid: uint32(f.uid)} }

func TestCheckWritable(t *testing.T) {
	t.Parallel()
	us := os.Geteuid()
	for _, tt := range []struct {
		name              string
		info              fileInfo
		writable, private string // the errors; empty for none
	}{
		{"ours alone", fileInfo{0o600, us}, "", ""},
		{"our directory", fileInfo{fs.ModeDir | 0o700, us}, "", ""},
		{"root's", fileInfo{0o600, 0}, "", ""},
		{"read-only", fileInfo{0o400, us}, "", ""},
		{"readable by all", fileInfo{0o644, us}, "", "f is open to others: mode 0644, want 0600"},
		{"readable by the group", fileInfo{0o640, us}, "", "f is open to others: mode 0640, want 0600"},
		{"a directory that all may enter", fileInfo{fs.ModeDir | 0o711, us}, "", "the directory is open to others: mode 0711, want 0700"},
		{"writable by the group", fileInfo{0o620, us}, "f is writable by others: mode 0620, want 0600", "f is open to others"},
		{"writable by all", fileInfo{0o602, us}, "f is writable by others: mode 0602, want 0600", "f is open to others"},
		{"a directory writable by all, sticky", fileInfo{fs.ModeDir | fs.ModeSticky | 0o777, us},
			"the directory is writable by others: mode 0777, want 0755", "the directory is open to others: mode 0777, want 0700"},
		{"another user's", fileInfo{0o600, us + 1}, "f belongs to another user", "f belongs to another user: want this process's, run it as that one"},
		{"another user's directory", fileInfo{fs.ModeDir | 0o700, us + 1}, "the directory belongs to another user", "the directory belongs to another user"},
		{"root's, writable by all", fileInfo{0o666, 0}, "f is writable by others", "f is open to others"},
	} {
		for _, of := range []struct {
			name string
			err  error
			want string
		}{
			{"CheckWritable", disk.CheckWritable(tt.info), tt.writable},
			{"CheckPrivate", disk.CheckPrivate(tt.info), tt.private},
		} {
			if (of.err == nil) != (of.want == "") || of.err != nil && !strings.HasPrefix(of.err.Error(), of.want) {
				t.Errorf("%s: %s() error = %v, want %q", tt.name, of.name, of.err, of.want)
			}
		}
	}
}

// A file is whose it is, or root's, whoever runs the process. One of no Unix owner is
// anybody's.
func TestIsOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		owner, user int
		want        bool
	}{{0, 0, true}, {0, 7, true}, {7, 7, true}, {7, 0, false}, {7, 8, false}, {8, 7, false}} {
		if got := disk.IsOf(fileInfo{0o600, tt.owner}, tt.user); got != tt.want {
			t.Errorf("a file of user %d is one for user %d: %t, want %t", tt.owner, tt.user, got, tt.want)
		}
	}
	if !disk.IsOf(ownerless{}, 7) {
		t.Error("a file without an owner is nobody's")
	}
}

// An ownerless file is of a file system without owners.
type ownerless struct{ fileInfo }

func (ownerless) Sys() any { return nil }
