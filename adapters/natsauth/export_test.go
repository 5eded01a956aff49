package natsauth

import "time"

// SetLateness makes entries expire sooner after the end of their revocation.
func (l *Log) SetLateness(d time.Duration) { l.lateness = d }

// Encode gives tests the entry of a revocation.
var Encode = encode

// Expiry gives tests how an entry expires.
var Expiry = expiry

// HasQuorum gives tests the judgement of a bucket's servers.
var HasQuorum = hasQuorum

// Losses of contact.
var (
	ErrSlow     = errSlow
	ErrNoQuorum = errNoQuorum
	ErrStalled  = errStalled
	ErrReplaced = errReplaced
)

// A Contact lets tests lose contact and find it again.
type Contact contact

// NewContact makes a contact that only tells whether it is current.
func NewContact(grace time.Duration, caughtUp func(bool)) *Contact {
	return (*Contact)(&contact{grace: grace, caughtUp: caughtUp})
}

// Lost loses contact.
func (c *Contact) Lost(cause error) { (*contact)(c).lost(cause) }

// Back finds it again.
func (c *Contact) Back() { (*contact)(c).back() }

// End ends it.
func (c *Contact) End() { (*contact)(c).end() }
