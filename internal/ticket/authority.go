package ticket

import (
	"crypto/rand"
	"time"
)

// An Authority is what one process knows of the tickets of one issuer: who may
// sign them at present, with what they are sealed, which were used here, and when
// those were made that are of this process. It is safe for concurrent use. A nil
// one knows of no key that signs tickets.
type Authority struct {
	secret  func(keyID string) (secret []byte, signs bool)
	unread  func() error
	process string // random; which process it is
	started time.Time
	used    Ledger
}

// NewAuthority returns the Authority of an issuer that began just now. The
// function returns what opens the tickets that a key signed, and whether the key
// may sign tickets at present; unread, which may be nil, what Unread does.
func NewAuthority(secret func(keyID string) (secret []byte, signs bool), unread func() error) *Authority {
	return &Authority{secret: secret, unread: unread, process: rand.Text(), started: time.Now()}
}

// Unread returns why it is not known at present whether the issuer has further keys, or
// nil.
func (a *Authority) Unread() error {
	if a == nil || a.unread == nil {
		return nil
	}
	return a.unread()
}

// Secret returns what opens the tickets that a key signed, and whether the key
// may sign tickets at present.
func (a *Authority) Secret(keyID string) (secret []byte, signs bool) {
	if a == nil {
		return nil, false
	}
	return a.secret(keyID)
}

// Stamp notes in a ticket when it is made, by a clock that nobody sets.
func (a *Authority) Stamp(o *Original) {
	o.Process, o.Uptime = a.process, time.Since(a.started).Milliseconds()
}

// Age returns how long ago a ticket was made, which is known only if this process
// made it.
func (a *Authority) Age(o *Original) (age time.Duration, known bool) {
	if o.Process != a.process {
		return 0, false
	}
	return time.Since(a.started) - time.Duration(o.Uptime)*time.Millisecond, true
}

// Use notes that a ticket is used, and refuses one that was used here before.
// When there is no place to remember another one, it is refused. Now is the time
// by the clock that the expiry is compared with; ageKnown is what Age says.
func (a *Authority) Use(id string, expiry, now time.Time, ageKnown bool) error {
	return a.used.Use(id, expiry, now, ageKnown)
}

// Release takes back what Use has just noted, of a ticket that nobody got anything
// for.
func (a *Authority) Release(id string) { a.used.Release(id) }
