package localissuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// pollInterval is how soon another process's change is noticed when no
	// token brings it to notice earlier.
	pollInterval = 5 * time.Second

	// rejoinTimeout bounds how long a ring that was put back waits for the lock
	// before the next try.
	rejoinTimeout = 5 * time.Second

	// answerTimeout is for how long anybody waits for a directory that does not answer, as
	// one on another machine may. It is longer than the lock is waited for.
	answerTimeout = 2 * rejoinTimeout

	// unreadableLimit is how long the keys in memory serve while their directory
	// cannot be read: as long as those of an issuer that cannot be reached. Keys that
	// others retire meanwhile are kept for so much longer.
	unreadableLimit = keyring.UnreadLimit
)

func (l *Issuer) startPolling() {
	if l.dir == nil || l.readOnly {
		return
	}
	l.reading.Lock()
	l.lastRead = time.Now()
	l.reading.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(pollInterval, l.poll)
}

// poll runs on the timer's goroutine and ends with it.
func (l *Issuer) poll() {
	if !l.beginPoll() {
		return
	}
	defer l.polls.Done()
	l.reread(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.timer.Reset(pollInterval)
	}
}

// beginPoll has Close wait for a poll, unless it is too late for one.
func (l *Issuer) beginPoll() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.polls.Add(1)
	return true
}

// readAfterSleep reads the directory where that is due for so long that others keep a key
// no longer for what is signed with it now: the machine has slept, and the watch, which is
// woken as whoever asks for a token is, may come too late for them.
func (l *Issuer) readAfterSleep() {
	if l.isWatched() && l.readAge() >= unreadableLimit {
		l.reread(true)
	}
}

func (l *Issuer) isWatched() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timer != nil && !l.closed
}

// readAge returns how long ago the directory was read, by either clock.
func (l *Issuer) readAge() time.Duration {
	l.reading.Lock()
	defer l.reading.Unlock()
	return clocks.Age(time.Now(), l.lastRead)
}

// take adopts what the directory holds. An older copy that was put back is first
// brought up to date with what this process knows, and so is one by a clock that is behind.
func (l *Issuer) take(read keyring.Ring, own *look) error {
	before := l.current()
	if _, more, err := read.Merge(before, l.now()); err == nil && !more && read.Issuer == l.url {
		err := l.adopt(read)
		if err == nil {
			l.noteOthers(before, read)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), rejoinTimeout)
	defer cancel()
	var rejoined bool
	ring, err := l.dir.Update(ctx, func(r keyring.Ring) (_ keyring.Ring, changed bool, err error) {
		r, rejoined, err = l.rejoin(r)
		return r, rejoined, err
	})
	if err != nil {
		return l.takeUnwritten(read, own, err)
	}
	if rejoined {
		what := "key directory held an older copy, which was brought up to date"
		if read.Follows(before) {
			what = keptLonger
		}
		l.logger.LogAttrs(ctx, slog.LevelWarn, what,
			slog.String("issuer", l.url), slog.String("signing_key", ring.Active().ID))
	}
	return l.adopt(ring)
}

const keptLonger = "key was retired by a clock that is behind this server's, and is kept for what it has signed"

// noteOthers reports what was made of the keys elsewhere, as Rotate, Import and Remove
// report it here: a server whose keys a command looks after has no other word of it.
func (l *Issuer) noteOthers(before, now keyring.Ring) {
	if sameKeys(before, now) {
		return
	}
	l.logger.LogAttrs(context.Background(), slog.LevelInfo, "key directory has other keys than before",
		slog.String("issuer", l.url), slog.String("signing_key", now.Active().ID), slog.Int("keys", len(now.Keys)))
}

func sameKeys(before, now keyring.Ring) bool {
	return slices.EqualFunc(before.Keys, now.Keys, func(a, b keyring.Key) bool {
		return a.ID == b.ID && a.State == b.State && a.Imported == b.Imported
	})
}

// rejoin adds what this process knows of the ring to what the directory says. It
// reports whether that is more.
func (l *Issuer) rejoin(r keyring.Ring) (keyring.Ring, bool, error) {
	if r.Issuer != "" && r.Issuer != l.url {
		return r, false, fmt.Errorf("%w: the keys are those of issuer %s, want %s", keyring.ErrRing, refusal.Quote(r.Issuer), refusal.Quote(l.url))
	}
	return r.Merge(l.current(), l.now())
}

func (l *Issuer) current() keyring.Ring {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ring.Get()
}

// takeUnwritten is for a directory that could not be brought up to date. What it
// says is removed is trusted no more, and a key that is not in it signs no more, unless
// it is only now that another process is slow: what such a key has signed is lost with
// this process.
func (l *Issuer) takeUnwritten(read keyring.Ring, own *look, cause error) error {
	ring, _, err := l.rejoin(read)
	if err != nil {
		l.signing.Store(stopped(err))
		return err
	}
	if before := l.current(); read.Follows(before) {
		return l.takeLonger(before, ring, cause)
	}
	signs := slices.ContainsFunc(read.Keys, func(k keyring.Key) bool { return k.ID == ring.Active().ID })
	signing := stopped(cause)
	if signs || errors.Is(cause, context.DeadlineExceeded) && own.former == nil {
		signing = l.newSigning(ring.Active())
	}
	return cmp.Or(l.adoptSigning(ring, signing, false), error(&unwrittenError{cause}))
}

// takeLonger is takeUnwritten for a directory that lacks no key and only keeps some for less
// time than this process does. It is what it is to be, but for others that begin now.
func (l *Issuer) takeLonger(before, ring keyring.Ring, cause error) error {
	if !sameKeys(before, ring) {
		l.logger.LogAttrs(context.Background(), slog.LevelWarn, keptLonger+", by this server alone",
			slog.String("issuer", l.url), slog.String("signing_key", ring.Active().ID), slog.String("error", cause.Error()))
	}
	return l.adopt(ring)
}

// An unwrittenError says that all that the directory says is known, and that it does not
// say all that is.
type unwrittenError struct{ error }

func (e *unwrittenError) Unwrap() error { return e.error }

// stopped has tokens and tickets refused until a ring is adopted.
func stopped(cause error) *signing {
	return &signing{err: refusal.Because(refusal.Key, oidcauth.ErrKeysUnavailable, cause)}
}

// noteReading reports the first failure of a series, and its end, and ends trust in the
// keys in memory when it has lasted too long by either clock. The lock of the reading must
// be held.
func (l *Issuer) noteReading(began time.Time, err error) {
	former := l.failing
	l.failing = err
	if err == nil {
		if former != nil {
			l.logger.LogAttrs(context.Background(), slog.LevelInfo, "key directory readable again, and what it is to be",
				slog.String("issuer", l.url))
		}
		if began.After(l.lastRead) {
			l.lastRead = began
		}
		return
	}
	if former == nil {
		l.logger.LogAttrs(context.Background(), slog.LevelError, "key directory not readable or not what it was, the keys in memory go on serving",
			slog.String("issuer", l.url), slog.Duration("limit", unreadableLimit), slog.String("error", err.Error()))
	}
	if clocks.Age(time.Now(), l.lastRead) >= unreadableLimit && l.isWatched() {
		l.withdraw(err)
	}
}

// noteUpdate notes that a change of the directory, which began then, has read it.
func (l *Issuer) noteUpdate(began time.Time) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.noteReading(began, nil)
}

// unread returns why it is not known whether there are keys in the directory that are not
// in memory, or nil.
func (l *Issuer) unread() error {
	l.reading.Lock()
	defer l.reading.Unlock()
	if _, ok := errors.AsType[*unwrittenError](l.failing); ok || l.failing == nil {
		return nil
	}
	return fmt.Errorf("key directory not readable or not what it was: %w", l.failing)
}

// withdraw ends trust in the keys in memory, of which nobody knows any longer
// whether they were removed.
func (l *Issuer) withdraw(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.withdrawn != nil {
		return
	}
	l.withdrawn = fmt.Errorf("key directory not readable for %v: %w", unreadableLimit, cause)
	l.signing.Store(stopped(l.withdrawn))
	cause = errors.Join(cause, l.publishToAll())
	l.logger.LogAttrs(context.Background(), slog.LevelError, "key directory not readable for too long, the keys in memory are trusted no more",
		slog.String("issuer", l.url), slog.String("error", cause.Error()))
}
