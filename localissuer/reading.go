package localissuer

import (
	"errors"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A look is one reading of the key directory, for all who came before it began: they may
// be many, whom anybody can send.
type look struct {
	always bool // also if, seen from outside, nothing has changed
	began  time.Time
	former error // of the look before
	done   chan struct{}
}

// A watcher looks at a key directory, once at a time. It is guarded by the lock of its
// issuer's reading, but for stat, load and found, which are for the look under way.
type watcher struct {
	now, next *look // under way, and the one after; nil where there is none
	stat      func() keyring.Stat
	load      func() (keyring.Ring, error)
	found     keyring.Stat
}

// reread looks what other processes made of the directory, unless, seen from
// outside, nothing was made of it. Everybody who comes meanwhile waits for the look after:
// their key may be the one that is being written. A directory that does not answer in time
// is one that cannot be read, and nobody waits for it again until it does. The keys in
// memory count for no longer than else.
func (l *Issuer) reread(always bool) {
	if l.dir == nil || l.readOnly { // what is in memory may not be in the directory
		return
	}
	own := l.join(always)
	for left := l.patience(own); left > 0; left = l.patience(own) {
		select {
		case <-own.done:
			return
		case <-time.After(left):
		}
	}
}

// join returns the look that begins next, which is now where none is under way.
func (l *Issuer) join(always bool) *look {
	l.reading.Lock()
	defer l.reading.Unlock()
	w := &l.watcher
	if w.next == nil {
		w.next = &look{done: make(chan struct{})}
	}
	own := w.next
	own.always = own.always || always
	if w.now == nil {
		l.beginLook()
		go l.lookOn(own)
	}
	return own
}

// beginLook makes the next look the one that is under way, if there is one. The lock must
// be held.
func (l *Issuer) beginLook() {
	w := &l.watcher
	w.now, w.next = w.next, nil
	if w.now != nil {
		w.now.began, w.now.former = time.Now(), l.failing
	}
}

// lookOn looks for as long as somebody waits for it.
func (l *Issuer) lookOn(own *look) {
	for own != nil {
		looked, err := l.readNow(own)
		own = l.endLook(own, looked, err)
	}
}

// endLook notes what came of a look, and returns the next one, or nil.
func (l *Issuer) endLook(own *look, looked bool, err error) *look {
	l.reading.Lock()
	defer l.reading.Unlock()
	if looked {
		l.noteReading(own.began, err)
	}
	l.beginLook()
	close(own.done)
	return l.watcher.now
}

// patience returns for how long the look under way, before somebody's own or that itself,
// is still waited for. Where that is no longer the directory is noted to be silent.
func (l *Issuer) patience(own *look) time.Duration {
	l.reading.Lock()
	defer l.reading.Unlock()
	select {
	case <-own.done:
		return 0
	default:
	}
	left := answerTimeout - time.Since(l.watcher.now.began)
	if left <= 0 {
		l.noteReading(time.Time{}, errSilent)
	}
	return left
}

var errSilent = fmt.Errorf("it has not answered for %v", answerTimeout)

// readNow looks at the directory, and reports whether that was more than a look from
// outside. What was read so long ago that nobody is to go by it is an error.
func (l *Issuer) readNow(own *look) (looked bool, err error) {
	w := &l.watcher
	found := w.stat() // before the reading, so that what changes meanwhile is noticed next time
	if !own.always && !errors.Is(own.former, errSilent) && found.Same(w.found) {
		return false, nil
	}
	w.found = found
	ring, err := w.load()
	switch {
	case err != nil:
	case clocks.Age(time.Now(), own.began) >= unreadableLimit:
		err = fmt.Errorf("it has answered after %v", unreadableLimit)
	default:
		err = l.take(ring, own)
	}
	return true, err
}
