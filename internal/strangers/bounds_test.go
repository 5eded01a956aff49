package strangers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// Hosts that are as good as new are cleared away when there are 64, 128 and so on, and
// not in between, where it would cost each new one as much as there are.
func TestHosts_Cleared(t *testing.T) {
	t.Parallel()
	bubble(t, "idle ones", func(t *testing.T) {
		hosts := strangers.Hosts{}
		for n := range 64 {
			hosts.Of(fmt.Sprint(n))
		}
		if len(hosts) != 64 {
			t.Errorf("%d of 64 are there", len(hosts))
		}
		if hosts.Of("one more"); len(hosts) != 1 {
			t.Errorf("%d are there after the next, want that alone", len(hosts))
		}
	})
	bubble(t, "busy ones", func(t *testing.T) {
		hosts := strangers.Hosts{}
		for n := range 64 {
			turn, err := hosts.Of(fmt.Sprint(n)).Ask(t.Context(), caller(1))
			if err != nil {
				t.Fatal(err)
			}
			defer turn.End()
		}
		if hosts.Of("one more"); len(hosts) != 65 {
			t.Errorf("%d are there, want those that are busy and one more", len(hosts))
		}
		if hosts.Of("another"); len(hosts) != 66 {
			t.Errorf("%d are there, want 66", len(hosts))
		}
	})
}

// Accounts are cleared away as hosts are: those of callers who have no turn, wait for
// none, and had none within ten seconds.
func TestTurns_AccountsCleared(t *testing.T) {
	t.Parallel()
	bubble(t, "at 64 alone", func(t *testing.T) {
		l := newLine(t, 2, 200, 100, 100)
		const holds, both, waits, lately, longAgo = 1, 2, 3, 4, 5
		longHeld, err := l.Ask(t.Context(), caller(both)) // does not end when told to
		if err != nil || longHeld.Wait() != nil {
			t.Fatal(err)
		}
		defer longHeld.End()
		l.join("had one", longAgo, 0)
		time.Sleep(time.Millisecond)
		l.join("had one", lately, 0)
		for n := range 59 {
			l.join("had one", 100+n, 0)
		}
		time.Sleep(10*time.Second - time.Millisecond)
		l.join("holds", holds, time.Minute)
		l.join("waits", waits, time.Minute)
		if running, waiting, accounts := l.Load(); running != 2 || waiting != 1 || accounts != 64 {
			t.Fatalf("%d hold, %d wait, %d accounts, want 2, 1 and 64", running, waiting, accounts)
		}
		l.join("waits", both, time.Minute)
		l.join("waits", 1000, time.Minute)
		for who, want := range map[int]bool{holds: true, both: true, waits: true, lately: true, longAgo: false, 1000: true} {
			if got := l.Remembers(caller(who)); got != want {
				t.Errorf("caller %d is remembered: %v, want %v", who, got, want)
			}
		}
	})
	bubble(t, "and not in between", func(t *testing.T) {
		l := newLine(t, 100, 9, 100, 100)
		for n := range 64 {
			l.join("has one", n, 0)
		}
		l.join("has one", 64, 0)
		time.Sleep(time.Minute)
		l.join("has one", 65, 0)
		if _, _, accounts := l.Load(); accounts != 66 {
			t.Errorf("%d accounts, want 66", accounts)
		}
	})
}

// Of those who ask for an issuer the last four are remembered, each once.
func TestContact_Asked(t *testing.T) {
	t.Parallel()
	bubble(t, "six callers", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		for _, who := range []int{1, 2, 2, 3, 2, 4, 5, 5, 6, 5} {
			if _, err := w.contact(t.Context(), who, w.known[0].URL()); err != nil {
				t.Fatal(err)
			}
		}
		got := fmt.Sprint(w.Asked(w.Find(w.known[0].URL())))
		if want := fmt.Sprintf("[%v %v %v %v]", caller(5), caller(6), caller(4), caller(2)); got != want {
			t.Errorf("remembered: %s, want %s", got, want)
		}
	})
	bubble(t, "while it waits for its first contact", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		var wg sync.WaitGroup
		w.fill(&wg)
		for who := range 3 {
			wg.Go(func() { w.mustContact(1+who, 0) })
			synctest.Wait()
		}
		wg.Wait()
		got := fmt.Sprint(w.Asked(w.Find(w.known[0].URL())))
		if want := fmt.Sprintf("[%v %v %v]", caller(3), caller(2), caller(1)); got != want {
			t.Errorf("remembered: %s, want %s", got, want)
		}
	})
}

// Strangers cause ten lines and one a second, which say how many were left out, and one
// a minute that says that there are too many.
func TestLineLog(t *testing.T) {
	t.Parallel()
	bubble(t, "lines", func(t *testing.T) {
		var log authtest.Log
		l := strangers.NewLineLog(slog.New(slog.NewTextHandler(&log, nil)))
		want := func(lines, leftOut int) {
			t.Helper()
			all := strings.Split(strings.TrimSpace(log.String()), "\n")
			_, left, _ := strings.Cut(all[len(all)-1], " lines_left_out=")
			wantLeft := ""
			if leftOut > 0 {
				wantLeft = fmt.Sprint(leftOut)
			}
			if len(all) != lines || left != wantLeft {
				t.Errorf("%d lines, of which the last says that %q were left out, want %d and %q", len(all), left, lines, wantLeft)
			}
		}
		for range 10 {
			l.Line("text")
		}
		want(10, 0)
		l.Line("text")
		want(10, 0)
		time.Sleep(time.Second)
		l.Line("text")
		want(11, 1)
		for range 3 {
			l.Line("text")
		}
		time.Sleep(2 * time.Second)
		l.Line("text")
		want(12, 3)
		l.Line("text")
		want(13, 0)
	})
	bubble(t, "that there are too many", func(t *testing.T) {
		var log authtest.Log
		l := strangers.NewLineLog(slog.New(slog.NewTextHandler(&log, nil)))
		want := func(lines int) {
			t.Helper()
			if n := strings.Count(log.String(), `msg="more unknown issuers than may be contacted" waiting=2 issuers=1`); n != lines {
				t.Errorf("%d lines, want %d", n, lines)
			}
		}
		l.Flood()
		want(1)
		time.Sleep(time.Minute - 1)
		l.Flood()
		want(1)
		time.Sleep(time.Nanosecond)
		l.Flood()
		want(2)
	})
}

// A counter is a context that counts those that were made from it and live.
type counter struct {
	context.Context
	children int
}

func (c *counter) AfterFunc(func()) func() bool {
	c.children++
	return func() bool { c.children--; return true }
}

func (c *counter) Done() <-chan struct{} { return make(chan struct{}) }

// What strangers ask for leaves nothing behind in the context that it is asked with,
// which lives for as long as the program.
func TestTurns_NothingLeftBehind(t *testing.T) {
	t.Parallel()
	bubble(t, "one that had its turn, one that did not, and one that was turned away", func(t *testing.T) {
		q := strangers.NewTurns(1, 1, 1, 1)
		ctx := &counter{Context: context.Background()}
		had, err := q.Ask(ctx, caller(1))
		if err != nil || had.Wait() != nil {
			t.Fatal(err)
		}
		waits, err := q.Ask(ctx, caller(2))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			_, err := q.Ask(ctx, caller(1))
			if _, postponed := errors.AsType[*keyset.PostponedError](err); !postponed {
				t.Errorf("Ask() error = %v, want a PostponedError", err)
			}
		}
		if ctx.children != 2 {
			t.Errorf("%d contexts live, want 2", ctx.children)
		}
		waits.End()
		had.End()
		if ctx.children != 0 || had.Context().Err() == nil {
			t.Errorf("%d contexts live, want none", ctx.children)
		}
		q.Close()
	})
}

// Those of one caller take turns, too: the one that began first, and was lent its place
// for a second, makes way for one that waits.
func TestTurns_ReclaimAmongOwn(t *testing.T) {
	t.Parallel()
	bubble(t, "as many held as by who waits", func(t *testing.T) {
		l := newLine(t, 1, 9, 100, 100)
		first := l.join("a1", 'a', time.Minute)
		l.join("a2", 'a', 0)
		time.Sleep(time.Second - 1)
		l.wantOrder("a1")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		l.wantOrder("a1", "a2")
		wantPostponed(t, first)
	})
}

// A turn is looked at by the eight callers with the best claims: one with no better
// claim than theirs, and one of them that asks again, change nothing.
func TestTurns_Shares(t *testing.T) {
	t.Parallel()
	bubble(t, "eight callers", func(t *testing.T) {
		l := newLine(t, 20, 9, 2, 20)
		shared, err := l.Ask(t.Context(), caller(0))
		if err != nil || shared.Wait() != nil {
			t.Fatal(err)
		}
		defer shared.End()
		for n := range 8 {
			shared.Share(caller(n))
		}
		for n := range 8 {
			shared.Share(caller(n))
		}
		if n := shared.Callers(); n != 8 {
			t.Errorf("%d callers, want 8", n)
		}
		// All are taken by others, who have more than those eight.
		for n := range 19 {
			l.join("x", 100+n/5, time.Minute)
		}
		for n := range 4 {
			shared.Share(caller(100 + n))
		}
		l.join("new", 'n', 0)
		time.Sleep(600 * time.Millisecond)
		if shared.Context().Err() != nil {
			t.Error("the place of callers who hold only this one went first")
		}
	})
}

// Among those who wait for a turn, too, eight have a share: one with a better claim
// takes that of the one with the worst, and one with no better claim none.
func TestTurns_SharesOfWait(t *testing.T) {
	t.Parallel()
	bubble(t, "eight callers and two more", func(t *testing.T) {
		l := newLine(t, 20, 20, 10, 9)
		for n := range 9 {
			l.join("served", n, 0)
		}
		shared, err := l.Ask(t.Context(), caller(0))
		if err != nil {
			t.Fatal(err)
		}
		defer shared.End()
		for n := range 7 {
			shared.Share(caller(1 + n))
		}
		l.join("as the others", 8, 0)
		if shared.Share(caller(8)); shared.SharedBy(caller(8)) {
			t.Error("one who has no better claim took the share of another")
		}
		if shared.Share(caller('n')); !shared.SharedBy(caller('n')) || shared.Callers() != 8 {
			t.Errorf("%d callers, and a newcomer none of them, want eight and him", shared.Callers())
		}
	})
}

// A request that does not get its second turn gives up its first. What is over is not
// noted any more.
func TestAdmit_GivesUpAll(t *testing.T) {
	t.Parallel()
	bubble(t, "none for want of any", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		i := w.mustContact(1, 0)
		done, err := w.Admit(t.Context(), i, w.known[0].URL())
		if err != nil || !w.Requests(i) {
			t.Fatalf("Admit() error = %v, a turn is noted: %v", err, w.Requests(i))
		}
		if done(); w.Requests(i) {
			t.Error("a turn is noted that is over")
		}
		w.Close()
		if _, err := w.Admit(t.Context(), i, w.known[0].URL()); !errors.Is(err, strangers.ErrClosed) {
			t.Errorf("Admit() error = %v, want %v", err, strangers.ErrClosed)
		}
	})
	bubble(t, "the host's for want of one of all", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		i := w.mustContact(1, 0)
		var wg sync.WaitGroup
		w.fill(&wg)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		const url = "https://elsewhere.test/keys"
		if _, err := w.Admit(ctx, i, url); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Admit() error = %v, want %v", err, context.DeadlineExceeded)
		}
		if running, waiting, _ := w.HostOf(url).Load(); running+waiting != 0 {
			t.Errorf("%d requests to the host, and %d wait, want none", running, waiting)
		}
		wg.Wait()
	})
}
