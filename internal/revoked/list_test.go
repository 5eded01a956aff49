package revoked

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// alice is a token with everything that a revocation can name.
func alice() Token {
	return Token{
		Issuer: "https://a.test", Subject: "alice", SubjectClaim: "user-1", SessionID: "login", TokenID: "token", KeyID: "key",
		IssuedAt: in(-time.Minute), Seller: Seller{Issuer: "https://shop.test", KeyID: "shop", SoldAt: in(-time.Second)},
	}
}

func TestList_Matches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		r    Revocation
		want bool
	}{
		{"the issuer", Revocation{Issuer: "https://a.test"}, true},
		{"another issuer", Revocation{Issuer: "https://b.test"}, false},
		{"the subject", Revocation{Subject: "alice"}, true},
		{"the subject claim", Revocation{Subject: "user-1"}, true},
		{"another subject", Revocation{Subject: "bob"}, false},
		{"the subject at another issuer", Revocation{Issuer: "https://b.test", Subject: "alice"}, false},
		{"the login session", Revocation{SessionID: "login"}, true},
		{"another login session", Revocation{SessionID: "alice"}, false},
		{"the token", Revocation{TokenID: "token"}, true},
		{"another token", Revocation{TokenID: "login"}, false},
		{"the key", Revocation{KeyID: "key"}, true},
		{"another key", Revocation{KeyID: "token"}, false},
		{"issued before", Revocation{IssuedBefore: in(0)}, true},
		{"issued no earlier", Revocation{IssuedBefore: in(-time.Minute)}, false},
		{"everything", Revocation{Issuer: "https://a.test", Subject: "alice", SessionID: "login", TokenID: "token", KeyID: "key", IssuedBefore: in(0)}, true},
		{"everything, the subject another", Revocation{Issuer: "https://a.test", Subject: "bob", SessionID: "login", TokenID: "token", KeyID: "key"}, false},
		{"the seller's key", Revocation{KeyID: "shop"}, true},
		{"the seller's key, of that issuer", Revocation{Issuer: "https://shop.test", KeyID: "shop"}, true},
		{"the seller's key, of another issuer", Revocation{Issuer: "https://a.test", KeyID: "shop"}, false},
		{"the seller's key, sold no earlier", Revocation{KeyID: "shop", IssuedBefore: in(-time.Minute)}, false},
		{"the seller's key and a subject", Revocation{KeyID: "shop", Subject: "alice"}, false},
		{"the seller's issuer alone", Revocation{Issuer: "https://shop.test"}, false},
	}
	for _, tt := range tests {
		b := newLab(false)
		tt.r.Until = in(time.Hour)
		b.Add(tt.r)
		token := alice()
		if got := tt.r.Matches(&token); got != tt.want {
			t.Errorf("%s: Matches() = %t, want %t", tt.name, got, tt.want)
		}
		var want error
		if tt.want {
			want = refusal.ErrRevoked
		}
		b.wants(t, alice(), want)
	}
}

// A token that names nothing is matched by nothing that names something, and one
// that does not say when it was issued counts as issued before.
func TestList_MatchesNothing(t *testing.T) {
	t.Parallel()
	b := newLab(false)
	for _, r := range []Revocation{{Issuer: "i"}, {Subject: "s"}, {SessionID: "l"}, {TokenID: "t"}, {KeyID: "k"}} {
		r.Until = in(time.Hour)
		b.Add(r)
	}
	b.wants(t, Token{}, nil)
	b.Add(Revocation{IssuedBefore: in(0), Until: in(time.Hour)})
	b.wants(t, Token{}, refusal.ErrRevoked)
	b.wants(t, Token{IssuedAt: in(time.Minute)}, nil)
}

// Of two revocations that differ in their times alone, the one that covers the
// other is kept, whichever comes first.
func TestList_Covers(t *testing.T) {
	t.Parallel()
	early, late := in(time.Hour), in(2*time.Hour)
	tests := []struct {
		name          string
		first, second Revocation
		want          int // are kept
	}{
		{"the same twice", Revocation{Subject: "a", Until: late}, Revocation{Subject: "a", Until: late}, 1},
		{"one lasts longer", Revocation{Subject: "a", Until: early}, Revocation{Subject: "a", Until: late}, 1},
		{"one is of tokens to come as well", Revocation{Subject: "a", IssuedBefore: early, Until: late}, Revocation{Subject: "a", Until: late}, 1},
		{"one is of more tokens", Revocation{Subject: "a", IssuedBefore: early, Until: late}, Revocation{Subject: "a", IssuedBefore: late, Until: late}, 1},
		{"one is of more tokens, the other lasts longer", Revocation{Subject: "a", IssuedBefore: early, Until: late}, Revocation{Subject: "a", IssuedBefore: late, Until: early}, 2},
		{"one can be evicted", Revocation{SessionID: "a", EndedAt: early, Until: late}, Revocation{SessionID: "a", Until: late}, 1},
		{"one ended later", Revocation{SessionID: "a", EndedAt: early, Until: late}, Revocation{SessionID: "a", EndedAt: late, Until: late}, 1},
		{"another subject", Revocation{Subject: "a", Until: late}, Revocation{Subject: "b", Until: late}, 2},
		{"a subject and a token", Revocation{Subject: "a", Until: late}, Revocation{TokenID: "a", Until: late}, 2},
		{"narrower in what it names", Revocation{Subject: "a", Until: late}, Revocation{Subject: "a", Issuer: "i", Until: late}, 2},
	}
	for _, tt := range tests {
		for _, order := range [][2]Revocation{{tt.first, tt.second}, {tt.second, tt.first}} {
			b := newLab(false)
			b.Add(order[0])
			b.Add(order[1])
			if got := b.Len(); got != tt.want {
				t.Errorf("%s: %d are kept, want %d", tt.name, got, tt.want)
			}
		}
	}
}

// Of two revocations that are found by one thing, the end of the one leaves the other.
func TestList_OneOfTwoExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		defer b.Close()
		b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
		b.Add(Revocation{Subject: "alice", Issuer: "https://a.test", Until: in(3 * time.Hour)})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := b.Len(); n != 1 {
			t.Errorf("%d are kept, want the one that holds", n)
		}
		b.wants(t, Token{Issuer: "https://a.test", Subject: "alice"}, refusal.ErrRevoked)
		b.wants(t, Token{Issuer: "https://b.test", Subject: "alice"}, nil)
	})
}

// What ends has ended by the clock and by the time that has passed.
func TestList_Expiry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		start  time.Duration // of the clock, ahead, when the revocation arrives
		ahead  time.Duration // from then on, until it is right again
		stays  time.Duration
		within time.Duration // after the arrival nothing is kept any more
	}{
		{"the clock is right", 0, 0, 0, time.Hour + 2*time.Minute},
		{"ahead on arrival", 2 * time.Hour, 2 * time.Hour, time.Minute, 25 * time.Hour},
		{"goes ahead", 0, 48 * time.Hour, 30 * time.Minute, time.Hour + 2*time.Minute},
		{"goes back", 0, -3 * time.Hour, 5 * time.Hour, 6 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				defer b.Close()
				start := time.Now()
				b.set(tt.start)
				b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
				b.set(tt.ahead)
				time.Sleep(tt.stays)
				b.set(0)
				if time.Since(start) < time.Hour {
					b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
					time.Sleep(time.Until(start.Add(time.Hour)) - 1)
					b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
					time.Sleep(1 * time.Nanosecond)
				}
				b.wants(t, Token{Subject: "alice"}, nil)
				if n := len(b.InForce()); n != 0 {
					t.Errorf("%d hold after their end", n)
				}
				time.Sleep(time.Until(start.Add(tt.within)))
				synctest.Wait()
				if n := b.Len(); n != 0 {
					t.Errorf("%d are kept after %v", n, tt.within)
				}
			})
		})
	}
}

// How many are kept that were over on arrival is bounded; those that hold are not
// touched.
func TestList_LateBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		defer b.Close()
		b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
		over := in(-time.Hour)
		const most = 1 << 16
		for n := range most + 10 {
			b.Add(Revocation{TokenID: fmt.Sprint(n), Until: over})
		}
		if got := b.Len(); got != most+1 {
			t.Errorf("%d are kept, want %d", got, most+1)
		}
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
	})
}

// A mark saves a look-up for as long as nothing happens, and not a moment longer.
func TestList_Mark(t *testing.T) {
	t.Parallel()
	token := Token{Subject: "alice", TokenID: "t"}
	until := in(time.Hour)
	tests := []struct {
		name string
		do   func(b *lab)
		want bool // the mark stands
	}{
		{"nothing", func(*lab) {}, true},
		{"another's revocation", func(b *lab) { b.Add(Revocation{Subject: "bob", Until: until}) }, false},
		{"its own", func(b *lab) { b.Add(Revocation{Subject: "alice", Until: until}) }, false},
		{"one that is covered", func(b *lab) { b.Add(Revocation{Subject: "carol", IssuedBefore: until, Until: until}) }, true},
		{"one that is over", func(b *lab) { b.Add(Revocation{Subject: "alice", Until: in(-time.Hour)}) }, false},
		{"revocations are lost", func(b *lab) { b.setIncomplete(true) }, false},
		{"none is missing, as before", func(b *lab) { b.setIncomplete(false) }, true},
		{"the list is closed", func(b *lab) { b.Close() }, false},
	}
	for _, tt := range tests {
		b := newLab(false)
		b.Add(Revocation{Subject: "carol", Until: until})
		var m Mark
		if b.Unchanged(&m) {
			t.Fatal("a token that was never looked up has a mark that stands")
		}
		if err := b.Check(&token, b.now(), &m); err != nil || !b.Unchanged(&m) {
			t.Fatalf("Check() = %v, and the mark stands: %t", err, b.Unchanged(&m))
		}
		tt.do(b)
		if got := b.Unchanged(&m); got != tt.want {
			t.Errorf("%s: the mark stands: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// A verdict that depends on the clock sets no mark, and a refusal neither.
func TestList_NoMark(t *testing.T) {
	t.Parallel()
	b := newLab(false)
	token := Token{Subject: "alice"}
	b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
	var m Mark
	if err := b.Check(&token, b.now(), &m); !errors.Is(err, refusal.ErrRevoked) || b.Unchanged(&m) {
		t.Errorf("revoked: Check() = %v, and the mark stands: %t", err, b.Unchanged(&m))
	}
	b.set(2 * time.Hour)
	if err := b.Check(&token, b.now(), &m); err != nil || b.Unchanged(&m) {
		t.Errorf("over by the clock: Check() = %v, and the mark stands: %t", err, b.Unchanged(&m))
	}
	other := Token{Subject: "bob"}
	if err := b.Check(&other, b.now(), &m); err != nil || !b.Unchanged(&m) {
		t.Errorf("another's: Check() = %v, and the mark stands: %t", err, b.Unchanged(&m))
	}
	var never Mark
	if !newLab(false).Unchanged(&never) {
		t.Error("a list that never had a revocation wants tokens looked up")
	}
	if newLab(true).Unchanged(&never) {
		t.Error("a list that is incomplete lets tokens pass")
	}
}

func TestList_RefusesAll(t *testing.T) {
	t.Parallel()
	b := newLab(true)
	b.wants(t, Token{}, refusal.ErrRevocationsUnavailable)
	b.setIncomplete(false)
	b.wants(t, Token{}, nil)
	if n := b.lost.Load(); n != 0 {
		t.Errorf("everything was ended %d times, want not yet", n)
	}
	b.setIncomplete(true)
	b.wants(t, Token{}, refusal.ErrRevocationsUnavailable)
	if n := b.lost.Load(); n != 1 {
		t.Errorf("everything was ended %d times, want once", n)
	}
	b.Close()
	b.wants(t, Token{}, refusal.ErrClosed)
	b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
	if n := b.Len(); n != 0 {
		t.Errorf("%d are kept after Close", n)
	}
}

// What begins to hold is announced, and nothing else. Who adds it is told what
// adds nothing.
func TestList_Announces(t *testing.T) {
	t.Parallel()
	b := newLab(false)
	for _, tt := range []struct {
		name string
		r    Revocation
		want int
		adds bool
	}{
		{"new", Revocation{Subject: "alice", Until: in(time.Hour)}, 1, true},
		{"covered", Revocation{Subject: "alice", IssuedBefore: in(0), Until: in(time.Minute)}, 0, false},
		{"lasts longer", Revocation{Subject: "alice", Until: in(2 * time.Hour)}, 1, true},
		{"over", Revocation{Subject: "bob", Until: in(-time.Hour)}, 0, true},
	} {
		if adds := b.Add(tt.r); adds != tt.adds {
			t.Errorf("%s: Add() = %t, want %t", tt.name, adds, tt.adds)
		}
		if got := b.announced(); len(got) != tt.want || len(got) == 1 && got[0] != tt.r {
			t.Errorf("%s: announced %v, want %d", tt.name, got, tt.want)
		}
	}
}

func TestList_Allocates(t *testing.T) {
	b := newLab(false)
	for n := range 100 {
		b.Add(Revocation{Subject: fmt.Sprint(n), Until: in(time.Hour)})
	}
	token, now := alice(), b.now()
	m := new(Mark) // where atomic operations are calls, as on 386, it is on the heap anyway
	if n := testing.AllocsPerRun(100, func() {
		m.generation.Store(0)
		if b.Unchanged(m) || b.Check(&token, now, m) != nil || !b.Unchanged(m) {
			t.Error("a token that is not revoked is not marked")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a token that is not revoked, want none", n)
	}
}

func TestRevocation_Describe(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := Revocation{Issuer: "i", Subject: "s\n", SessionID: "l", TokenID: "t", KeyID: "k", IssuedBefore: at, Until: at}
	const want = `revoked, issuer "i", subject "s\n", session ID "l", token ID "t", key ID "k", issued before 2026-01-02T03:04:05Z`
	if got := r.Describe(); got != want {
		t.Errorf("Describe() = %s, want %s", got, want)
	}
}

// A revocation is named after the most telling thing that it matches by.
func TestRevocation_By(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Revocation{
		"token":   {Issuer: "i", Subject: "s", SessionID: "l", TokenID: "t", KeyID: "k"},
		"session": {Issuer: "i", Subject: "s", SessionID: "l", KeyID: "k"},
		"subject": {Issuer: "i", Subject: "s", KeyID: "k"},
		"key":     {Issuer: "i", KeyID: "k"},
		"issuer":  {Issuer: "i", IssuedBefore: in(0)},
		"time":    {IssuedBefore: in(0)},
	} {
		if got := r.By(); got != want {
			t.Errorf("By() = %q of %+v, want %q", got, r, want)
		}
	}
}

// Those that were over on arrival, and have gone since, have no place that a later one
// could be taken from.
func TestList_LateGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		defer b.Close()
		late := func(from int) {
			for n := range maxLate {
				b.Add(Revocation{TokenID: fmt.Sprint(from + n), Until: in(-time.Hour)})
			}
		}
		late(0)
		time.Sleep(overKept + time.Minute)
		synctest.Wait()
		if got := b.Len(); got != 0 {
			t.Fatalf("%d are kept, want none", got)
		}
		b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
		late(maxLate)
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
		if got := b.Len(); got != maxLate+1 {
			t.Errorf("%d are kept, want %d", got, maxLate+1)
		}
	})
}

// One that is looked at again later, because the clock went back, does not hold up those
// that end before.
func TestList_LookedAtAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		defer b.Close()
		b.Add(Revocation{Subject: "alice", Until: in(time.Hour)})
		b.Add(Revocation{Subject: "bob", Until: in(2 * time.Hour)})
		time.Sleep(30 * time.Minute)
		b.set(-10 * time.Hour)
		time.Sleep(time.Hour) // alice's is looked at, and is not over
		b.set(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := b.InForce(); len(got) != 0 || b.Len() != 1 {
			t.Errorf("%v hold and %d are kept, want alice's alone kept", got, b.Len())
		}
	})
}

// What is over to the moment on arrival is kept for a while, too.
func TestKeeping_OverOnArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		kept := keepUntil(now.Add(-clockSlack), now)
		if kept.over(now, now) {
			t.Error("what is over on arrival is not kept")
		}
		if later := now.Add(24 * time.Hour); kept.over(later.Add(-1), later.Add(-1)) || !kept.over(later, later) {
			t.Error("what was over on arrival is not kept for a day")
		}
		kept = keepUntil(now.Add(1-clockSlack), now)
		if later := now.Add(1); kept.over(now, now) || !kept.over(later, later) {
			t.Error("what is over in a moment is not kept for that moment")
		}
	})
}

func TestWallClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock := wallClock(time.Now())
		time.Sleep(time.Hour)
		for _, ahead := range []time.Duration{0, 2 * time.Hour, -3 * time.Hour} {
			if got := clock.offset(time.Now().Add(ahead)); got != ahead {
				t.Errorf("offset: got %v, want %v", got, ahead)
			}
		}
		// A clock that is centuries ahead is 73 years ahead.
		for years, want := range map[int]time.Duration{300: math.MaxInt64 / 4, -300: -math.MaxInt64 / 4} {
			if got := clock.offset(time.Now().AddDate(years, 0, 0)); got != want-time.Hour {
				t.Errorf("offset of %d years: got %v, want %v", years, got, want-time.Hour)
			}
		}
	})
}
