package keyring_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

const ringFile, lockFile = "keyring.json", "keyring.lock"

// A vault is a key directory on a disk that fails, and what was said about it.
type vault struct {
	t     *testing.T
	disk  *disktest.Disk
	now   time.Time
	dir   *keyring.Dir
	acked keyring.Ring   // the last that was confirmed
	tried []keyring.Ring // since then, in vain
	cuts  int            // how many were looked at
	at    string         // the step
}

// A change is one that a vault can make.
type change func(keyring.Ring) (keyring.Ring, bool, error)

// open opens the directory, or makes it.
func (v *vault) open() error {
	dir, err := keyring.OpenOrCreateOn(v.t.Context(), v.disk.Path, v.now, v.disk.Tap)
	if err != nil {
		return err
	}
	v.dir = dir
	v.acked, err = dir.Load()
	return err
}

// update makes a change, and notes whether it was confirmed.
func (v *vault) update(do change) error {
	v.now = v.now.Add(time.Minute)
	r, err := v.dir.Update(v.t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
		next, changed, err := do(r)
		if err == nil {
			v.tried = append(v.tried, next)
		}
		return next, changed, err
	})
	if err == nil {
		v.acked, v.tried = r, nil
	}
	return err
}

// check expects of a ring that nothing confirmed is missing, and that it is one that
// somebody made.
func (v *vault) check(r keyring.Ring, when string) {
	v.t.Helper()
	if len(v.acked.Keys) == 0 {
		return // none was promised
	}
	if !r.Follows(v.acked) {
		v.t.Errorf("%s, %s: the ring is of generation %d with %v, which lacks something of generation %d with %v",
			v.at, when, r.Generation, states(r), v.acked.Generation, states(v.acked))
	}
	for _, made := range append(v.tried, v.acked) {
		if maps.Equal(states(r), states(made)) && slices.Equal(r.Gone, made.Gone) && r.Longest == made.Longest {
			return
		}
	}
	v.t.Errorf("%s, %s: the ring %v is none that was made", v.at, when, states(r))
}

// cut looks what a power cut at this moment would leave.
func (v *vault) cut() {
	for _, cut := range v.disk.Cuts() {
		if v.t.Failed() {
			return
		}
		v.cuts++
		path := v.disk.Path + "-cut"
		must(v.t, cut.Make(path))
		again := disktest.New(path)
		dir, err := keyring.OpenOrCreateOn(v.t.Context(), path, v.now, again.Tap)
		if err != nil {
			v.t.Errorf("%s, after a power cut: error = %v with %v", v.at, err, cut)
			return
		}
		r, err := dir.Load()
		must(v.t, err)
		v.check(r, "after a power cut")
		_, err = dir.Update(v.t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) { return r, true, nil })
		must(v.t, err)
		v.checkLeft(path)
		must(v.t, os.RemoveAll(path))
	}
}

func (v *vault) checkLeft(path string) {
	v.t.Helper()
	if left := disktest.Left(path, ringFile, lockFile); len(left) != 0 {
		v.t.Errorf("%s: left behind: %q", v.at, left)
	}
}

// step does something that the disk may let fail, and once more if it does.
func (v *vault) step(name string, do func() error) {
	v.t.Helper()
	v.at = fmt.Sprintf("%s (%s)", name, v.disk.Failed())
	err := do()
	v.at = fmt.Sprintf("%s (%s)", name, v.disk.Failed())
	v.cut()
	if err == nil {
		return
	}
	if v.checkError(err); v.disk.Killed() {
		v.dir = nil
	}
	v.disk.Heal()
	if dir, err := keyring.Open(v.disk.Path); err == nil {
		r, err := dir.Load()
		must(v.t, err)
		v.check(r, "after an error")
	} else if len(v.acked.Keys) > 0 {
		v.t.Errorf("%s: after %v: Open() error = %v", v.at, err, err)
	}
	if v.dir == nil {
		must(v.t, v.open())
		v.cut()
	}
	if name == "create" {
		return // what is there is not written again
	}
	if err = do(); errors.Is(err, errGone) {
		err = v.update(func(r keyring.Ring) (keyring.Ring, bool, error) { return r, true, nil })
	}
	if err != nil {
		v.t.Fatalf("%s: once more: error = %v", v.at, err)
	}
	v.cut()
	v.checkLeft(v.disk.Path)
}

// errGone says that what was reported as an error has happened all the same.
var errGone = errors.New("gone already")

// checkError expects an error that says where and what.
func (v *vault) checkError(err error) {
	v.t.Helper()
	text := err.Error()
	if !errors.Is(err, keyring.ErrRing) || !strings.Contains(text, v.disk.Path) || strings.ContainsAny(text, "\n") {
		v.t.Errorf("%s: error = %q, want one line that names the directory", v.at, text)
	}
}

func rotate(v *vault) change {
	return func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, err := r.Rotate(v.now)
		return r, true, err
	}
}

// remove removes the oldest retired key.
func remove(wanted *string) change {
	return func(r keyring.Ring) (keyring.Ring, bool, error) {
		if *wanted == "" {
			i := slices.IndexFunc(r.Keys, func(k keyring.Key) bool { return k.State == keyring.Retired && !k.Imported })
			*wanted = r.Keys[i].ID
		}
		if slices.Contains(r.Gone, *wanted) {
			return r, false, errGone
		}
		r, err := r.Remove(*wanted)
		return r, true, err
	}
}

// Whatever call fails, and at whichever the power does: no key and no removal that was
// confirmed is lost, no half-written ring is trusted, the next try succeeds without
// anybody's help, nothing is left behind, and no file is ever open to others.
func TestDir_Faults(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	cuts := 0
	disktest.Everywhere(t, func(t *testing.T, d *disktest.Disk, all bool) {
		v := &vault{t: t, disk: d, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		if all {
			d.Before = func(*disk.Call) { v.cut() }
		}
		v.step("create", v.open)
		v.step("admit", func() error {
			return v.update(func(r keyring.Ring) (keyring.Ring, bool, error) { return r.Admit("https://issuer", time.Hour, false) })
		})
		v.step("rotate", func() error { return v.update(rotate(v)) })
		v.step("import", func() error {
			return v.update(func(r keyring.Ring) (keyring.Ring, bool, error) {
				r, _, err := r.Import(&key.PublicKey, v.now)
				return r, true, err
			})
		})
		older := v.acked
		copied, err := os.ReadFile(filepath.Join(d.Path, ringFile))
		must(t, err)
		v.step("rotate again", func() error { return v.update(rotate(v)) })
		var wanted string
		v.step("remove", func() error { return v.update(remove(&wanted)) })

		known := v.acked
		v.acked = older
		must(t, d.Put(ringFile, copied))
		v.step("merge", func() error {
			return v.update(func(r keyring.Ring) (keyring.Ring, bool, error) { return r.Merge(known, v.now) })
		})
		if !v.acked.Follows(known) {
			t.Errorf("%s: a copy that was put back lost something", v.at)
		}
		v.checkLeft(d.Path)
		cuts += v.cuts
	})
	t.Logf("%d power cuts", cuts)
}

// Where the file system has no links a ring is made all the same, at whichever call the
// power fails.
func TestDir_NoLinks(t *testing.T) {
	t.Parallel()
	d := disktest.New(filepath.Join(t.TempDir(), "keys"))
	d.FailAt(1, disktest.Fault{Name: "no links", Err: syscall.EPERM, Lasting: true, Ops: []disk.Op{disk.Link}})
	v := &vault{t: t, disk: d, now: time.Now(), at: "create"}
	d.Before = func(*disk.Call) { v.cut() }
	must(t, v.open())
	must(t, v.update(rotate(v)))
	v.cut()
	v.checkLeft(d.Path)
	if d.Failed() == "" || v.cuts == 0 {
		t.Errorf("failed: %q, %d power cuts", d.Failed(), v.cuts)
	}
}

// A disk that was full at the first start leaves nothing that keeps the second from
// making keys.
func TestOpenOrCreate_AfterFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	d := disktest.New(path)
	d.FailAt(1, disktest.Fault{Name: "full", Err: syscall.ENOSPC, Short: true, Lasting: true, Ops: []disk.Op{disk.Write}})
	if _, err := keyring.OpenOrCreateOn(t.Context(), path, time.Now(), d.Tap); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, keyring.ErrRing) {
		t.Fatalf("OpenOrCreate() error = %v, want %v", err, syscall.ENOSPC)
	}
	if left := disktest.Left(path); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	open(t, path)
}

// What is found as it was to be may not be there for sure: whoever confirms it sees to
// that first.
func TestDir_FoundIsKept(t *testing.T) {
	t.Parallel()
	d := disktest.New(filepath.Join(t.TempDir(), "keys"))
	v := &vault{t: t, disk: d, now: time.Now()}
	must(t, v.open())
	admit := func(r keyring.Ring) (keyring.Ring, bool, error) { return r.Admit("https://issuer", time.Hour, false) }
	d.FailAt(1, disktest.Fault{Name: "not synced", Err: syscall.EIO, Lasting: true, Ops: []disk.Op{disk.SyncDir}})
	if err := v.update(admit); !errors.Is(err, syscall.EIO) || !errors.Is(err, disk.ErrUnsure) {
		t.Errorf("Update() error = %v, want %v, %v", err, disk.ErrUnsure, syscall.EIO)
	}
	if err := v.update(admit); !errors.Is(err, syscall.EIO) {
		t.Errorf("Update() that finds it done: error = %v, want %v", err, syscall.EIO)
	}
	if _, err := keyring.OpenOrCreateOn(t.Context(), d.Path, v.now, d.Tap); !errors.Is(err, syscall.EIO) {
		t.Errorf("Open() error = %v, want %v", err, syscall.EIO)
	}
	d.Heal()
	v.at = "admit"
	must(t, v.update(admit))
	v.cut()
}

// Where a lock is there was a ring, also if the link that made the ring was reported as
// an error and nothing could be synced after that.
func TestOpenOrCreate_NoLockBeforeTheRing(t *testing.T) {
	t.Parallel()
	d := disktest.New(filepath.Join(t.TempDir(), "keys"))
	d.FailAt(1, disktest.Fault{Name: "linked all the same", Err: syscall.EIO, Done: true, Ops: []disk.Op{disk.Link}, Lasting: true})
	v := &vault{t: t, disk: d, now: time.Now(), at: "create"}
	d.Before = func(*disk.Call) { v.cut() }
	must(t, v.open())
	v.cut()
}
