package main

import (
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth"
)

const (
	loginLife     = 12 * time.Hour
	maxLogins     = 10_000
	maxLoginsEach = 20 // of one person
)

// A login is one browser in which somebody has signed in. What it holds stays on the
// server: the browser has its ID alone, in a cookie that no script can read.
type login struct {
	id      string
	who     oidcauth.Identity
	session string // "sid" of the provider, if it names it
	since   time.Time

	over atomic.Bool // the person has signed out, or what they had was taken back

	mu      sync.Mutex // guards all below, and is held while a renewal is under way
	refresh string     // the provider's refresh token; empty if it gave none
	token   string     // the ID token that stands now
	expires time.Time  // of it
	again   time.Time  // before this the provider is not asked
}

// logins are all of them, in memory: a restart signs everybody out.
type logins struct {
	mu  sync.Mutex // guards all
	all map[string]*login
}

// add remembers a login, and returns those that make room for it: all that are too old, then
// the oldest of the same person beyond what each may have, and beyond the limit any.
func (l *logins) add(who oidcauth.Identity, session, token, refresh string, expires, now time.Time) (added *login, gone []*login) {
	added = &login{id: rand.Text(), who: who, session: session, since: now, token: token, refresh: refresh, expires: expires}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = make(map[string]*login)
	}
	var theirs []*login
	for _, old := range l.all {
		switch {
		case now.Sub(old.since) > loginLife:
			gone = append(gone, l.drop(old))
		case old.who == who:
			theirs = append(theirs, old)
		}
	}
	if len(theirs) >= maxLoginsEach {
		oldest := slices.MinFunc(theirs, func(a, b *login) int { return a.since.Compare(b.since) })
		gone = append(gone, l.drop(oldest))
	}
	for _, old := range l.all {
		if len(l.all) < maxLogins {
			break
		}
		gone = append(gone, l.drop(old))
	}
	l.all[added.id] = added
	return added, gone
}

// drop ends a login. The caller holds l.mu.
func (l *logins) drop(of *login) *login {
	of.over.Store(true) // a renewal may be under way
	delete(l.all, of.id)
	return of
}

// find returns the login with an ID, or nil.
func (l *logins) find(id string) *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.all[id]
	if found == nil || time.Since(found.since) > loginLife {
		return nil
	}
	return found
}

// end ends the logins that which is true of, and returns them.
func (l *logins) end(which func(*login) bool) (ended []*login) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.all {
		if which(of) {
			ended = append(ended, l.drop(of))
		}
	}
	return ended
}
