package disktest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/disk"
)

// A model is what the calls have asked of a directory, and what of that survives a
// power cut for sure: a file's content once it was synced, names once the directory
// was, the directory once the one above it was. The rest may be there, in any choice.
type model struct {
	exists, kept bool // the directory itself
	files        map[string]*file
	keptFiles    map[string]*file
	pending      []func(map[string]*file) // of names, since the directory was synced
}

type file struct {
	body   []byte
	synced bool
}

// maxChoices bounds of how many pending changes every choice is tried.
const maxChoices = 6

func (m *model) put(name string, body []byte) {
	if m.files == nil {
		m.files, m.keptFiles = map[string]*file{}, map[string]*file{}
	}
	f := &file{bytes.Clone(body), true}
	m.files[name], m.keptFiles[name] = f, f
}

// apply notes a call that was made.
func (m *model) apply(c *disk.Call) {
	if m.files == nil {
		m.files, m.keptFiles = map[string]*file{}, map[string]*file{}
	}
	f := m.files[c.Name]
	switch c.Op {
	case disk.Mkdir:
		m.exists = true
	case disk.SyncParent:
		m.kept = true
	case disk.Lock:
		if c.Name != "" && f == nil {
			f = &file{synced: true}
			m.change(func(names map[string]*file) { names[c.Name] = f })
		}
	case disk.Create:
		f = &file{}
		m.change(func(names map[string]*file) { names[c.Name] = f })
	case disk.Write:
		f.body = append(f.body, c.Data...)
	case disk.Sync:
		f.synced = true
	case disk.Link:
		m.change(func(names map[string]*file) { names[c.To] = f })
	case disk.Rename:
		m.change(func(names map[string]*file) {
			delete(names, c.Name)
			names[c.To] = f
		})
	case disk.Remove:
		m.change(func(names map[string]*file) { delete(names, c.Name) })
	case disk.SyncDir:
		m.keptFiles, m.pending = maps.Clone(m.files), nil
	}
}

func (m *model) change(do func(map[string]*file)) {
	do(m.files)
	m.pending = append(m.pending, do)
}

// A Cut is what may be there after a power cut. It is nil if the directory is not.
type Cut map[string][]byte

// Cuts returns what a power cut at this moment may leave.
func (d *Disk) Cuts() []Cut {
	d.mu.Lock()
	defer d.mu.Unlock()
	cuts := map[string]Cut{}
	if !d.kept {
		cuts["gone"] = nil
	}
	if d.exists || d.kept {
		for _, names := range d.choices() {
			for _, tear := range tears {
				cut := Cut{}
				for name, f := range names {
					cut[name] = f.body
					if !f.synced {
						cut[name] = tear(f.body)
					}
				}
				cuts[cut.String()] = cut
			}
		}
	}
	return slices.Collect(maps.Values(cuts))
}

// tears are what a power cut makes of a content that was not synced.
var tears = []func([]byte) []byte{
	func([]byte) []byte { return nil },
	func(body []byte) []byte { return body[:len(body)/2] },
	func(body []byte) []byte { return make([]byte, len(body)) },
	func(body []byte) []byte { return body },
}

// choices returns the names that may be there: with each choice of the pending
// changes, or where they are many with the first few, and with all but one.
func (m *model) choices() (all []map[string]*file) {
	n := len(m.pending)
	choose := func(chosen func(i int) bool) {
		names := maps.Clone(m.keptFiles)
		for i, do := range m.pending {
			if chosen(i) {
				do(names)
			}
		}
		all = append(all, names)
	}
	if n <= maxChoices {
		for set := range 1 << n {
			choose(func(i int) bool { return set>>i&1 != 0 })
		}
		return all
	}
	for k := range n + 1 {
		choose(func(i int) bool { return i < k })
		choose(func(i int) bool { return i != k })
	}
	return all
}

// String tells cuts apart.
func (c Cut) String() string {
	if c == nil {
		return "no directory"
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "%s: %q\n", name, c[name])
	}
	return b.String()
}

// Make makes a directory, which must not be there, as the cut left it.
func (c Cut) Make(path string) error {
	if c == nil {
		return nil
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	for name, body := range c {
		if err := os.WriteFile(filepath.Join(path, name), body, 0o600); err != nil {
			return err
		}
	}
	return nil
}
