package localissuer_test

import (
	"encoding/pem"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A leap is a clock that leaves out the time in which nothing happens.
type leap struct{ by atomic.Int64 }

func (l *leap) now() time.Time { return time.Now().Add(time.Duration(l.by.Load())) }

// over lets so much time go by, at the end of which everybody reads the directory.
func (l *leap) over(d time.Duration) {
	l.by.Add(int64(d))
	time.Sleep(6 * time.Second)
	synctest.Wait()
}

func (l *leap) local(t *testing.T, dir string, longest time.Duration) (*localissuer.Issuer, *oidcauth.Authenticator) {
	t.Helper()
	local := newLocal(t, localissuer.Config{Dir: dir, MaxLifetime: longest, Now: l.now})
	return local, newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, CacheBytes: -1, Now: l.now})
}

// What the key signed that somebody retired in an older copy of the directory, in which
// tokens lived for an hour, is good for as long as the running server meant it to be.
func TestIssuer_RetiredInRestored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &leap{}
		v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
		former, _ := clock.local(t, v.dir, time.Hour)
		before := v.backup()
		former.Close()
		local, auth := clock.local(t, v.dir, 30*24*time.Hour)
		token := issue(t, local, localissuer.Request{Lifetime: 20 * 24 * time.Hour})
		v.restore(before)
		command, _ := clock.local(t, v.dir, time.Hour)
		if err := errors.Join(command.Rotate(t.Context()), command.Close()); err != nil {
			t.Fatal(err)
		}
		clock.over(0)
		for range 2 {
			wants(t, auth, token, nil)
			_, late := clock.local(t, v.dir, time.Hour)
			wants(t, late, token, nil)
			clock.over(9 * 24 * time.Hour)
			if err := local.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		clock.over(3 * 24 * time.Hour)
		wants(t, auth, token, oidcauth.ErrExpired)
	})
}

// A server that cannot read the directory goes on signing for a day, and does not hear
// that its key was retired: the others keep that key for what it signs meanwhile.
func TestIssuer_RetiredUnread(t *testing.T) {
	t.Parallel()
	parent, way := t.TempDir(), filepath.Join(t.TempDir(), "way")
	if err := os.Symlink(parent, way); err != nil {
		t.Skip(err) // on Windows
	}
	synctest.Test(t, func(t *testing.T) {
		clock := &leap{}
		away, _ := clock.local(t, filepath.Join(way, "keys"), time.Hour)
		others, auth := clock.local(t, filepath.Join(parent, "keys"), time.Hour)
		if err := errors.Join(os.Remove(way), others.Rotate(t.Context())); err != nil {
			t.Fatal(err)
		}
		clock.over(23 * time.Hour)
		token := issue(t, away, localissuer.Request{})
		clock.over(30 * time.Minute)
		wants(t, auth, token, nil)
		clock.over(time.Hour) // which ends the token, and not yet the time of the key
		wants(t, auth, token, oidcauth.ErrExpired)
		if n := len(others.Keys()); n != 3 {
			t.Errorf("%d keys, want 3", n)
		}
		clock.over(time.Hour)
		if n := len(others.Keys()); n != 2 {
			t.Errorf("%d keys once the key can have signed nothing that is good, want 2", n)
		}
	})
}

// Whoever rotates may have a clock that is behind for longer than tokens live, as a machine
// has that begins without one. The servers keep what they have signed with until then, and
// have the directory say so.
func TestIssuer_RetiredByClockBehind(t *testing.T) {
	t.Parallel()
	for _, behind := range []time.Duration{25*time.Hour + 10*time.Minute, 56 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			clock, late := &leap{}, &leap{}
			late.by.Add(-int64(behind))
			v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
			v.local = newLocal(t, localissuer.Config{Dir: v.dir, MaxLifetime: time.Hour, Now: clock.now, Logger: slog.New(slog.NewTextHandler(&v.log, nil))})
			auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{v.local.Issuer()}, CacheBytes: -1, Now: clock.now})
			token := issue(t, v.local, localissuer.Request{})
			command, _ := late.local(t, v.dir, time.Hour)
			if err := errors.Join(command.Rotate(t.Context()), command.Close()); err != nil {
				t.Fatal(err)
			}
			clock.over(0)
			v.wantsLogged("retired by a clock that is behind", 1)
			for range 2 {
				wants(t, auth, token, nil)
				_, other := clock.local(t, v.dir, time.Hour)
				wants(t, other, token, nil)
				clock.over(59 * time.Minute)
			}
			wants(t, auth, token, oidcauth.ErrExpired)
			v.wantsLogged("level=", 2)
			clock.over(25 * time.Hour)
			if n := len(v.local.Keys()); n != 2 {
				t.Errorf("%d keys once the key can have signed nothing that is good, want 2", n)
			}
		})
	}
}

// With the longest lifetime that there is, whoever means no bound by it, retired keys and
// revocations stay, too: no sum of it and something else is less.
func TestIssuer_LongestLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &leap{}
		dir := filepath.Join(t.TempDir(), "keys")
		l, auth := clock.local(t, dir, math.MaxInt64)
		token, revoked := issue(t, l, localissuer.Request{}), issue(t, l, localissuer.Request{Subject: "mallory"})
		for range 3 {
			if err := l.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "mallory"}); err != nil {
			t.Errorf("Revoke() error = %v", err)
		}
		clock.over(20 * time.Hour)
		_, restarted := clock.local(t, dir, math.MaxInt64)
		wants(t, auth, token, nil)
		wants(t, restarted, token, nil)
		wants(t, auth, revoked, oidcauth.ErrRevoked)
	})
}

// An imported key is trusted until it is removed, also one that the ring had retired
// itself. What signs here is not somebody else's to import, and what is over, gone.
func TestIssuer_ImportOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := &leap{}
		l, a := clock.local(t, filepath.Join(t.TempDir(), "keys"), time.Hour)
		text, err := l.PublicPEM()
		if err != nil {
			t.Fatal(err)
		}
		first, rest := pem.Decode(text)
		second, _ := pem.Decode(rest)
		for what, block := range map[string]*pem.Block{"signs": first, "will sign": second} {
			if _, err := l.Import(t.Context(), pem.EncodeToMemory(block)); err == nil {
				t.Errorf("Import() error = nil of the key that %s", what)
			}
		}
		token := issue(t, l, localissuer.Request{})
		for range 2 {
			if err := l.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			id, err := l.Import(t.Context(), pem.EncodeToMemory(first))
			if k := l.Keys()[0]; err != nil || k.ID != id || !k.Imported || !k.KeepUntil.IsZero() {
				t.Fatalf("Import() = %q, %v, and the first key is %+v, want that one, imported for good", id, err, k)
			}
		}
		wants(t, a, token, nil)
		clock.over(30 * time.Hour)
		wants(t, a, token, oidcauth.ErrExpired)
		if _, err := l.Import(t.Context(), pem.EncodeToMemory(second)); err == nil {
			t.Error("Import() error = nil of a key whose time is over")
		}
		if n := len(l.Keys()); n != 3 {
			t.Errorf("%d keys, want 3: %+v", n, l.Keys())
		}
	})
}

// A change of the keys has read the directory, too: from then on they serve for a day
// while it cannot be read, however long that was so before.
func TestIssuer_UnreadAroundChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		token := issue(t, v.local, localissuer.Request{})
		move := func(from, to string) {
			t.Helper()
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		move(v.dir, v.dir+"-away")
		localissuer.AgeKeyDirectory(v.local, 23*time.Hour)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		move(v.dir+"-away", v.dir)
		if err := v.local.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		move(v.dir, v.dir+"-away")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		wants(t, v.auth, token, nil)
		localissuer.AgeKeyDirectory(v.local, 22*time.Hour)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		wants(t, v.auth, token, oidcauth.ErrKeysUnavailable)
	})
}

// A machine that has slept for days reads the directory before it signs, not some seconds
// later: with the key of before, what it signs would be refused from then on. Of one that
// nobody watches any more that is not expected.
func TestIssuer_SignsAfterSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		first := active(v.local)
		v.command(func(l *localissuer.Issuer) error { return l.Rotate(t.Context()) })
		v.wantsIssued(nil)
		if got := active(v.local); got != first {
			t.Error("the directory is read for each token")
		}
		localissuer.AgeKeyDirectory(v.local, 24*time.Hour)
		v.wantsIssued(nil)
		if got := active(v.local); got == first {
			t.Error("the key of before has signed")
		}
		closed, _ := v.start()
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		v.restore([]byte("{"))
		for l, want := range map[*localissuer.Issuer]error{v.local: oidcauth.ErrKeysUnavailable, closed: nil} {
			localissuer.AgeKeyDirectory(l, 24*time.Hour)
			if _, _, err := l.Issue(t.Context(), localissuer.Request{}); !errors.Is(err, want) {
				t.Errorf("Issue() error = %v, want %v", err, want)
			}
		}
	})
}
