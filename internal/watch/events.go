package watch

import (
	"time"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A kind says which hook an event is for.
type kind uint8

const (
	keysFetched kind = iota
	keysState
	sessionStarted
	sessionRenewed
	sessionEnded
	revoked
	missed
)

var kindNames = [...]string{"KeysFetched", "KeysState", "SessionStarted", "SessionRenewed", "SessionEnded", "Revoked", "Missed"}

// An event waits to be told. What is rare is behind a pointer.
type event struct {
	kind    kind
	session authtrace.Session
	rare    any
}

// KeysFetched tells of an attempt to fetch keys.
func (w *Watch) KeysFetched(f authtrace.KeyFetch) {
	if w != nil && w.hooks.KeysFetched != nil {
		f.Issuer = w.Name(f.Issuer)
		w.queue.add(event{kind: keysFetched, rare: f})
	}
}

// KeysState tells of another state of a key set.
func (w *Watch) KeysState(s authtrace.KeyState) {
	if w != nil && w.hooks.KeysState != nil {
		s.Issuer = w.Name(s.Issuer)
		w.queue.add(event{kind: keysState, rare: s})
	}
}

// Revoked tells of a revocation.
func (w *Watch) Revoked(issuer, by string) {
	if w != nil && w.hooks.Revoked != nil {
		w.queue.add(event{kind: revoked, rare: authtrace.Revocation{Issuer: issuer, By: by}})
	}
}

// SessionStarted tells of a session that lives from now on. Sessions has said that
// somebody is told; so it is for those below.
func (w *Watch) SessionStarted(issuer string, started time.Time) {
	w.queue.add(event{kind: sessionStarted, session: authtrace.Session{Issuer: issuer, Started: started, At: started}})
}

// SessionRenewed tells of a session that lives by another token.
func (w *Watch) SessionRenewed(issuer string, started time.Time) {
	w.queue.add(event{kind: sessionRenewed, session: authtrace.Session{Issuer: issuer, Started: started, At: time.Now()}})
}

// SessionEnded tells of a session that has ended.
func (w *Watch) SessionEnded(issuer string, started time.Time, cause error) {
	w.queue.add(event{kind: sessionEnded, session: authtrace.Session{
		Issuer: issuer, Started: started, At: time.Now(), Outcome: refusal.Outcome(cause),
	}})
}

// tell calls the hook that an event is for.
func (w *Watch) tell(e *event) {
	defer w.recover(kindNames[e.kind])
	h := &w.hooks
	switch e.kind {
	case keysFetched:
		h.KeysFetched(e.rare.(authtrace.KeyFetch))
	case keysState:
		h.KeysState(e.rare.(authtrace.KeyState))
	case revoked:
		h.Revoked(e.rare.(authtrace.Revocation))
	case sessionStarted:
		call(h.SessionStarted, e.session)
	case sessionRenewed:
		call(h.SessionRenewed, e.session)
	case sessionEnded:
		call(h.SessionEnded, e.session)
	case missed:
		call(h.Missed, e.rare.(authtrace.Missed))
	}
}

// call calls a hook that may be nil.
func call[E any](hook func(E), e E) {
	if hook != nil {
		hook(e)
	}
}

// Close gives events that wait a little time to be told.
func (w *Watch) Close() {
	if w != nil {
		w.queue.drain(closeTime)
	}
}
