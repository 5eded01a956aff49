package revoked

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// keep returns a follower with a directory alone.
func (b *lab) keep(t *testing.T, path string) *Follower {
	t.Helper()
	f, err := b.tryFollow(nil, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantKept expects that a revocation holds and is acknowledged.
func (b *lab) wantKept(t *testing.T, f *Follower, r Revocation) {
	t.Helper()
	b.Add(r)
	if durable, err := f.Share(t.Context(), r); !durable || err != nil {
		t.Errorf("Share(%s) = %t, %v, want that it is kept", r.Describe(), durable, err)
	}
}

func subject(name string, until time.Time) Revocation {
	return Revocation{Subject: name, Until: until.Truncate(time.Second)}
}

// loginEnded is the logout of a login of some issuer, in force for a day.
func loginEnded(issuer string, login int) Revocation {
	now := in(0).Truncate(time.Second)
	return Revocation{Issuer: issuer, SessionID: fmt.Sprint("login-", login), EndedAt: now, Until: now.Add(24 * time.Hour)}
}

func files(t *testing.T, path string) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(path, "*"+entrySuffix))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// Without a log the directory keeps what is revoked until it ends: it holds in the next
// process from the beginning, and a log that comes later gets it.
func TestFollower_Kept(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.keep(t, path)
		if f.kept.most != 131_072 {
			t.Errorf("it keeps %d at most, want what Config.RevocationDir promises", f.kept.most)
		}
		b.wantKept(t, f, subject("alice", in(time.Hour)))
		b.wantKept(t, f, subject("alice", in(time.Hour))) // which is there
		b.wantKept(t, f, subject("alice", in(2*time.Hour)))
		b.wantKept(t, f, subject("bob", in(30*time.Minute)))
		if n := files(t, path); n != 2 {
			t.Errorf("%d files, want one of each subject", n)
		}
		wantReady(t, f, nil)
		if first, err := f.FirstUse(t.Context(), [32]byte{1}, in(time.Hour)); !first || err != nil {
			t.Errorf("FirstUse() = %t, %v, want that nobody else has used it", first, err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
		b.Close()

		b = newLab(false)
		f = b.keep(t, path)
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
		b.wants(t, Token{Subject: "bob"}, refusal.ErrRevoked)
		b.wants(t, Token{Subject: "carol"}, nil)
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		if n := files(t, path); n != 1 {
			t.Errorf("%d files once one is over, want one", n)
		}
		f.Close()
		b.Close()

		b, log := newLab(false), memorylog.New[Revocation]()
		f, err := b.tryFollow(log, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if entries := log.Entries(); len(entries) != 1 || entries[0].Subject != "alice" || files(t, path) != 0 {
			t.Errorf("the log has %v, %d files, want what was kept, in the log alone", entries, files(t, path))
		}
		f.Close()
		b.Close()
	})
}

// What a clock that was ahead has ended holds again when it is right.
func TestFollower_Kept_ClockAhead(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.keep(t, path)
		b.wantKept(t, f, subject("alice", in(time.Hour)))
		b.set(48 * time.Hour)
		time.Sleep(10 * time.Minute)
		b.wantKept(t, f, subject("bob", in(72*time.Hour)))
		f.Close()
		b.Close()
		b = newLab(false)
		b.set(48 * time.Hour)
		f = b.keep(t, path)
		time.Sleep(2 * time.Hour)
		b.set(-2 * time.Hour)
		time.Sleep(2 * clockInterval)
		synctest.Wait()
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
		f.Close()
		b.Close()
	})
}

// A directory that keeps all that it may makes room as the list does: one revocation of
// many logouts. If that is not enough, no more is acknowledged, and nothing is forgotten.
func TestFollower_Kept_Full(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		const most = 20
		b := newLab(false)
		b.LimitLogouts(most / 2)
		f := b.keep(t, path)
		f.kept.most = most
		for i := range 3 * most {
			b.wantKept(t, f, loginEnded("https://issuer.test", i))
			time.Sleep(2 * time.Second)
		}
		if n := files(t, path); n > most {
			t.Errorf("%d files, want %d at most", n, most)
		}
		for i := range most {
			err := error(nil)
			for j := 0; j < 2 && err == nil; j++ { // the last place may be free yet
				r := subject(fmt.Sprint("somebody-", i, "-", j), in(24*time.Hour))
				b.Add(r)
				_, err = f.Share(t.Context(), r)
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrNotWritten) || !strings.Contains(err.Error(), "full") {
				t.Fatalf("Share() error = %v, want that the directory is full", err)
			}
		}
		f.Close()
		b.Close()
		b = newLab(false)
		f = b.keep(t, path)
		for i := range 3 * most {
			token := Token{Issuer: "https://issuer.test", SessionID: fmt.Sprint("login-", i), IssuedAt: time.Now().Add(-time.Hour)}
			b.wants(t, token, refusal.ErrRevoked)
		}
		b.wants(t, Token{Subject: "somebody-0-0"}, refusal.ErrRevoked)
		f.Close()
		b.Close()
	})
}

// What the disk does not take holds, is not acknowledged, and is written once it can be.
func TestFollower_Kept_DiskFails(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		d, b := disktest.New(path), newLab(false)
		f, err := b.tryFollow(nil, path, d.Tap)
		if err != nil {
			t.Fatal(err)
		}
		d.FailAt(1, disktest.Fault{Name: "full", Err: errFails, Lasting: true, Ops: []disk.Op{disk.Write, disk.Create}})
		r := subject("alice", in(time.Hour))
		b.Add(r)
		if durable, err := f.Share(t.Context(), r); durable || !errors.Is(err, ErrNotWritten) || !errors.Is(err, errFails) {
			t.Errorf("Share() = %t, %v, want that it is not written", durable, err)
		}
		time.Sleep(20 * time.Minute) // of tries that have a temporary file each, with a name of its own
		wantReady(t, f, ErrWaits)
		if told, shared := b.said("revocations are not written"), b.said("to be shared"); told != 1 || shared != 0 {
			t.Errorf("%d lines say that revocations are not written, %d that they are to be shared, want one and none", told, shared)
		}
		d.FailAt(1, disktest.Fault{Name: "denied", Err: fs.ErrPermission, Lasting: true, Ops: []disk.Op{disk.Write, disk.Create}})
		time.Sleep(2 * time.Minute)
		if told := b.said("revocations are not written"); told != 2 {
			t.Errorf("%d lines say that revocations are not written, want a second for another reason", told)
		}
		d.Heal()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		wantReady(t, f, nil)
		if n := files(t, path); n != 1 {
			t.Errorf("%d files once the disk is well, want one", n)
		}
		f.Close()
		b.Close()
	})
}

// Whatever call fails, and at whichever the power does: what was acknowledged is there.
func TestFollower_Kept_Faults(t *testing.T) {
	t.Parallel()
	cuts := 0
	disktest.Everywhere(t, func(t *testing.T, d *disktest.Disk, all bool) {
		synctest.Test(t, func(t *testing.T) {
			w := &keeper{t: t, disk: d}
			if all {
				d.Before = func(*disk.Call) { w.cut() }
			}
			w.open()
			w.share(subject("alice", in(time.Hour)))
			w.share(subject("bob", in(30*time.Minute)))
			w.share(subject("alice", in(2*time.Hour)))
			w.f.Close()
			w.open()
			w.share(subject("carol", in(time.Hour)))
			w.cut()
			w.f.Close()
			cuts += w.cuts
		})
	})
	t.Logf("%d power cuts", cuts)
}

// A keeper is a follower with a directory alone on a disk that fails, and what it has
// acknowledged.
type keeper struct {
	t     *testing.T
	disk  *disktest.Disk
	small bool // room has to be made
	lab   *lab
	f     *Follower
	acked []Revocation
	cuts  int // how many were looked at
}

// lost reports whether a list lacks what was acknowledged: of a logout a cutoff may stand
// there.
func lost(r Revocation, b *lab) bool {
	if isEvictable(&r) {
		return b.check(Token{Issuer: r.Issuer, SessionID: r.SessionID, IssuedAt: r.EndedAt.Add(-time.Hour)}) == nil
	}
	return !covered(r, b.InForce())
}

func (w *keeper) open() {
	w.t.Helper()
	for try := 0; ; try++ {
		w.lab = newLab(false)
		if w.small {
			w.lab.LimitLogouts(5)
		}
		f, err := w.lab.tryFollow(nil, w.disk.Path, w.disk.Tap)
		if err == nil {
			w.f = f
			break
		}
		if try > 0 {
			w.t.Fatalf("%s: once more: error = %v", w.disk.Failed(), err)
		}
		w.disk.Heal()
	}
	if w.small {
		w.f.kept.most = 5
	}
	for _, r := range w.acked {
		if lost(r, w.lab) {
			w.t.Errorf("%s: %v is lost", w.disk.Failed(), r)
		}
	}
}

func (w *keeper) share(r Revocation) {
	w.t.Helper()
	w.lab.Add(r)
	durable, err := w.f.Share(w.t.Context(), r)
	if err != nil {
		w.f.Close()
		w.disk.Heal()
		w.open()
		w.lab.Add(r)
		durable, err = w.f.Share(w.t.Context(), r)
	}
	if !durable || err != nil {
		w.t.Errorf("%s: Share() = %t, %v, want that it is kept", w.disk.Failed(), durable, err)
	}
	w.acked = append(w.acked, r)
	w.cut()
}

// cut looks what a power cut at this moment would leave.
func (w *keeper) cut() {
	for _, cut := range w.disk.Cuts() {
		if w.t.Failed() {
			return
		}
		w.cuts++
		path := w.disk.Path + "-cut"
		if err := cut.Make(path); err != nil {
			w.t.Fatal(err)
		}
		b := newLab(false)
		k, err := b.openKept(path, disktest.New(path).Tap)
		if err != nil {
			w.t.Fatalf("%s: openKept() error = %v", w.disk.Failed(), err)
		}
		for _, r := range w.acked {
			if lost(r, b) {
				w.t.Errorf("%s: %v is lost", w.disk.Failed(), r)
			}
		}
		k.close()
		b.Close()
		if err := os.RemoveAll(path); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A directory with other files is not taken for a damaged one.
func TestFollower_Kept_Foreign(t *testing.T) {
	t.Parallel()
	for _, log := range []Log{nil, memorylog.New[Revocation]()} {
		path := privateDir(t)
		if err := os.WriteFile(filepath.Join(path, "keyring.json"), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		b := newLab(false)
		_, err := b.tryFollow(log, path, nil)
		if !errors.Is(err, errForeign) || strings.Contains(err.Error(), "remove") {
			t.Errorf("error = %v, want that the file is another's", err)
		}
		b.Close()
	}
	for name, want := range map[string]bool{nameOf(nil): true, "ab.json": false, "a.json": false, strings.Repeat("z", 64) + ".json": false} {
		if got := isEntry(name); got != want {
			t.Errorf("isEntry(%q) = %t", name, got)
		}
	}
}
