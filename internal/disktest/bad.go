package disktest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A Damage is what may be wrong with a directory, and then with what is kept in it.
type Damage struct {
	Name        string
	Root        bool // only root can do it: see [NeedsRoot]
	Spoil, Mend func(t *testing.T, dir string)
	Want        string // in the error
}

// Damages are those of any directory that holds files of ours, of mode 0700.
var Damages = []Damage{
	{Name: "a directory that everybody may write to", Want: "others",
		Spoil: func(t *testing.T, dir string) { chmod(t, dir, 0o707) },
		Mend:  func(t *testing.T, dir string) { chmod(t, dir, 0o700) }},
	{Name: "a directory that its group may write to", Want: "others",
		Spoil: func(t *testing.T, dir string) { chmod(t, dir, 0o770) },
		Mend:  func(t *testing.T, dir string) { chmod(t, dir, 0o700) }},
	{Name: "a directory of another user", Root: true, Want: "another user",
		Spoil: GiveAway, Mend: TakeBack},
	{Name: "a file in the directory's place", Want: "not a directory",
		Spoil: func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+"-away"))
			must(t, os.WriteFile(dir, nil, 0o600))
		},
		Mend: func(t *testing.T, dir string) {
			must(t, os.Remove(dir))
			must(t, os.Rename(dir+"-away", dir))
		}},
}

// NeedsRoot skips a test unless the process is root. Where synctest is used it is called
// outside of the bubble: a test that is skipped within one counts as passed.
func NeedsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
}

// GiveAway has a file or a directory belong to another user, which needs root.
func GiveAway(t *testing.T, path string) {
	t.Helper()
	NeedsRoot(t)
	must(t, os.Chown(path, 12345, -1))
}

// TakeBack has a file or a directory belong to this process's user again.
func TakeBack(t *testing.T, path string) {
	t.Helper()
	must(t, os.Chown(path, os.Geteuid(), -1))
}

// Only returns the path of the one file in a directory.
func Only(t *testing.T, dir string) string {
	t.Helper()
	names := Left(dir)
	if len(names) != 1 {
		t.Fatalf("%s has %q, want one file", dir, names)
	}
	return filepath.Join(dir, names[0])
}

// Tree returns the names, modes and contents below a path. A lock has none, nor has what
// may not be read.
func Tree(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v\n", path, info.Mode())
		if info.Mode().IsRegular() && !strings.HasSuffix(path, ".lock") {
			text, err := os.ReadFile(path)
			if err != nil && !os.IsPermission(err) {
				return err
			}
			fmt.Fprintf(&b, "%s\n", text)
		}
		return nil
	}))
	return b.String()
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no Unix modes")
	}
	must(t, os.Chmod(path, mode))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
