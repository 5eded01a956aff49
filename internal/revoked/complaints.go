package revoked

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// maxComplaints bounds how many reasons of one outage are written: some name what is
// different each time.
const maxComplaints = 16

// Complaints are the reasons that were written of one outage, each once. The first is
// often that there is no connection; what lasts is another, which has to be known to end it.
// They are safe for concurrent use.
type Complaints struct {
	mu   sync.Mutex // guards told
	told map[string]bool
}

// IsNew reports whether a reason is to be written.
func (c *Complaints) IsNew(reason error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := inEssence(reason)
	if c.told[text] || len(c.told) == maxComplaints {
		return false
	}
	if c.told == nil {
		c.told = make(map[string]bool)
	}
	c.told[text] = true
	return true
}

// Over ends the outage.
func (c *Complaints) Over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = nil
}

// inEssence returns what makes a reason another one: of the directory's what failed and why,
// and not at which file, since each try has a temporary one with a name of its own.
func inEssence(reason error) string {
	if !errors.Is(reason, ErrDir) {
		return reason.Error()
	}
	if failed, ok := errors.AsType[*fs.PathError](reason); ok {
		return failed.Op + ": " + failed.Err.Error()
	}
	if failed, ok := errors.AsType[*os.LinkError](reason); ok {
		return failed.Op + ": " + failed.Err.Error()
	}
	return reason.Error()
}
