package strangers_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// bubble runs a subtest with a clock of its own.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// caller returns one of many callers.
func caller(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}) }

// A line is a queue with a journal of whose turn came.
type line struct {
	*strangers.Turns
	t   *testing.T
	wg  sync.WaitGroup
	mu  sync.Mutex // guards had
	had []string
}

func newLine(t *testing.T, places, capacity int, rate, burst float64) *line {
	l := &line{Turns: strangers.NewTurns(places, capacity, rate, burst), t: t}
	t.Cleanup(func() {
		l.Close()
		l.wg.Wait()
		if running, waiting, _ := l.Load(); running+waiting != 0 || !l.Balanced() {
			t.Errorf("%d turns and %d waits are left", running, waiting)
		}
	})
	return l
}

// join stands in line and, when the turn comes, has it for so long. It returns
// how that ended.
func (l *line) join(name string, who int, long time.Duration) <-chan error {
	l.t.Helper()
	ended := make(chan error, 1)
	turn, err := l.Ask(l.t.Context(), caller(who))
	if err != nil {
		ended <- err
		return ended
	}
	l.wg.Go(func() {
		defer turn.End()
		if err := turn.Wait(); err != nil {
			ended <- err
			return
		}
		l.mu.Lock()
		l.had = append(l.had, name)
		l.mu.Unlock()
		select {
		case <-time.After(long):
			ended <- nil
		case <-turn.Context().Done():
			ended <- context.Cause(turn.Context())
		}
	})
	synctest.Wait()
	return ended
}

func (l *line) wantOrder(want ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.had, want) {
		l.t.Errorf("turns: %q, want %q", l.had, want)
	}
}

// wantPostponed fails unless the end is that somebody was put off.
func wantPostponed(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		postponed, ok := errors.AsType[*keyset.PostponedError](err)
		if !ok || postponed.RetryAfter <= 0 {
			t.Errorf("end = %v, want a PostponedError with a time to retry after", err)
		}
	default:
		t.Error("no end yet, want a PostponedError")
	}
}

func TestTurns_Order(t *testing.T) {
	t.Parallel()
	bubble(t, "the caller who had none for the longest time is next", func(t *testing.T) {
		l := newLine(t, 9, 9, 10, 3)
		l.join("a1", 'a', 0)
		time.Sleep(10 * time.Millisecond)
		l.join("b1", 'b', 0)
		l.join("c1", 'c', 0) // with this the burst is used up
		time.Sleep(10 * time.Millisecond)
		for _, name := range []string{"b2", "b3", "a2", "a3", "new", "b4"} {
			l.join(name, int(name[0]), 0)
		}
		time.Sleep(time.Second)
		l.wantOrder("a1", "b1", "c1", "new", "a2", "b2", "a3", "b3", "b4")
	})
	bubble(t, "a turn of long ago puts nobody behind those who come only now", func(t *testing.T) {
		l := newLine(t, 9, 9, 10, 1)
		l.join("a1", 'a', 0)
		time.Sleep(time.Hour)
		l.join("first", 1, 0)
		ended := l.join("a2", 'a', 0)
		for n := range 30 { // as many as have a turn
			l.join("new", 1000+n, 0)
			time.Sleep(100 * time.Millisecond)
		}
		if err := <-ended; err != nil {
			t.Errorf("the turn of who came first ended with %v", err)
		}
	})
	bubble(t, "callers who are gone are not remembered", func(t *testing.T) {
		l := newLine(t, 9, 9, 10, 10)
		for n := range 10_000 {
			l.join("x", n, 0)
			time.Sleep(100 * time.Millisecond)
		}
		if _, _, accounts := l.Load(); accounts > 128 {
			t.Errorf("%d accounts, want those of the last seconds", accounts)
		}
	})
	bubble(t, "nobody waits when nobody need", func(t *testing.T) {
		l := newLine(t, 2, 0, 10, 2)
		for _, name := range []string{"a", "b"} {
			l.join(name, int(name[0]), time.Minute)
		}
		l.wantOrder("a", "b")
		wantPostponed(t, l.join("c", 'c', 0))
	})
}

func TestTurns_Patience(t *testing.T) {
	t.Parallel()
	bubble(t, "a wait ends after two seconds", func(t *testing.T) {
		l := newLine(t, 1, 9, 100, 100)
		l.join("a", 'a', time.Minute)
		held := l.join("a, again", 'a', time.Minute) // takes the place over after a second
		ended := l.join("a, a third time", 'a', 0)
		time.Sleep(2*time.Second - 1)
		if len(ended) != 0 {
			t.Fatal("ended too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if len(held) > 0 {
			wantPostponed(t, held)
		}
	})
	bubble(t, "a wait ends with its context", func(t *testing.T) {
		l := newLine(t, 1, 9, 0.1, 1)
		l.join("a", 'a', 0)
		ctx, cancel := context.WithCancel(t.Context())
		turn, err := l.Ask(ctx, caller('b'))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := turn.Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait() error = %v, want %v", err, context.Canceled)
		}
		turn.End()
		turn.End()
		if running, waiting, _ := l.Load(); running+waiting != 0 {
			t.Errorf("%d turns, %d waits, want none", running, waiting)
		}
	})
	bubble(t, "closing ends all waits, and no turn comes later", func(t *testing.T) {
		l := newLine(t, 1, 9, 0.1, 1)
		l.join("a", 'a', 0)
		ended := l.join("b", 'b', 0)
		l.Close()
		synctest.Wait()
		if err := <-ended; !errors.Is(err, strangers.ErrClosed) {
			t.Errorf("end = %v, want %v", err, strangers.ErrClosed)
		}
		if err := <-l.join("c", 'c', 0); !errors.Is(err, strangers.ErrClosed) {
			t.Errorf("end = %v, want %v", err, strangers.ErrClosed)
		}
	})
}

func TestTurns_Capacity(t *testing.T) {
	t.Parallel()
	bubble(t, "who waits for most gives way to a newcomer", func(t *testing.T) {
		l := newLine(t, 9, 4, 0.6, 1)
		l.join("a0", 'a', 0)
		var ends []<-chan error
		for range 4 {
			ends = append(ends, l.join("a", 'a', 0))
		}
		newcomer := l.join("b", 'b', 0)
		gone := 0
		for _, ended := range ends {
			gone += len(ended)
		}
		if gone != 1 || len(newcomer) != 0 {
			t.Errorf("%d of the first caller's waits ended, newcomer's %d, want 1 and 0", gone, len(newcomer))
		}
		time.Sleep(1700 * time.Millisecond)
		l.wantOrder("a0", "b")
	})
	bubble(t, "one who waits for most is turned away by nobody else's loss", func(t *testing.T) {
		l := newLine(t, 9, 4, 0.1, 1)
		l.join("x", 'x', 0)
		var others []<-chan error
		for _, who := range "bcd" {
			others = append(others, l.join(string(who), int(who), 0))
		}
		for range 20 {
			l.join("a", 'a', 0)
		}
		for _, ended := range others {
			if len(ended) != 0 {
				t.Error("a wait ended for another caller's")
			}
		}
		if _, waiting, _ := l.Load(); waiting != 4 {
			t.Errorf("%d wait, want 4", waiting)
		}
	})
	bubble(t, "of one caller's waits none is always the one to go", func(t *testing.T) {
		kept := 0
		for range 200 {
			l := newLine(t, 9, 4, 0.1, 1)
			l.join("a", 'a', 0)
			for range 4 {
				l.join("a", 'a', 0)
			}
			if last := l.join("a", 'a', 0); len(last) == 0 {
				kept++
			}
			l.Close()
		}
		if kept < 100 || kept == 200 {
			t.Errorf("the last stayed %d times of 200, want 4 of 5", kept)
		}
	})
}

func TestTurns_Reclaim(t *testing.T) {
	t.Parallel()
	bubble(t, "a newcomer gets a place of the caller who holds most, the oldest", func(t *testing.T) {
		l := newLine(t, 4, 9, 100, 100)
		b := l.join("b", 'b', time.Minute)
		time.Sleep(time.Millisecond)
		oldest := l.join("a1", 'a', time.Minute)
		time.Sleep(time.Millisecond)
		rest := []<-chan error{l.join("a2", 'a', time.Minute), l.join("a3", 'a', time.Minute), b}
		began := time.Now()
		l.join("c", 'c', 0)
		l.wantOrder("b", "a1", "a2", "a3", "c")
		if time.Since(began) != 0 {
			t.Errorf("took %v, want 0", time.Since(began))
		}
		wantPostponed(t, oldest)
		for _, ended := range rest {
			if len(ended) != 0 {
				t.Error("another one lost its place")
			}
		}
	})
	bubble(t, "among equals a place is lent for a second", func(t *testing.T) {
		l := newLine(t, 2, 9, 100, 100)
		first := l.join("a", 'a', time.Minute)
		time.Sleep(300 * time.Millisecond)
		second := l.join("b", 'b', time.Minute)
		l.join("c", 'c', time.Minute)
		time.Sleep(700*time.Millisecond - 1)
		l.wantOrder("a", "b")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		l.wantOrder("a", "b", "c")
		wantPostponed(t, first)
		if len(second) != 0 {
			t.Error("the younger one lost its place")
		}
	})
	bubble(t, "no place is taken from callers who hold fewer", func(t *testing.T) {
		l := newLine(t, 3, 9, 100, 100)
		b := l.join("b", 'b', time.Minute)
		l.join("a", 'a', time.Minute)
		l.join("a", 'a', time.Minute)
		l.join("a", 'a', time.Minute)
		time.Sleep(1500 * time.Millisecond)
		if len(b) != 0 {
			t.Error("a caller with one place lost it to one with two")
		}
	})
	bubble(t, "a place is as safe as the one of its callers with fewest", func(t *testing.T) {
		l := newLine(t, 3, 9, 100, 100)
		shared, err := l.Ask(t.Context(), caller('a'))
		if err != nil || shared.Wait() != nil {
			t.Fatal(err)
		}
		defer shared.End()
		shared.Share(caller('b'))
		time.Sleep(time.Millisecond)
		own := l.join("a", 'a', time.Minute)
		l.join("a", 'a', time.Minute)
		l.join("c", 'c', time.Minute)
		if shared.Context().Err() != nil || len(own) != 1 {
			t.Error("the place that two callers share went first")
		}
	})
	bubble(t, "those who came first to be there first give way to one with a better claim", func(t *testing.T) {
		l := newLine(t, 21, 9, 2, 21)
		shared, err := l.Ask(t.Context(), caller(0))
		if err != nil || shared.Wait() != nil {
			t.Fatal(err)
		}
		defer shared.End()
		for n := range 10 {
			l.join("x", n, time.Minute)
			shared.Share(caller(n))
		}
		for n := range 10 { // all that is left
			l.join("x", n, time.Minute)
		}
		shared.Share(caller('h'))
		if n := shared.Callers(); n != 8 {
			t.Errorf("%d callers are looked at for one turn, want the 8 with the best claims", n)
		}
		newcomer := l.join("new", 'n', 0)
		time.Sleep(600 * time.Millisecond)
		if len(newcomer) != 1 || <-newcomer != nil {
			t.Error("the newcomer got no place")
		}
		if shared.Context().Err() != nil {
			t.Error("the place of the caller who holds only this one went first")
		}
	})
	bubble(t, "the place is for whom it was taken, not for one who is due but has no claim to it", func(t *testing.T) {
		l := newLine(t, 3, 9, 100, 100)
		slow, err := l.Ask(t.Context(), caller('a')) // does not end at once when told to
		if err != nil || slow.Wait() != nil {
			t.Fatal(err)
		}
		l.join("a", 'a', time.Minute)
		time.Sleep(10 * time.Millisecond)
		l.join("n", 'n', 0)
		time.Sleep(10 * time.Millisecond)
		l.join("b", 'b', time.Minute)
		l.join("a, who holds two and had one longest ago", 'a', 0)
		l.join("n, who holds none", 'n', time.Minute)
		<-slow.Context().Done()
		l.wantOrder("a", "n", "b")
		slow.End()
		synctest.Wait()
		l.wantOrder("a", "n", "b", "n, who holds none")
	})
}

// The place of whoever leaves before it is there is for the next with a claim to it.
func TestTurns_HeirLeaves(t *testing.T) {
	t.Parallel()
	bubble(t, "not for one who is due but has none", func(t *testing.T) {
		l := newLine(t, 3, 9, 100, 100)
		slow, err := l.Ask(t.Context(), caller('a')) // does not end at once when told to
		if err != nil || slow.Wait() != nil {
			t.Fatal(err)
		}
		l.join("a", 'a', time.Minute)
		time.Sleep(10 * time.Millisecond)
		l.join("m", 'm', 0)
		l.join("n", 'n', 0)
		l.join("b", 'b', time.Minute)
		l.join("a, who holds two and had one longest ago", 'a', 0)
		heir, err := l.Ask(t.Context(), caller('m'))
		if err != nil {
			t.Fatal(err)
		}
		l.join("n, who holds none", 'n', time.Minute)
		<-slow.Context().Done()
		heir.End()
		slow.End()
		synctest.Wait()
		l.wantOrder("a", "m", "n", "b", "n, who holds none")
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for one, other := range map[string]string{
		"https://keys.test/a": "https://KEYS.test:443/b?c", "https://keys.test./a": "https://keys.test", "https://keys.test:444/": "https://Keys.test:444",
	} {
		if strangers.HostOf(one) != strangers.HostOf(other) {
			t.Errorf("%s and %s are two hosts, want one", one, other)
		}
	}
	if strangers.HostOf("https://keys.test:444/") == strangers.HostOf("https://keys.test/") {
		t.Error("two ports are one host")
	}
	synctest.Test(t, func(t *testing.T) {
		hosts := strangers.Hosts{}
		busy, _ := hosts.Of("busy").Ask(t.Context(), caller(1))
		used, _ := hosts.Of("used").Ask(t.Context(), caller(1))
		used.End()
		for n := range 10_000 {
			turn, err := hosts.Of(caller(n).String()).Ask(t.Context(), caller(1))
			if err != nil {
				t.Fatal(err)
			}
			turn.End()
			time.Sleep(100 * time.Millisecond)
			if n == 0 && hosts["used"] == nil {
				t.Error("a host that was asked a moment ago starts anew")
			}
		}
		if len(hosts) > 128 || hosts["busy"] == nil {
			t.Errorf("%d hosts remembered, want those of the last seconds and the busy one", len(hosts))
		}
		busy.End()
	})
}
