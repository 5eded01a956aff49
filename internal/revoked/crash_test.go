package revoked

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
)

// A waitingRoom is a follower on a disk that fails, whose log takes nothing at first,
// and what was promised.
type waitingRoom struct {
	t    *testing.T
	disk *disktest.Disk
	log  *memoryLog
	lab  *lab
	f    *Follower
	kept []Revocation // of which Share said that they survive
	cuts int
	at   string
}

func (w *waitingRoom) open() {
	w.t.Helper()
	w.at = "open"
	w.lab = newLab(false)
	f, err := w.lab.tryFollow(w.log, w.disk.Path, w.disk.Tap)
	if err != nil {
		w.checkError(err)
		w.disk.Heal()
		f, err = w.lab.tryFollow(w.log, w.disk.Path, w.disk.Tap)
	}
	if err != nil {
		w.t.Fatalf("%s: once more: error = %v", w.disk.Failed(), err)
	}
	w.f = f
	w.checkHolds()
}

// checkError expects an error that says where and what.
func (w *waitingRoom) checkError(err error) {
	w.t.Helper()
	if text := err.Error(); !strings.Contains(text, w.disk.Path) || strings.Contains(text, "\n") {
		w.t.Errorf("%s (%s): error = %q, want one line that names the directory", w.at, w.disk.Failed(), text)
	}
}

func (w *waitingRoom) close() {
	w.f.Close()
	w.lab.Close()
}

// share revokes a subject, and once more if that could not be written.
func (w *waitingRoom) share(subject string, until time.Time) {
	w.t.Helper()
	w.at = "share " + subject
	r := Revocation{Subject: subject, Until: until.Truncate(time.Second)}
	w.lab.Add(r)
	durable, err := w.f.Share(w.t.Context(), r)
	switch {
	case w.disk.Killed():
		w.close()
		w.disk.Heal()
		w.open()
		w.lab.Add(r)
		durable, err = w.f.Share(w.t.Context(), r)
	case errors.Is(err, ErrNotWritten):
		w.checkError(err)
		w.disk.Heal()
		durable, err = w.f.Share(w.t.Context(), r)
	}
	if !durable || err != nil && !errors.Is(err, ErrWaits) {
		w.t.Errorf("%s (%s): Share() = %t, %v, want that it survives", w.at, w.disk.Failed(), durable, err)
	}
	w.kept = append(w.kept, r)
	w.cut()
}

// cut looks what a power cut at this moment would leave.
func (w *waitingRoom) cut() {
	for _, cut := range w.disk.Cuts() {
		if w.t.Failed() {
			return
		}
		w.cuts++
		path := w.disk.Path + "-cut"
		if err := cut.Make(path); err != nil {
			w.t.Fatal(err)
		}
		w.checkDir(path)
		if left := disktest.Left(path, lockName); strings.Contains(strings.Join(left, " "), tempPrefix) {
			w.t.Errorf("%s (%s): left behind: %q", w.at, w.disk.Failed(), left)
		}
		if err := os.RemoveAll(path); err != nil {
			w.t.Fatal(err)
		}
	}
}

// checkDir expects that a directory has all that was promised and that the log does not
// have, and nothing that is no revocation.
func (w *waitingRoom) checkDir(path string) {
	w.t.Helper()
	d, err := open(path, disktest.New(path).Tap)
	if err != nil {
		w.t.Errorf("%s (%s): Open() error = %v", w.at, w.disk.Failed(), err)
		return
	}
	defer d.Close()
	entries, err := d.Load(maxFiles)
	if err != nil {
		w.t.Errorf("%s (%s): Load() error = %v", w.at, w.disk.Failed(), err)
	}
	there := w.log.Entries()
	for name, content := range entries {
		r, err := decodeWaiting(content)
		if err != nil {
			w.t.Errorf("%s (%s): %s: %v", w.at, w.disk.Failed(), name, err)
		}
		there = append(there, r)
	}
	for _, kept := range w.kept {
		if !covered(kept, there) {
			w.t.Errorf("%s (%s): %v is lost", w.at, w.disk.Failed(), kept)
		}
	}
}

func covered(r Revocation, by []Revocation) bool {
	for i := range by {
		if by[i].pattern() == r.pattern() && by[i].covers(&r) {
			return true
		}
	}
	return false
}

// checkHolds expects that what was promised, and the log does not have, holds at once.
func (w *waitingRoom) checkHolds() {
	w.t.Helper()
	for _, r := range w.kept {
		if covered(r, w.log.Entries()) {
			continue
		}
		if err := w.lab.check(Token{Subject: r.Subject}); err == nil {
			w.t.Errorf("%s (%s): %s is not revoked after a restart", w.at, w.disk.Failed(), r.Subject)
		}
	}
}

// Whatever call fails, and at whichever the power does: no revocation that Share said
// would survive is lost, none is read by half, the next try succeeds without anybody's
// help, and in the end nothing is left behind.
func TestFollower_Faults(t *testing.T) {
	t.Parallel()
	cuts := 0
	disktest.Everywhere(t, func(t *testing.T, d *disktest.Disk, all bool) {
		synctest.Test(t, func(t *testing.T) {
			w := &waitingRoom{t: t, disk: d, log: memorylog.New[Revocation]()}
			if all {
				d.Before = func(*disk.Call) { w.cut() }
			}
			w.log.RefuseAll()
			w.open()
			w.share("alice", in(time.Hour))
			w.share("bob", in(time.Hour))
			w.share("alice", in(2*time.Hour)) // which stands for the first
			w.close()
			w.open()
			w.share("bob", in(time.Hour))
			w.share("carol", in(time.Hour))
			w.at = "share late"
			w.log.Refuse(func(r Revocation) bool { return r.Subject == "bob" })
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			w.cut()
			d.Heal()
			w.log.RefuseNone()
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			w.cut()
			w.close()
			w.open() // reads once more what could not be removed
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			w.close()
			if left := disktest.Left(d.Path, lockName); len(left) != 0 {
				t.Errorf("%s: left in the end: %q", d.Failed(), left)
			}
			cuts += w.cuts
		})
	})
	t.Logf("%d power cuts", cuts)
}

// privateDir returns a directory that nobody else can read.
func privateDir(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// refusedOn returns a follower on a disk that can fail, whose log takes nothing at first.
func refusedOn(t *testing.T, path string) (*disktest.Disk, *memoryLog, *lab, *Follower) {
	t.Helper()
	d, log, b := disktest.New(path), memorylog.New[Revocation](), newLab(false)
	log.RefuseAll()
	f, err := b.tryFollow(log, path, d.Tap)
	if err != nil {
		t.Fatal(err)
	}
	return d, log, b, f
}

// A revocation that could not be written for sure is written by the next try, and its
// file goes when it is shared.
func TestFollower_WrittenUnsure(t *testing.T) {
	t.Parallel()
	for _, retried := range []bool{false, true} {
		t.Run(fmt.Sprintf("retried %t", retried), func(t *testing.T) {
			path := privateDir(t)
			synctest.Test(t, func(t *testing.T) {
				d, log, b, f := refusedOn(t, path)
				d.FailAt(1, disktest.Fault{Name: "not synced", Err: errUnsynced, Lasting: true, Ops: []disk.Op{disk.SyncDir}})
				r := Revocation{Subject: "alice", Until: in(time.Hour)}
				wantShared(t, f, r, false, ErrNotWritten)
				if n := b.said("a revocation that waits is not written"); n != 1 {
					t.Errorf("%d lines tell of it, want one", n)
				}
				d.Heal()
				if retried {
					wantShared(t, f, r, true, ErrWaits)
				}
				log.RefuseNone()
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if left := disktest.Left(path, lockName); len(left) != 0 {
					t.Errorf("left behind: %q", left)
				}
				f.Close()
				b.Close()
			})
		})
	}
}

// A file that cannot be removed once its revocation is shared is told of, and read once
// more at the next start, which does no harm.
func TestFollower_NotRemoved(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		d, log, b, f := refusedOn(t, path)
		wantShared(t, f, Revocation{Subject: "alice", Until: in(time.Hour)}, true, ErrWaits)
		d.FailAt(1, disktest.Fault{Name: "not removed", Err: errUnremoved, Lasting: true, Ops: []disk.Op{disk.Remove}})
		log.RefuseNone()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if left := disktest.Left(path, lockName); len(left) != 1 || b.said("a revocation that waits no longer is not removed") != 1 || b.said(errUnremoved.Error()) != 1 {
			t.Errorf("left behind: %q, want one file, and one line about it", left)
		}
		f.Close()
		d.Heal()
		f, err := b.tryFollow(log, path, d.Tap)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if left := disktest.Left(path, lockName); len(left) != 0 {
			t.Errorf("left behind after the next start: %q", left)
		}
		f.Close()
		b.Close()
	})
}

// A directory that cannot be read, or kept, keeps the follower from starting: revocations
// may wait there. The next start has it.
func TestFollower_DirFails(t *testing.T) {
	t.Parallel()
	for _, op := range []disk.Op{disk.List, disk.SyncDir, disk.Stat, disk.Read} {
		path := privateDir(t)
		synctest.Test(t, func(t *testing.T) {
			d, log, b, f := refusedOn(t, path)
			r := Revocation{Subject: "alice", Until: in(time.Hour)}
			wantShared(t, f, r, true, ErrWaits)
			f.Close()
			d.FailAt(1, disktest.Fault{Name: "fails", Err: errFails, Lasting: true, Ops: []disk.Op{op}})
			if f, err := b.tryFollow(log, path, d.Tap); !errors.Is(err, errFails) {
				t.Errorf("%s: Follow() error = %v, want %v", op, err, errFails)
				if err == nil {
					f.Close()
				}
			}
			d.Heal()
			f, err := b.tryFollow(log, path, d.Tap)
			if err != nil {
				t.Fatal(err)
			}
			wantReady(t, f, ErrWaits)
			f.Close()
			b.Close()
		})
	}
}

var errFails = errors.New("the disk fails")

var errUnremoved = errors.New("the disk says no")

var errUnsynced = errors.New("not synced")
