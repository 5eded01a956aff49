package revocationtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

var errNoContact = errors.New("no contact")

// A fakeStore is a store in memory, with a fault of its own if it has a flaw.
type fakeStore struct {
	flaw string

	mu      sync.Mutex // guards what follows
	entries []oidcauth.Revocation
	uses    map[[32]byte]bool
	lost    bool // answers are
	space   int
	useFree bool
	changed chan struct{} // closed and replaced at each change
	appends int
}

// A fakeLog is one server's view of it.
type fakeLog struct {
	*fakeStore
	cut     bool // guarded by the store's mu
	pending map[string]bool
	next    int // where Follow stopped, for a flaw
}

func newFakeStore(flaw string) *fakeStore {
	return &fakeStore{flaw: flaw, uses: make(map[[32]byte]bool), space: 1 << 20, useFree: true, changed: make(chan struct{})}
}

// store returns the store with all its hooks.
func (f *fakeStore) store() *Store {
	cut := func(log oidcauth.RevocationLog, on bool) {
		f.change(func() { log.(*fakeLog).cut = on })
	}
	return &Store{
		Open: func() oidcauth.RevocationLog {
			return &fakeLog{fakeStore: f, pending: make(map[string]bool)}
		},
		Cut:  func(log oidcauth.RevocationLog) { cut(log, true) },
		Heal: func(log oidcauth.RevocationLog) { cut(log, false) },
		Restart: func() {
			f.change(func() {
				if f.flaw == "a restart loses the uses" {
					clear(f.uses)
				}
				if f.flaw == "a restart loses the last" && len(f.entries) > 0 {
					f.entries = f.entries[:len(f.entries)-1]
				}
			})
		},
		LoseAnswers: func(on bool) { f.change(func() { f.lost = on }) },
		Fill:        func() { f.change(func() { f.space = len(f.entries) }) },
		FillUses: func() {
			f.change(func() {
				f.useFree = false
				if f.flaw == "uses take the space of revocations" {
					f.space = len(f.entries)
				}
			})
		},
		Wait: 500 * time.Millisecond,
	}
}

func (f *fakeStore) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// answer returns what a writer is told.
func (l *fakeLog) answer(first bool) (bool, error) {
	if !l.lost {
		return first, nil
	}
	if l.flaw == "a lost answer is not stored" {
		return false, fmt.Errorf("%w: no answer", oidcauth.ErrNotStored)
	}
	return false, errNoContact
}

// begin returns why a write cannot be made, or done without it.
func (l *fakeLog) begin(ctx context.Context, name string) (done bool, err error) {
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case l.cut && l.flaw == "what is under way exists" && l.pending[name]:
		return true, nil
	case l.cut:
		l.pending[name] = true
		return false, errNoContact
	}
	return false, nil
}

func (l *fakeLog) Append(ctx context.Context, r oidcauth.Revocation) (added bool, err error) {
	l.change(func() { added, err = l.append(ctx, r) })
	return added, err
}

func (l *fakeLog) append(ctx context.Context, r oidcauth.Revocation) (bool, error) {
	if done, err := l.begin(ctx, r.Subject); done || err != nil {
		return false, err
	}
	if l.flaw == "times in seconds" {
		r.Until = r.Until.Truncate(time.Second)
	}
	for _, e := range l.entries {
		if e == r {
			return l.answer(l.flaw == "equal ones are new")
		}
	}
	l.appends++
	switch {
	case l.flaw == "forgets one of ten" && l.appends%10 == 0:
		return l.answer(true)
	case len(l.entries) >= l.space && l.flaw == "full, and says nothing":
		return l.answer(true)
	case len(l.entries) >= l.space && l.flaw == "full, and evicts the oldest":
		l.entries = l.entries[1:]
	case len(l.entries) >= l.space && l.flaw == "full, and does not know":
		return false, errNoContact
	case len(l.entries) >= l.space:
		return false, fmt.Errorf("%w: full", oidcauth.ErrNotStored)
	}
	l.entries = append(l.entries, r)
	return l.answer(true)
}

func (l *fakeLog) FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error) {
	if l.flaw == "looks first and then writes" {
		l.mu.Lock()
		used := l.uses[id]
		l.mu.Unlock()
		time.Sleep(time.Millisecond)
		l.change(func() { l.uses[id] = true })
		return !used, nil
	}
	l.change(func() { first, err = l.firstUse(ctx, id, until) })
	return first, err
}

func (l *fakeLog) firstUse(ctx context.Context, id [32]byte, until time.Time) (bool, error) {
	if done, err := l.begin(ctx, string(id[:])); done || err != nil {
		return false, err
	}
	if l.uses[id] && l.flaw != "every use is the first" {
		return l.answer(false)
	}
	if !l.useFree {
		return false, fmt.Errorf("%w: full", oidcauth.ErrNotStored)
	}
	l.uses[id] = true
	if l.flaw == "uses are revocations" {
		l.entries = append(l.entries, oidcauth.Revocation{TokenID: string(id[:]), Until: until})
	}
	return l.answer(true)
}

func (l *fakeLog) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(bool)) error {
	next := 0
	l.mu.Lock()
	switch l.flaw {
	case "follows from now on":
		next = len(l.entries)
	case "follows from where it was":
		next = l.next
	}
	l.mu.Unlock()
	if l.flaw == "current before it has read" {
		caughtUp(true)
	}
	for told := false; ; {
		l.mu.Lock()
		cut, changed := l.cut && l.flaw != "does not notice a cut", l.changed
		entries := l.entries[min(next, len(l.entries)):]
		if l.cut {
			entries = nil
		}
		l.mu.Unlock()
		for _, r := range entries {
			apply(r)
		}
		next += len(entries)
		l.mu.Lock()
		l.next = next
		l.mu.Unlock()
		if !told || cut {
			caughtUp(!cut)
			told = !cut
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if l.flaw == "does not end" {
				time.Sleep(time.Second)
			}
			return ctx.Err()
		}
	}
}
