package revoked

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
)

const (
	// maxKept bounds how many revocations a directory keeps, in a file each: those of
	// two issuers with as many logouts as a list keeps of one.
	maxKept = 1 << 17

	// keptInterval is how often those that are over are removed.
	keptInterval = time.Hour

	// roomInterval is how often all that is kept is looked through for room, at most,
	// where that makes little.
	roomInterval = time.Second
)

// A keptLog is the log of a server that shares its revocations with no other: it keeps
// them in a directory, so that they hold after a restart. The files are those of
// revocations that wait, so that a log that comes later gets them all.
type keptLog struct {
	list   *List
	dir    *Dir
	most   int
	logger *slog.Logger

	mu        sync.Mutex // held while what is kept, and its files, change together
	kept      *queue
	looked    time.Time // when little room was made
	shortened time.Time // when there was none without fewer logouts in force
}

// openKept takes the directory and makes what it keeps hold here, before the first token
// is judged.
func (l *List) openKept(path string, tap disk.Tap) (*keptLog, error) {
	dir, err := open(path, tap)
	if err != nil {
		return nil, err
	}
	k := &keptLog{list: l, dir: dir, most: maxKept, logger: l.cfg.Logger, kept: newQueue()}
	if err := dir.loadInto(k.kept, l); err != nil {
		dir.Close()
		return nil, err
	}
	return k, nil
}

// Append implements [Log]. What r makes superfluous is removed once r is written.
func (k *keptLog) Append(ctx context.Context, r Revocation) (added bool, err error) {
	added, err = k.append(ctx, r)
	if errors.Is(err, errFull) && k.shorten() {
		return k.append(ctx, r)
	}
	return added, err
}

// shorten has fewer logouts in force where all that is kept is: one issuer's must not keep
// the revocations of others from being written, nor those of many issuers together, of
// which none has many. Of an issuer that has hardly any that would refuse much and make
// little room. It holds no lock while the list tells of it.
func (k *keptLog) shorten() bool {
	k.mu.Lock()
	due := time.Since(k.shortened) >= roomInterval
	if due {
		k.shortened = time.Now()
	}
	k.mu.Unlock()
	if !due || !k.list.shorten(k.most/16, fewLogouts) {
		return false
	}
	k.mu.Lock()
	k.looked = time.Time{}
	k.mu.Unlock()
	return true
}

// append is Append as far as there is room.
func (k *keptLog) append(ctx context.Context, r Revocation) (added bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.kept.covering(&r); w != nil {
		return false, k.dir.keep(w)
	}
	if n, _ := k.kept.count(); n-len(k.kept.covered(&r)) >= k.most {
		if err := k.makeRoom(ctx); err != nil {
			return false, err
		}
	}
	return true, k.put(ctx, r)
}

// put writes a revocation, and removes those that it covers. The lock must be held.
func (k *keptLog) put(ctx context.Context, r Revocation) error {
	content, err := encodeWaiting(r)
	if err != nil {
		return err
	}
	name, err := k.dir.Put(content)
	if err != nil {
		return err
	}
	covered := k.kept.covered(&r)
	k.kept.add(&waitingEntry{Revocation: r, keeping: keepUntil(r.Until, k.list.cfg.Now()), file: name})
	k.remove(ctx, slices.DeleteFunc(covered, func(w *waitingEntry) bool { return w.file == name }))
	return nil
}

// remove removes what need not be kept any longer. A file that cannot be removed is read
// once more at the next start, which does no harm, and so is one that is over only once the
// directory is closed. The lock must be held.
func (k *keptLog) remove(ctx context.Context, all []*waitingEntry) {
	for _, w := range all {
		k.kept.remove(w)
		if err := k.dir.Remove(w.file); err != nil && !errors.Is(err, fs.ErrClosed) {
			k.logger.LogAttrs(ctx, slog.LevelWarn, "a revocation that is kept no longer is not removed", slog.String("error", err.Error()))
		}
	}
}

// makeRoom has fewer revocations kept, if there is a way. Where it was looked for of late
// with little success it is not: whoever causes logouts would have the server do nothing
// else. The lock must be held.
func (k *keptLog) makeRoom(ctx context.Context) error {
	if time.Since(k.looked) < roomInterval {
		return k.full()
	}
	k.looked = time.Now()
	if err := k.compact(ctx); err != nil {
		return err
	}
	n, _ := k.kept.count()
	if n < k.most-k.most/64 {
		k.looked = time.Time{}
	}
	if n >= k.most {
		return k.full()
	}
	return nil
}

// compact lets go of what is over, and of the logouts that the list has made one
// revocation of, once that is kept. What the list has let go of for another reason stays:
// that for which it did may not be written yet. The lock must be held.
func (k *keptLog) compact(ctx context.Context) error {
	k.remove(ctx, k.kept.over(k.list.cfg.Now(), time.Now()))
	cutoffs := k.list.cutoffs()
	for _, all := range cutoffs {
		for _, e := range all {
			if k.kept.covering(&e.Revocation) != nil {
				continue
			}
			if err := k.put(ctx, e.Revocation); err != nil {
				return err
			}
		}
	}
	k.remove(ctx, k.kept.all(func(w *waitingEntry) bool {
		name, _, _ := strings.Cut(w.Issuer, "|")
		return isEvictable(&w.Revocation) && slices.ContainsFunc(cutoffs[name], func(e entry) bool { return e.cutsOff(&w.Revocation, name) })
	}))
	return nil
}

// full is the error of a directory that keeps all that it may.
func (k *keptLog) full() error {
	n, _ := k.kept.count()
	return fmt.Errorf("%w: %d revocations are kept, want fewer: a shorter life of tokens (MaxTokenLifetime) ends them sooner", errFull, n)
}

// FirstUse implements [Log]. Each process knows what was used in it.
func (k *keptLog) FirstUse(context.Context, [32]byte, time.Time) (first bool, err error) {
	return true, nil
}

// Follow implements [Log]. It removes what is over from time to time.
func (k *keptLog) Follow(ctx context.Context, apply func(Revocation), caughtUp func(current bool)) error {
	for _, w := range k.kept.all(func(*waitingEntry) bool { return true }) {
		apply(w.Revocation)
	}
	caughtUp(true)
	ticker := time.NewTicker(keptInterval)
	defer ticker.Stop()
	for {
		k.dropOver(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// dropOver removes what is over.
func (k *keptLog) dropOver(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(ctx, k.kept.over(k.list.cfg.Now(), time.Now()))
}

// close lets another process have the directory, without what is over: that would have to
// be kept for a day by each that begins. It is an error if what is kept will not be found
// there. It may be called on nil.
func (k *keptLog) close() error {
	if k == nil {
		return nil
	}
	k.dropOver(context.Background())
	n, _ := k.kept.count()
	return k.dir.closeWith(n)
}
