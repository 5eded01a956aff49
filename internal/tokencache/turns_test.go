package tokencache_test

import (
	"fmt"
	"testing"

	"github.com/oidcauth/oidcauth/internal/tokencache"
)

// TestCache_MostCredit: however often it was presented, a token that is not presented
// any more leaves after a few rounds.
func TestCache_MostCredit(t *testing.T) {
	t.Parallel()
	s := &steps{t: t, c: tokencache.New[verdict](2<<20, nil)}
	s.present(1, 10)
	if _, highest := s.c.Credit(func(*verdict) bool { return true }); highest != 3 {
		t.Errorf("a token presented ten times again is credited with %d hits, want 3", highest)
	}
}

// TestCache_TurnsOverFew: while all of the memory is in use, a Put turns over two of
// the main part's segments, and then a new token gives way.
func TestCache_TurnsOverFew(t *testing.T) {
	t.Parallel()
	const tokens, perSegment = 1220, 18
	s := &steps{t: t, c: tokencache.New[verdict](2<<20, nil)}
	s.present(tokens, 3)
	for n := range tokens {
		put(s.c, n)
	}
	fresh := token(tokens)
	used := func(v *verdict) bool { return v.subject < fresh }
	before, _ := s.c.Credit(used)
	most := 0
	for range 300 {
		s.present(1, 0)
		after, _ := s.c.Credit(used)
		before, most = after, max(most, before-after)
	}
	if most != 2*perSegment {
		t.Errorf("a Put took up to %d hits from tokens in use, want %d", most, 2*perSegment)
	}
	check(t, s.c)
}

// TestCache_ExactShare: tokens on probation that make up exactly their share do not
// give way to those of the main part that nobody presents any more.
func TestCache_ExactShare(t *testing.T) {
	t.Parallel()
	const size, each = 46_500, 4 << 10 // a tenth holds one, and nine fit
	c := tokencache.New[verdict](size, nil)
	put := func(n int) (tok string) {
		tok = fmt.Sprintf("%0*d", each, n)
		c.Put(tok, &verdict{}, 0, later(), uint64(n))
		return tok
	}
	for n := range 9 {
		tok := put(n)
		c.Get(tok)
		c.Get(tok)
		put(n)
	}
	if c.Len() != 9 || c.Bytes() <= size-each {
		t.Fatalf("%d tokens take %d bytes, want nine that leave no room for another", c.Len(), c.Bytes())
	}
	for n := range 20 {
		put(100 + n)
	}
	if _, ok := c.Get(fmt.Sprintf("%0*d", each, 119)); !ok {
		t.Error("the newest token is not held")
	}
	check(t, c)
}

// TestCache_FairOwner: the tokens in use of one owner are spared as far as they are
// a quarter of all, or sixteen.
func TestCache_FairOwner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size         int64
		tokens, held int
	}{
		{64 << 10, 16, 16},
		{64 << 10, 17, 16},
		{256 << 10, 50, 50}, // of some 220
	} {
		c := tokencache.New[verdict](tt.size, nil)
		other := uint64(8)
		for c.SameOwner(7, other) {
			other++
		}
		for n := range tt.tokens {
			c.Put(token(n), &verdict{subject: token(n)}, 100, later(), 7)
			for range 3 {
				has(t, c, n)
			}
		}
		for n := range 500 {
			c.Put(token(100+n), &verdict{}, 100, later(), other)
		}
		held := 0
		for n := range tt.tokens {
			if has(t, c, n) {
				held++
			}
		}
		if held != tt.held {
			t.Errorf("%d of %d tokens are held in %d bytes, want %d", held, tt.tokens, tt.size, tt.held)
		}
		check(t, c)
	}
}

// TestCache_RemembersWhatLeft: as many tokens as one set remembers are all known
// when they come back, and then make room for others.
func TestCache_RemembersWhatLeft(t *testing.T) {
	t.Parallel()
	const fit, flood = 8, 3000
	c := tokencache.New[verdict](2<<20, nil)
	next := 1000
	present := func(group int) {
		for n := group*fit + 1; n <= group*fit+fit; n++ {
			c.PutHashed(uint64(n), token(n), &verdict{subject: token(n)})
		}
		for range flood {
			c.PutHashed(1<<31+uint64(next)<<14, token(next), &verdict{})
			next++
		}
	}
	for group := range 6 {
		present(group)
		present(group)
		for n := group*fit + 1; n <= group*fit+fit; n++ {
			if _, ok := c.GetHashed(uint64(n), token(n)); !ok {
				t.Errorf("token %d of group %d is not held after it came back", n, group)
			}
		}
	}
	check(t, c)
}
