package strangers_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// A line has sixteen places, turns away some when too many stand in it, and everybody
// who waits once it is closed.
func TestLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := strangers.NewLine()
		var places []*strangers.Place
		var putOff int
		for n := range 200 {
			p, err := l.Stand(t.Context(), caller(n))
			switch _, postponed := errors.AsType[*keyset.PostponedError](err); {
			case err == nil:
				places = append(places, p)
			case postponed:
				putOff++
			default:
				t.Fatal(err)
			}
		}
		for _, p := range places[:16] {
			if err := p.Wait(); err != nil {
				t.Errorf("Wait() error = %v", err)
			}
		}
		for _, p := range places {
			if _, postponed := errors.AsType[*keyset.PostponedError](p.Lost()); postponed {
				putOff++
			}
		}
		if putOff == 0 || putOff > 200-16 {
			t.Errorf("%d of 200 put off", putOff)
		}
		l.Close()
		for n, p := range places {
			_, postponed := errors.AsType[*keyset.PostponedError](p.Lost())
			if lost := postponed || errors.Is(p.Lost(), strangers.ErrClosed); lost != (n >= 16) {
				t.Errorf("place %d: Lost() = %v after Close, want that of one who waits: %v", n, p.Lost(), n >= 16)
			}
			p.End()
		}
		if p, err := l.Stand(t.Context(), caller(1)); !errors.Is(err, strangers.ErrClosed) || p != nil {
			t.Errorf("Stand() = %v, %v after Close, want %v", p, err, strangers.ErrClosed)
		}
		time.Sleep(time.Minute)
	})
}

// A place is lost to a caller with a better claim, and not to one who has none: that of
// those who share it counts.
func TestPlace_Lost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := strangers.NewLine()
		stand := func(who int) *strangers.Place {
			t.Helper()
			p, err := l.Stand(t.Context(), caller(who))
			if err != nil || p.Wait() != nil {
				t.Fatalf("Stand() error = %v", err)
			}
			return p
		}
		var places []*strangers.Place
		for range 16 {
			places = append(places, stand(1))
			time.Sleep(time.Millisecond)
		}
		places[0].Share(caller(2))
		waits, err := l.Stand(t.Context(), caller(3))
		if err != nil || waits.Lost() != nil {
			t.Fatalf("Stand() error = %v, Lost() = %v for one who waits", err, waits.Lost())
		}
		for n, p := range places {
			_, postponed := errors.AsType[*keyset.PostponedError](p.Lost())
			if postponed != (n == 1) || !postponed && p.Lost() != nil {
				t.Errorf("place %d: Lost() = %v, want that of the oldest that is shared with nobody", n, p.Lost())
			}
		}
		places[1].End()
		if err := waits.Wait(); err != nil {
			t.Errorf("Wait() error = %v for who has a place now", err)
		}
		for _, p := range append(places, waits) {
			p.End()
		}
		l.Close()
	})
}
