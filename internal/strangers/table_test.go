package strangers_test

import (
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// A shelf is a world of which two issuers may be proven, and those with the numbers 0
// and 1 are, the first a second before the other.
type shelf struct {
	*world
	start time.Time
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{newWorld(t, 3, func(c *strangers.Config) { c.Rate, c.Places, c.MaxIssuers = 1000, 100, 3 }), time.Now()}
	s.accept(0)
	s.at(time.Second)
	s.accept(1)
	return s
}

// at waits until so long after the beginning.
func (s *shelf) at(after time.Duration) { time.Sleep(time.Until(s.start.Add(after))) }

// accept has a token of an issuer accepted.
func (s *shelf) accept(n int) { s.Accepted(s.known[n].URL(), s.mustContact(1, n).Keys()) }

// useKeys uses the keys of an issuer, as for a token that is remembered.
func (s *shelf) useKeys(n int) {
	s.t.Helper()
	if _, err := s.Find(s.known[n].URL()).Keys().Keys(s.t.Context(), jws.Named(s.known[n].Key().ID())); err != nil {
		s.t.Fatal(err)
	}
}

// wantProven wants all proven but one.
func (s *shelf) wantProven(not int) {
	s.t.Helper()
	for n, i := range s.known {
		if got, want := s.Proven(i.URL()), n != not; got != want {
			s.t.Errorf("issuer %d is proven: %v, want %v", n, got, want)
		}
	}
}

// Whoever proves itself takes the place of the one that was used the longest time ago,
// be it by a token that made somebody look or by one that is remembered.
func TestTable_LastUsed(t *testing.T) {
	t.Parallel()
	bubble(t, "keys that were used within ten minutes", func(t *testing.T) {
		s := newShelf(t)
		s.at(5 * time.Minute)
		s.useKeys(0)
		s.at(15*time.Minute - 1)
		s.accept(2)
		s.wantProven(1)
	})
	bubble(t, "keys that were used ten minutes ago", func(t *testing.T) {
		s := newShelf(t)
		s.at(5 * time.Minute)
		s.useKeys(0)
		s.at(15 * time.Minute)
		s.accept(2)
		s.wantProven(0)
	})
	bubble(t, "tokens that made somebody look within ten minutes", func(t *testing.T) {
		s := newShelf(t)
		s.at(9 * time.Minute)
		s.mustContact(1, 0)
		s.mustContact(1, 1)
		s.at(11 * time.Minute)
		s.accept(2)
		s.wantProven(2)
	})
	bubble(t, "keys that were used after the other's", func(t *testing.T) {
		s := newShelf(t)
		s.at(4 * time.Minute)
		s.mustContact(1, 1)
		s.at(5 * time.Minute)
		s.useKeys(0)
		s.at(7 * time.Minute)
		s.accept(2) // notices it
		s.wantProven(2)
		s.at(17 * time.Minute)
		s.accept(2)
		s.wantProven(1)
	})
	bubble(t, "keys that were used before the other's token", func(t *testing.T) {
		s := newShelf(t)
		s.at(5 * time.Minute)
		s.useKeys(0)
		s.at(7 * time.Minute)
		s.accept(2) // notices it, once
		s.at(8 * time.Minute)
		s.mustContact(1, 1)
		s.at(9 * time.Minute)
		s.accept(2)
		s.wantProven(2)
		s.at(19 * time.Minute)
		s.accept(2)
		s.wantProven(0)
	})
}
