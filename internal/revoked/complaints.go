package revoked

import "sync"

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
	text := reason.Error()
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
