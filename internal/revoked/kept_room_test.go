package revoked

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// restarted expects of the next process what a token's is, after a kill of this one.
func restarted(t *testing.T, path string, token Token, want error) {
	t.Helper()
	b := newLab(false)
	f := b.keep(t, path)
	b.wants(t, token, want)
	f.Close()
	b.Close()
}

// Room is made of what a revocation that is kept stands for, and of nothing else: one
// that the list has let go of for another may be all that is kept of the two.
func TestFollower_Kept_RoomOfAcknowledged(t *testing.T) {
	t.Parallel()
	const issuer = "https://issuer.test"
	for name, first := range map[string]Revocation{
		"subject": subject("alice", time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)),
		"session": {Issuer: issuer, SessionID: "login", EndedAt: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := privateDir(t)
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				f := b.keep(t, path)
				f.kept.most = 3
				b.wantKept(t, f, first)
				b.wantKept(t, f, Revocation{Issuer: issuer, IssuedBefore: in(10 * time.Minute), Until: in(2 * time.Hour)})
				longer := first
				longer.Until = first.Until.Add(time.Hour)
				b.Add(longer) // whoever did it is about to write it
				for i := range 3 {
					r := subject(fmt.Sprint("somebody-", i), in(time.Hour))
					b.Add(r)
					f.Share(t.Context(), r)
				}
				f.Close()
				b.Close()
				token := Token{Issuer: issuer, Subject: first.Subject, SessionID: first.SessionID, IssuedAt: in(20 * time.Minute)}
				restarted(t, path, token, refusal.ErrRevoked)
			})
		})
	}
}

// A directory that is full is not looked through at each revocation more: whoever causes
// logouts would have the server do nothing else. What takes no further place is taken.
func TestFollower_Kept_RoomNowAndThen(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.keep(t, path)
		f.kept.most = 2
		b.wantKept(t, f, subject("alice", in(time.Hour)))
		b.wantKept(t, f, subject("bob", in(3*time.Hour)))
		time.Sleep(time.Hour + clockSlack - roomInterval/2)
		for _, tt := range []struct {
			name string
			full bool
		}{{"carol", true}, {"bob", false}, {"dave", true}, {"erin", false}} {
			_, err := f.kept.Append(t.Context(), subject(tt.name, in(4*time.Hour)))
			if tt.full != errors.Is(err, errFull) {
				t.Errorf("Append(%s) error = %v, want that the directory is full: %t", tt.name, err, tt.full)
			}
			time.Sleep(roomInterval * 2 / 5)
		}
		f.Close()
		b.Close()
	})
}

// A log that comes later gets all that was kept without one, which is more than may wait.
func TestFollower_Kept_LogComesLater(t *testing.T) {
	t.Parallel()
	path := disktest.TempDir(t)
	for i := range 2*maxUnshared + 1 {
		content, err := encodeWaiting(subject(fmt.Sprint("somebody-", i), in(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, nameOf(content)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, log := newLab(false), memorylog.New[Revocation]()
	f, err := b.tryFollow(log, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.wants(t, Token{Subject: "somebody-0"}, refusal.ErrRevoked)
	f.Close()
	b.Close()
}

// What is over does not pile up where a process never runs for long: at the start nobody
// knows whether the clock is right, and it stays for a day.
func TestFollower_Kept_OftenRestarted(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		for i := range 5 {
			b := newLab(false)
			f := b.keep(t, path)
			b.wantKept(t, f, subject(fmt.Sprint("somebody-", i), in(10*time.Minute)))
			time.Sleep(keptInterval / 2)
			f.Close()
			b.Close()
			if n := files(t, path); n != 0 {
				t.Errorf("%d files after %d runs, want none of what is over", n, i+1)
			}
		}
	})
}

// Logouts of several issuers that are all in force give way to what is revoked, those of
// the issuer that has most: whoever runs an issuer must not have that of others lost.
func TestFollower_Kept_RoomForOthers(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		const most = 20
		b := newLab(false)
		b.LimitLogouts(most)
		f := b.keep(t, path)
		f.kept.most = most
		logout := func(issuer, i int) Revocation { return loginEnded(fmt.Sprintf("https://issuer-%d.test", issuer), i) }
		for i := range 2 * most {
			b.wantKept(t, f, logout(i%4/3, i)) // three of one issuer for one of the other
			time.Sleep(2 * time.Second)
		}
		b.wantKept(t, f, subject("alice", in(24*time.Hour)))
		if n := files(t, path); n > most {
			t.Errorf("%d files, want %d at most", n, most)
		}
		f.Close()
		b.Close()
		b = newLab(false)
		f = b.keep(t, path)
		for i := range 2 * most {
			r := logout(i%4/3, i)
			b.wants(t, Token{Issuer: r.Issuer, SessionID: r.SessionID, IssuedAt: in(-time.Hour)}, refusal.ErrRevoked)
		}
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
		b.wants(t, Token{Issuer: "https://issuer-0.test", SessionID: "another", IssuedAt: in(0)}, nil)
		f.Close()
		b.Close()
	})
}

// Where no issuer has many logouts, they stay: one rule of a few would refuse the tokens of
// everybody for want of little room.
func TestFollower_Kept_RoomOfFew(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		const most = 64
		b := newLab(false)
		f := b.keep(t, path)
		f.kept.most = most
		for i := range most {
			r := Revocation{Issuer: "https://issuer.test", TokenID: fmt.Sprint("token-", i), Until: in(time.Hour).Truncate(time.Second)}
			if i < most/16-1 {
				r.TokenID, r.SessionID, r.EndedAt = "", fmt.Sprint("login-", i), in(-time.Minute).Truncate(time.Second)
			}
			b.wantKept(t, f, r)
		}
		if _, err := f.kept.Append(t.Context(), subject("alice", in(time.Hour))); !errors.Is(err, errFull) {
			t.Errorf("Append() error = %v, want that the directory is full", err)
		}
		b.wants(t, Token{Issuer: "https://issuer.test", IssuedAt: in(-time.Hour)}, nil)
		f.Close()
		b.Close()
	})
}

// Who closes again, later, has nothing removed from a directory that is another's now.
func TestFollower_Kept_ClosedAgain(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.keep(t, path)
		b.wantKept(t, f, subject("alice", in(time.Hour)))
		f.Close()
		time.Sleep(2 * time.Hour)
		if err := f.Close(); err != nil || b.said("not removed") != 0 {
			t.Errorf("Close() again: error = %v, %d lines that something is not removed", err, b.said("not removed"))
		}
		b.Close()
	})
}

// The same where room has to be made: what a cutoff stands for goes once that is there.
func TestFollower_Kept_RoomFaults(t *testing.T) {
	t.Parallel()
	cuts := 0
	disktest.Everywhere(t, func(t *testing.T, d *disktest.Disk, all bool) {
		synctest.Test(t, func(t *testing.T) {
			w := &keeper{t: t, disk: d, small: true}
			if all {
				d.Before = func(*disk.Call) { w.cut() }
			}
			w.open()
			w.share(subject("alice", in(24*time.Hour)))
			for i := range 5 {
				time.Sleep(2 * time.Second)
				w.share(Revocation{Issuer: "https://issuer.test", SessionID: fmt.Sprint("login-", i), EndedAt: in(-time.Second).Truncate(time.Second), Until: in(24 * time.Hour).Truncate(time.Second)})
			}
			w.f.Close()
			w.open()
			w.f.Close()
			cuts += w.cuts
		})
	})
	t.Logf("%d power cuts", cuts)
}

// Where many issuers have some logouts each, the oldest of all of them give way: none that
// comes is turned away for as long as those live that no issuer has many of.
func TestFollower_Kept_RoomOfMany(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		const most, issuers, each = 320, 17, 18
		b := newLab(false)
		f := b.keep(t, path)
		f.kept.most = most
		logout := func(issuer, i int) Revocation { return loginEnded(fmt.Sprintf("https://issuer-%d.test", issuer), i) }
		var all []Revocation
		for i := range each {
			for issuer := range issuers {
				r := logout(issuer, i)
				b.wantKept(t, f, r)
				all = append(all, r)
			}
			time.Sleep(2 * time.Second)
		}
		few := logout(issuers, 0)
		b.wantKept(t, f, few) // an issuer that has one
		// A quarter of each makes room for four times as many as there are issuers.
		for i := range most - issuers*each + 3*issuers {
			b.wantKept(t, f, subject(fmt.Sprint("somebody-", i), in(24*time.Hour)))
			if n := files(t, path); n > most {
				t.Fatalf("%d files, want %d at most", n, most)
			}
			time.Sleep(roomInterval)
		}
		f.Close()
		b.Close()
		b = newLab(false)
		f = b.keep(t, path)
		for _, r := range all {
			b.wants(t, Token{Issuer: r.Issuer, SessionID: r.SessionID, IssuedAt: r.EndedAt.Add(-time.Hour)}, refusal.ErrRevoked)
		}
		b.wants(t, Token{Issuer: few.Issuer, SessionID: few.SessionID, IssuedAt: in(0)}, refusal.ErrRevoked)
		b.wants(t, Token{Issuer: few.Issuer, SessionID: "another", IssuedAt: in(-time.Hour)}, nil)
		b.wants(t, Token{Issuer: all[0].Issuer, SessionID: "another", IssuedAt: in(0)}, nil)
		f.Close()
		b.Close()
	})
}

// Room is looked for again at once where much was made, and else after a while.
func TestFollower_Kept_RoomAgain(t *testing.T) {
	t.Parallel()
	const most = 128 // of which a sixty-fourth is much
	for over, tt := range map[int]struct {
		after time.Duration
		full  bool
	}{
		3: {roomInterval / 2, false},
		2: {roomInterval / 2, true},
		1: {roomInterval, false},
	} {
		t.Run(fmt.Sprint(over), func(t *testing.T) {
			t.Parallel()
			path := privateDir(t)
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				f := b.keep(t, path)
				f.kept.most = most
				soon := in(time.Hour).Truncate(time.Second)
				places := 0
				take := func(until time.Time) error {
					places++
					_, err := f.kept.Append(t.Context(), Revocation{Subject: fmt.Sprint("somebody-", places), Until: until})
					return err
				}
				all := slices.Concat(
					slices.Repeat([]time.Time{soon}, over),
					[]time.Time{soon.Add(tt.after)},
					slices.Repeat([]time.Time{soon.Add(24 * time.Hour)}, most-over-1))
				for _, until := range all {
					if err := take(until); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Until(soon.Add(clockSlack)))
				for range over {
					if err := take(soon.Add(24 * time.Hour)); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tt.after)
				if err := take(soon.Add(24 * time.Hour)); tt.full != errors.Is(err, errFull) {
					t.Errorf("Append() error = %v, want that the directory is full: %t", err, tt.full)
				}
				f.Close()
				b.Close()
			})
		})
	}
}

// Logouts give way once in a while at most, and again after that. What the disk does not
// take meanwhile is its error, and not that the directory is full.
func TestFollower_Kept_ShortenNowAndThen(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		const most = 32
		b, fails := newLab(false), false
		f, err := b.tryFollow(nil, path, func(c *disk.Call, do func() error) error {
			if fails && c.Op == disk.Create {
				fails = false // for the cutoff that is made, and not for what it is made for
				return errFails
			}
			return do()
		})
		if err != nil {
			t.Fatal(err)
		}
		f.kept.most = most
		for i := range most {
			b.wantKept(t, f, loginEnded("https://issuer.test", i))
			time.Sleep(time.Second)
		}
		for i, want := range []bool{true, false, true} {
			if got := f.kept.shorten(); got != want {
				t.Errorf("%d: shorten() = %t, want %t", i, got, want)
			}
			time.Sleep(roomInterval / 2)
		}
		fails = true
		if _, err := f.kept.Append(t.Context(), subject("alice", in(time.Hour))); !errors.Is(err, errFails) || errors.Is(err, errFull) {
			t.Errorf("Append() error = %v, want %v", err, errFails)
		}
		time.Sleep(roomInterval)
		if _, err := f.kept.Append(t.Context(), subject("alice", in(time.Hour))); err != nil {
			t.Errorf("Append() error = %v once the disk is well", err)
		}
		f.Close()
		b.Close()
	})
}

// A file that stays where it is not needed any longer is told of.
func TestFollower_Kept_NotRemoved(t *testing.T) {
	t.Parallel()
	path := privateDir(t)
	synctest.Test(t, func(t *testing.T) {
		d, b := disktest.New(path), newLab(false)
		f, err := b.tryFollow(nil, path, d.Tap)
		if err != nil {
			t.Fatal(err)
		}
		b.wantKept(t, f, subject("alice", in(time.Hour)))
		d.FailAt(1, disktest.Fault{Name: "stays", Err: errFails, Lasting: true, Ops: []disk.Op{disk.Remove}})
		b.wantKept(t, f, subject("alice", in(2*time.Hour)))
		if n := b.said("kept no longer is not removed"); n != 1 {
			t.Errorf("%d lines say that a file is not removed, want one", n)
		}
		f.Close()
		b.Close()
	})
}
