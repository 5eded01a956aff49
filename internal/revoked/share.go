package revoked

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// maxUnshared bounds the memory of revocations that wait for the log, and
	// maxUnsharedLogouts how many wait where one more is a logout: whoever runs an issuer,
	// or signs in and out there, causes those, and must not keep out what else is revoked.
	maxUnshared        = 10_000
	maxUnsharedLogouts = maxUnshared - maxUnshared/16

	// maxFiles bounds what is read of a directory at the start. There may be more than
	// a process keeps: a revocation is written before those that it covers are removed,
	// and it can end between the two. Before there was a log, more than can wait was kept.
	maxFiles = 2 * maxKept

	// appendTimeout bounds one attempt to share a revocation late.
	appendTimeout = 10 * time.Second
)

// Share makes a revocation that holds here hold everywhere: at once, or else, with
// an error, when that is possible again. Durable says that it is in the log or
// waits where it survives this process, or that there is nobody to share it with.
func (f *Follower) Share(ctx context.Context, r Revocation) (durable bool, err error) {
	if f == nil {
		return true, nil
	}
	if _, err := f.cfg.Log.Append(ctx, r); err != nil {
		return f.shareLater(ctx, r, err)
	}
	f.shared(ctx, &r)
	return true, nil
}

// shareLater has a revocation shared as soon as the log takes it, and returns the error
// that says so, with why it was not taken at once. Durable says that it waits in
// the directory. What it makes superfluous waits no longer.
func (f *Follower) shareLater(ctx context.Context, r Revocation, cause error) (durable bool, err error) {
	f.filing.Lock()
	defer f.filing.Unlock()
	const what = "the revocation holds here and"
	w := f.unshared.covering(&r)
	if w == nil {
		count, _ := f.unshared.count()
		switch {
		case f.ended:
			return false, &waitError{what, ErrNotShared, "", refusal.ErrClosed}
		case count-len(f.unshared.covered(&r)) >= mostUnshared(&r):
			return false, &waitError{what, ErrNotShared, "unless it is repeated: too many wait already", cause}
		}
		w = &waitingEntry{Revocation: r, keeping: keepUntil(r.Until, f.now())}
		f.unshared.add(w)
		if f.isNews(&r, cause) || count == 0 {
			f.logWaits(ctx, cause)
		}
		if count == 0 {
			f.unshared.wakeUp()
		}
	}
	failed := f.write(w)
	f.replace(ctx, w)
	switch {
	case failed != nil:
		f.logger.LogAttrs(ctx, slog.LevelError, "a revocation that waits is not written", slog.String("error", failed.Error()))
		return false, &waitError{what, ErrNotWritten, failed.Error(), cause}
	case f.kept != nil:
		return false, &waitError{what, ErrNotWritten, "", cause}
	case f.dir == nil:
		return false, &waitError{what, ErrWaits, "in memory only: it is lost with this process", cause}
	}
	return true, &waitError{what, ErrWaits, "", cause}
}

// mostUnshared returns beside how many others a revocation may wait.
func mostUnshared(r *Revocation) int {
	if isEvictable(r) {
		return maxUnsharedLogouts
	}
	return maxUnshared
}

// isNews reports whether it is to be told why a revocation waits. That one is over, which
// is offered to the log for a day all the same, is no reason why others wait.
func (f *Follower) isNews(r *Revocation, cause error) bool {
	return f.now().Before(r.Until) && f.refusals.IsNew(cause)
}

// logWaits writes that revocations wait, and why.
func (f *Follower) logWaits(ctx context.Context, cause error) {
	text := "revocations wait to be shared"
	if f.kept != nil {
		text = "revocations are not written"
	}
	f.logger.LogAttrs(ctx, slog.LevelError, text, slog.String("error", cause.Error()))
}

// replace takes out of the queue what w stands for, as far as w is as safe as that.
func (f *Follower) replace(ctx context.Context, w *waitingEntry) {
	f.removeAll(ctx, slices.DeleteFunc(f.unshared.covered(&w.Revocation), func(old *waitingEntry) bool {
		return old == w || old.file != "" && w.file == ""
	}))
}

// write has a revocation that waits survive this process, if there is a directory.
func (f *Follower) write(w *waitingEntry) error {
	switch {
	case f.dir == nil:
		return nil
	case w.file != "":
		return f.dir.keep(w)
	}
	content, err := encodeWaiting(w.Revocation)
	if err != nil {
		return err
	}
	name, err := f.dir.Put(content)
	if err != nil {
		w.unsure = name
		return err
	}
	f.unshared.written(w, name)
	return nil
}

// removeAll takes revocations out of the queue and of the directory. A file that
// cannot be removed is read once more at the next start, which does no harm. The
// caller holds filing.
func (f *Follower) removeAll(ctx context.Context, all []*waitingEntry) {
	for _, w := range all {
		file := cmp.Or(w.file, w.unsure)
		if !f.unshared.remove(w) || file == "" {
			continue
		}
		if err := f.dir.Remove(file); err != nil {
			f.logger.LogAttrs(ctx, slog.LevelWarn, "a revocation that waits no longer is not removed", slog.String("error", err.Error()))
		}
	}
}

// shared notes that the log has a revocation, and so all that it stands for.
func (f *Follower) shared(ctx context.Context, r *Revocation) {
	if n, _ := f.unshared.count(); n == 0 {
		return
	}
	f.filing.Lock()
	defer f.filing.Unlock()
	f.removeAll(ctx, f.unshared.covered(r))
}

// shareLate shares what waits, again and again, until Close.
func (f *Follower) shareLate(ctx context.Context) {
	delay := firstFollowDelay
	for f.awaitUnshared(ctx, delay) {
		waited, _ := f.unshared.count()
		over := f.dropOver(ctx)
		all := f.shareAll(ctx)
		if n, _ := f.unshared.lasting(f.now()); n == 0 {
			f.refusals.Over()
		}
		if !all {
			delay = min(2*delay, maxFollowDelay)
			continue
		}
		delay = firstFollowDelay
		if waited > over {
			f.logger.LogAttrs(ctx, slog.LevelInfo, "no revocation waits to be shared any longer")
		}
	}
}

// dropOver drops what is over, and says so. It returns how many these are.
func (f *Follower) dropOver(ctx context.Context) int {
	f.filing.Lock()
	defer f.filing.Unlock()
	over := f.unshared.over(f.now(), time.Now())
	f.removeAll(ctx, over)
	if len(over) > 0 {
		f.logger.LogAttrs(ctx, slog.LevelWarn, "revocations ended before they were shared", slog.Int("revocations", len(over)))
	}
	return len(over)
}

// awaitUnshared returns when the next attempt is due. It reports false at Close.
func (f *Follower) awaitUnshared(ctx context.Context, delay time.Duration) bool {
	var due <-chan time.Time
	if n, _ := f.unshared.count(); n > 0 {
		timer := time.NewTimer(delay/2 + rand.N(delay))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-f.unshared.wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// shareAll shares what waits, up to the first that the log does not take. That
// one goes to the end, so that it does not hold up the others. It reports
// whether none is left.
func (f *Follower) shareAll(ctx context.Context) bool {
	for {
		w := f.unshared.first()
		if w == nil {
			return true
		}
		attempt, cancel := context.WithTimeout(ctx, appendTimeout)
		err := panics.Run(func() error {
			_, err := f.cfg.Log.Append(attempt, w.Revocation)
			return err
		})
		cancel()
		if err != nil {
			f.unshared.postpone(w)
			if ctx.Err() == nil && f.isNews(&w.Revocation, err) {
				f.logWaits(ctx, err)
			}
			return false
		}
		f.filing.Lock()
		f.removeAll(ctx, []*waitingEntry{w})
		f.filing.Unlock()
	}
}

// waits returns the error that says how many revocations wait that are not over, or nil.
// A log takes none that is, and one that was over on arrival is kept for a day all the same.
func (f *Follower) waits() error {
	n, inMemory := f.unshared.lasting(f.now())
	if n == 0 {
		return nil
	}
	e := &waitError{what: revocations(n), state: ErrWaits}
	if inMemory > 0 {
		e.why = fmt.Sprintf("%d in memory only", inMemory)
	}
	return e
}

// endSharing returns the error that says how many revocations were not shared that are
// not over, or nil. Nothing waits from now on.
func (f *Follower) endSharing() error {
	f.filing.Lock()
	defer f.filing.Unlock()
	f.ended = true
	n, inMemory := f.unshared.lasting(f.now())
	var failed error
	if f.dir != nil {
		failed = f.dir.closeWith(n)
	}
	if errors.Is(failed, errMoved) {
		inMemory = n // for whoever starts next
	}
	if n == 0 {
		return failed
	}
	f.logger.LogAttrs(context.Background(), slog.LevelWarn, "closed before revocations were shared",
		slog.Int("revocations", n), slog.Int("lost", inMemory))
	e := &waitError{revocations(n), ErrWaits, "in Config.RevocationDir until the next start", failed}
	if inMemory > 0 {
		e.state, e.why = ErrNotShared, fmt.Sprintf("of which %d are in no file that the next start reads and are lost", inMemory)
	}
	return e
}

func revocations(n int) string {
	if n == 1 {
		return "1 revocation"
	}
	return fmt.Sprintf("%d revocations", n)
}

// openUnshared takes the directory and makes what waits in it hold here, before
// the first token is judged.
func (f *Follower) openUnshared(path string) error {
	dir, err := open(path, f.cfg.tap)
	if err != nil {
		return err
	}
	f.dir = dir
	if err := dir.loadInto(f.unshared, f.list); err != nil {
		return err
	}
	if n, _ := f.unshared.count(); n > 0 {
		f.logger.LogAttrs(context.Background(), slog.LevelWarn, "revocations wait to be shared", slog.Int("revocations", n))
		f.unshared.wakeUp()
	}
	return nil
}

// keep makes sure that a file is there which was written before: whoever asks once more for
// what it says is told that it is kept.
func (d *Dir) keep(w *waitingEntry) error {
	if has, err := d.Has(w.file); has || err != nil {
		return err
	}
	content, err := encodeWaiting(w.Revocation)
	if err == nil {
		_, err = d.Put(content)
	}
	return err
}

// loadInto puts the revocations of a directory into a queue, and makes them hold.
func (d *Dir) loadInto(q *queue, l *List) error {
	files, err := d.Load(maxFiles)
	if err != nil {
		return err
	}
	for name, content := range files {
		r, err := decodeWaiting(content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		l.Add(r)
		q.add(&waitingEntry{Revocation: r, keeping: keepUntil(r.Until, l.cfg.Now()), file: name})
	}
	return nil
}
