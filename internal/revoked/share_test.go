package revoked

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// withRefusingLog runs a test of a follower whose log takes nothing yet.
func withRefusingLog(t *testing.T, dir string, test func(t *testing.T, b *lab, log *memoryLog, f *Follower)) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), memorylog.New[Revocation]()
		log.RefuseAll()
		f := b.follow(t, log, dir)
		synctest.Wait()
		test(t, b, log, f)
		f.Close()
		b.Close()
	})
}

// wantShared expects what Share returns.
func wantShared(t *testing.T, f *Follower, r Revocation, wantDurable bool, want error) {
	t.Helper()
	durable, err := f.Share(t.Context(), r)
	if durable != wantDurable || !errors.Is(err, want) {
		t.Errorf("Share(%v) = %t, %v, want %t, %v", r, durable, err, wantDurable, want)
	}
	if want != nil && (!errors.Is(err, memorylog.ErrDown) || !errors.Is(err, refusal.ErrRevocationsUnavailable)) {
		t.Errorf("Share(%v) error = %v, want the log's own too", r, err)
	}
}

// What the log does not take is shared once it does; what was replaced meanwhile
// is not.
func TestFollower_SharesLate(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, b *lab, log *memoryLog, f *Follower) {
		for n := range 10 {
			wantShared(t, f, Revocation{Subject: "alice", Until: in(time.Duration(n+1) * time.Hour).Truncate(time.Second)}, false, ErrWaits)
		}
		wantShared(t, f, Revocation{Subject: "alice", Until: in(time.Hour).Truncate(time.Second)}, false, ErrWaits)
		wantReady(t, f, ErrWaits)
		if n, _ := f.unshared.count(); n != 1 {
			t.Errorf("%d wait, want the one that covers the others", n)
		}
		_, before, _ := log.Counts()
		time.Sleep(time.Hour)
		if _, now, _ := log.Counts(); now-before < 40 || now-before > 140 {
			t.Errorf("%d attempts in an hour, want about one a minute", now-before)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		wantReady(t, f, nil)
		if entries, _, _ := log.Counts(); entries != 1 {
			t.Errorf("%d are in the log, want 1", entries)
		}
		if begun, ended := b.said("wait to be shared"), b.said("no revocation waits"); begun != 1 || ended != 1 {
			t.Errorf("%d lines say that revocations wait and %d that none does, want one each", begun, ended)
		}
	})
}

// One that is shared at once takes with it what waits and says no more.
func TestFollower_SharedAtOnce(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, _ *lab, log *memoryLog, f *Follower) {
		wantShared(t, f, Revocation{Subject: "alice", Until: in(time.Hour)}, false, ErrWaits)
		wantShared(t, f, Revocation{Subject: "bob", Until: in(time.Hour)}, false, ErrWaits)
		log.Refuse(func(r Revocation) bool { return r.Subject == "bob" })
		wantShared(t, f, Revocation{Subject: "alice", Until: in(2 * time.Hour)}, true, nil)
		if n, _ := f.unshared.count(); n != 1 {
			t.Errorf("%d wait, want bob's alone", n)
		}
	})
}

// One that the log never takes does not hold up the others, and one that is over
// is dropped.
func TestFollower_NeverShared(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, b *lab, log *memoryLog, f *Follower) {
		wantShared(t, f, Revocation{Subject: "never", Until: in(time.Hour)}, false, ErrWaits)
		for n := range 20 {
			wantShared(t, f, Revocation{Subject: fmt.Sprint(n), Until: in(time.Hour)}, false, ErrWaits)
		}
		log.Refuse(func(r Revocation) bool { return r.Subject == "never" })
		time.Sleep(5 * time.Minute)
		if entries, _, _ := log.Counts(); entries != 20 {
			t.Errorf("%d are shared, want 20", entries)
		}
		time.Sleep(2 * time.Hour)
		wantReady(t, f, nil)
		if over, shared := b.said("ended before they were shared"), b.said("no revocation waits"); over != 1 || shared != 0 {
			t.Errorf("%d lines tell of what was dropped and %d that all is shared, want one and none", over, shared)
		}
	})
}

// A tardyLog takes nothing: Append fails at once the first time, and then as soon as its
// caller has no time left.
type tardyLog struct {
	memoryLog
	begun, ended []time.Time
}

func (l *tardyLog) Append(ctx context.Context, _ Revocation) (bool, error) {
	l.begun = append(l.begun, time.Now())
	if len(l.begun) > 1 {
		<-ctx.Done()
	}
	l.ended = append(l.ended, time.Now())
	return false, memorylog.ErrDown
}

// One attempt has ten seconds. The pause before each is half to one and a half times
// the delay, which is a second at first, is doubled each time, and is a minute at most.
func TestFollower_SharePauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), &tardyLog{memoryLog: *memorylog.New[Revocation]()}
		f := b.follow(t, log, "")
		synctest.Wait() // until the log has caught up, which is a reason to try as well
		wantShared(t, f, Revocation{Subject: "alice", Until: in(100 * time.Hour)}, false, ErrWaits)
		time.Sleep(4 * time.Hour)
		f.Close()
		b.Close()
		// The first of the follower's own comes at once.
		delay := time.Second
		for n := 1; n < len(log.ended)-1; n++ {
			if took := log.ended[n].Sub(log.begun[n]); took != 10*time.Second {
				t.Errorf("attempt %d had %v, want 10s", n, took)
			}
			delay = min(2*delay, time.Minute)
			if pause := log.begun[n+1].Sub(log.ended[n]); pause < delay/2 || pause >= delay*3/2 {
				t.Errorf("pause %d of %v, want half to one and a half times %v", n, pause, delay)
			}
		}
		if len(log.begun) < 100 {
			t.Errorf("%d attempts in four hours, want more than 100", len(log.begun))
		}
	})
}

func TestFollower_TooManyWait(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, b *lab, _ *memoryLog, f *Follower) {
		for n := range maxUnshared {
			if _, err := f.Share(t.Context(), Revocation{TokenID: fmt.Sprint(n), Until: in(time.Hour)}); !errors.Is(err, ErrWaits) {
				t.Fatalf("Share() error = %v for revocation %d, want %v", err, n, ErrWaits)
			}
		}
		wantShared(t, f, Revocation{TokenID: "one more", Until: in(time.Hour)}, false, ErrNotShared)
		wantShared(t, f, Revocation{TokenID: "7", Until: in(2 * time.Hour)}, false, ErrWaits)
		if err := f.Close(); !errors.Is(err, ErrNotShared) || !strings.Contains(err.Error(), "10000 revocations") {
			t.Errorf("Close() error = %v, want %v of 10000", err, ErrNotShared)
		}
		durable, err := f.Share(t.Context(), Revocation{TokenID: "late", Until: in(time.Hour)})
		if durable || !errors.Is(err, ErrNotShared) || !errors.Is(err, refusal.ErrRevocationsUnavailable) || !strings.Contains(err.Error(), refusal.ErrClosed.Error()) {
			t.Errorf("Share() = %t, %v after Close, want %v: %v", durable, err, ErrNotShared, refusal.ErrClosed)
		}
		if n := b.said("closed before revocations were shared"); n == 0 {
			t.Error("nothing in the log says what was not shared")
		}
	})
}

// Logouts that wait leave places to what else is revoked: whoever runs an issuer causes as
// many as they like.
func TestFollower_TooManyLogoutsWait(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, _ *lab, _ *memoryLog, f *Follower) {
		const logouts, others = 9375, 625
		for n := range logouts {
			r := Revocation{Issuer: "i", SessionID: fmt.Sprint(n), EndedAt: in(0), Until: in(time.Hour)}
			if n%2 == 0 {
				r.SessionID, r.EndedAt, r.Subject, r.IssuedBefore = "", time.Time{}, fmt.Sprint(n), in(0)
			}
			if _, err := f.Share(t.Context(), r); !errors.Is(err, ErrWaits) {
				t.Fatalf("Share() error = %v for logout %d, want %v", err, n, ErrWaits)
			}
		}
		wantShared(t, f, Revocation{Issuer: "i", SessionID: "one more", EndedAt: in(0), Until: in(time.Hour)}, false, ErrNotShared)
		wantShared(t, f, Revocation{Issuer: "i", SessionID: "7", EndedAt: in(time.Second), Until: in(2 * time.Hour)}, false, ErrWaits)
		for n := range others {
			wantShared(t, f, Revocation{KeyID: fmt.Sprint(n), Until: in(time.Hour)}, false, ErrWaits)
		}
		wantShared(t, f, Revocation{KeyID: "one more", Until: in(time.Hour)}, false, ErrNotShared)
		f.Close()
	})
}

// Why revocations wait is told, each reason once until none waits any longer.
func TestFollower_WaitsTold(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, b *lab, log *memoryLog, f *Follower) {
		wantTold := func(when string, lines, down, full int) {
			t.Helper()
			if n, d, u := b.said(`level=ERROR msg="revocations wait to be shared"`), b.said(`error="log down"`), b.said(`error="log full"`); n != lines || d != down || u != full {
				t.Errorf("%s: %d lines, %d of a log that is down, %d of a full one, want %d, %d, %d", when, n, d, u, lines, down, full)
			}
		}
		until := in(100 * time.Hour)
		for n := range 3 {
			f.Share(t.Context(), Revocation{Subject: fmt.Sprint(n), Until: until})
		}
		time.Sleep(time.Hour)
		wantTold("an hour without the log", 1, 1, 0)
		log.FailWith(errors.New("log full"))
		time.Sleep(time.Hour)
		wantTold("an hour while it is full", 2, 1, 1)
		f.Share(t.Context(), Revocation{Subject: "one more", Until: until})
		wantTold("one more", 2, 1, 1)
		log.RefuseNone()
		time.Sleep(time.Hour)
		log.RefuseAll()
		f.Share(t.Context(), Revocation{Subject: "the next", Until: until})
		wantTold("the next outage", 3, 1, 2)
		log.FailWith(memorylog.ErrDown)
		f.Share(t.Context(), Revocation{Subject: "another", Until: until})
		wantTold("the next reason", 4, 2, 2)
	})
}

// What waits in a directory holds again before the follower of the next start is
// there, and is shared.
func TestFollower_Dir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "waiting")
	r := Revocation{Issuer: "i", Subject: "alice", SessionID: "s", TokenID: "t", KeyID: "k", IssuedBefore: in(0).Add(1), EndedAt: in(0).Add(2), Until: in(100 * 365 * 24 * time.Hour)}
	withRefusingLog(t, dir, func(t *testing.T, _ *lab, _ *memoryLog, f *Follower) {
		wantShared(t, f, r, true, ErrWaits)
		if err := f.Close(); !errors.Is(err, ErrWaits) || errors.Is(err, ErrNotShared) {
			t.Errorf("Close() error = %v, want %v", err, ErrWaits)
		}
		// The directory is another process's by now.
		if durable, err := f.Share(t.Context(), Revocation{TokenID: "late", Until: in(time.Hour)}); durable || !errors.Is(err, ErrNotShared) || !strings.Contains(err.Error(), refusal.ErrClosed.Error()) {
			t.Errorf("Share() = %t, %v after Close, want %v: %v", durable, err, ErrNotShared, refusal.ErrClosed)
		}
	})
	withRefusingLog(t, dir, func(t *testing.T, b *lab, log *memoryLog, f *Follower) {
		if got := b.InForce(); len(got) != 1 || got[0] != r {
			t.Fatalf("%v hold after the start, want %v", got, r)
		}
		wantReady(t, f, ErrWaits)
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		if !slices.Equal(log.Entries(), []Revocation{r}) {
			t.Errorf("the log has %v, want %v", log.Entries(), r)
		}
	})
	if files, _ := filepath.Glob(filepath.Join(dir, "*"+entrySuffix)); len(files) != 0 {
		t.Errorf("files are left: %v", files)
	}
}

// A full directory with more than can wait, as a crash leaves it, keeps nobody from
// starting. What is there is shared before more may wait.
func TestFollower_DirOverFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "waiting")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range maxUnshared + 1 {
		content, err := encodeWaiting(Revocation{Subject: fmt.Sprint(n), Until: in(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, nameOf(content)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	withRefusingLog(t, dir, func(t *testing.T, b *lab, _ *memoryLog, f *Follower) {
		if n := b.Len(); n != maxUnshared+1 {
			t.Errorf("%d hold after the start, want all %d", n, maxUnshared+1)
		}
		wantShared(t, f, Revocation{Subject: "one more", Until: in(time.Hour)}, false, ErrNotShared)
	})
}

// A directory whose content is not understood is an error, and the next start may
// have it.
func TestFollower_DirRefused(t *testing.T) {
	t.Parallel()
	const fine = `{"version":1,"revocation":{"subject":"alice","until":"2100-01-01T00:00:00Z"}}`
	tests := []struct {
		name, content string
		want          string // in the error; empty for none
	}{
		{"what was written", fine, ""},
		{"a field more", strings.Replace(fine, `"subject"`, `"tenant":"x","subject"`, 1), "another form"},
		{"a later version", strings.Replace(fine, `1`, `2`, 1), "version: got 2, want 1"},
		{"a later version of another form", strings.Replace(fine, `1,`, `2,"epoch":7,`, 1), "a newer program wrote it"},
		{"an empty revocation", `{"version":1,"revocation":{"until":"2100-01-01T00:00:00Z"}}`, "empty revocation"},
		{"no end", `{"version":1,"revocation":{"subject":"alice"}}`, "without end"},
		{"a name in another case", strings.Replace(fine, `"subject"`, `"Subject"`, 1), "in another case"},
		{"a name twice", strings.Replace(fine, `"subject"`, `"subject":"bob","subject"`, 1), "a name twice"},
		{"no JSON", "alice", "another form"},
	}
	for _, tt := range tests {
		path := t.TempDir()
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
		d := openDir(t, path)
		if _, err := d.Put([]byte(tt.content)); err != nil {
			t.Fatal(err)
		}
		d.Close()
		b := newLab(false)
		f, err := b.Follow(FollowerConfig{Log: memorylog.New[Revocation](), Dir: path, Complete: func(*Revocation) {}})
		if tt.want == "" {
			if err != nil || b.Len() != 1 {
				t.Errorf("%s: Follow() error = %v, and %d hold", tt.name, err, b.Len())
			}
			f.Close()
		} else if f != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Follow() error = %v, want %q", tt.name, err, tt.want)
		}
		openDir(t, path) // nobody has it any more
	}
}

// The only one that waits is taken away by what is shared at once, and what waits next
// is tried soon, however long others have waited before.
func TestFollower_WaitsAnew(t *testing.T) {
	t.Parallel()
	withRefusingLog(t, "", func(t *testing.T, _ *lab, log *memoryLog, f *Follower) {
		wantShared(t, f, Revocation{Subject: "alice", Until: in(10 * time.Hour)}, false, ErrWaits)
		time.Sleep(time.Hour)
		log.RefuseNone()
		wantShared(t, f, Revocation{Subject: "alice", Until: in(20 * time.Hour)}, true, nil)
		if n, _ := f.unshared.count(); n != 0 {
			t.Errorf("%d wait, want none", n)
		}
		time.Sleep(time.Hour)
		log.RefuseAll()
		wantShared(t, f, Revocation{Subject: "bob", Until: in(10 * time.Hour)}, false, ErrWaits)
		time.Sleep(time.Hour)
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		log.RefuseAll()
		wantShared(t, f, Revocation{Subject: "carol", Until: in(10 * time.Hour)}, false, ErrWaits)
		synctest.Wait()
		_, before, _ := log.Counts()
		time.Sleep(4 * firstFollowDelay)
		if _, now, _ := log.Counts(); now == before {
			t.Errorf("no attempt within %v, want one soon", 4*firstFollowDelay)
		}
	})
}

// Who starts with revocations that wait is told so once, then why they do, and that they are
// in files; who starts with none is told nothing.
func TestFollower_DirTold(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "waiting")
	withRefusingLog(t, dir, func(t *testing.T, b *lab, _ *memoryLog, f *Follower) {
		if n := b.said("wait to be shared"); n != 0 {
			t.Errorf("%d lines say that revocations wait, want none", n)
		}
		wantShared(t, f, Revocation{Subject: "alice", Until: in(time.Hour)}, true, ErrWaits)
	})
	withRefusingLog(t, dir, func(t *testing.T, b *lab, _ *memoryLog, f *Follower) {
		if n, why := b.said("wait to be shared"), b.said(`error="log down"`); n != 2 || why != 1 {
			t.Errorf("%d lines say that revocations wait, and %d why, want two, the second with the reason", n, why)
		}
		if err := f.Ready(t.Context()); !errors.Is(err, ErrWaits) || strings.Contains(err.Error(), "memory") {
			t.Errorf("Ready() error = %v, want %v, and nothing of what is in memory only", err, ErrWaits)
		}
	})
}

// What ended while the process was down is kept for a day, since it may be the clock that is
// wrong, and offered to the log. It revokes nothing, so that nobody waits for it to be shared.
func TestFollower_DirOver(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "waiting")
	withRefusingLog(t, dir, func(t *testing.T, _ *lab, _ *memoryLog, f *Follower) {
		wantShared(t, f, Revocation{Subject: "alice", Until: in(-time.Minute)}, true, ErrWaits)
		if err := f.Close(); err != nil {
			t.Errorf("Close() error = %v, want none", err)
		}
	})
	withRefusingLog(t, dir, func(t *testing.T, b *lab, log *memoryLog, f *Follower) {
		wantReady(t, f, nil)
		b.set(-time.Minute - 1)
		wantReady(t, f, ErrWaits)
		b.set(-time.Minute)
		wantReady(t, f, nil)
		wantShared(t, f, Revocation{Subject: "bob", Until: in(time.Hour)}, true, ErrWaits)
		if err := f.Ready(t.Context()); !errors.Is(err, ErrWaits) || !strings.Contains(err.Error(), "1 revocation waits") {
			t.Errorf("Ready() error = %v, want that one waits", err)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		if n, _, _ := log.Counts(); n != 2 {
			t.Errorf("the log has %d, want both", n)
		}
	})
}

// A punctualLog takes nothing that is over, and says each time how late it is.
type punctualLog struct{ *memoryLog }

// Append implements [Log].
func (l punctualLog) Append(ctx context.Context, r Revocation) (added bool, err error) {
	if now := time.Now(); !now.Before(r.Until) {
		return false, fmt.Errorf("it ended at %v, and it is %v", r.Until, now)
	}
	return l.memoryLog.Append(ctx, r)
}

// What ended while the process was down is no reason to say that revocations wait, however
// often and in whatever words it is refused, nor to tell an outage of another once only.
func TestFollower_OverNotTold(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "waiting")
	withRefusingLog(t, dir, func(t *testing.T, _ *lab, _ *memoryLog, f *Follower) {
		wantShared(t, f, Revocation{Subject: "alice", Until: in(-time.Minute)}, true, ErrWaits)
	})
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), memorylog.New[Revocation]()
		f := b.follow(t, punctualLog{log}, dir)
		time.Sleep(time.Hour)
		for _, id := range []string{"bob", "carol"} {
			log.RefuseAll()
			f.Share(t.Context(), Revocation{Subject: id, Until: in(100 * time.Hour)})
			time.Sleep(time.Hour)
			log.RefuseNone()
			time.Sleep(time.Hour)
		}
		over, down := b.said("it ended at"), b.said(`error="log down"`)
		if n := b.said("revocations wait to be shared"); n != 3 || over != 0 || down != 2 {
			t.Errorf("%d lines that revocations wait, %d for what is over, %d of two outages, want one at the start, none, and 2", n, over, down)
		}
		f.Close()
		b.Close()
	})
}
