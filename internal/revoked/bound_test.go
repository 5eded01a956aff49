package revoked

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// logoutOf is one of login session n that ended at a time, and subjectLogout one
// of subject n.
func logoutOf(n int, at time.Time) Revocation {
	return Revocation{Issuer: "i", SessionID: fmt.Sprint("login-", n), EndedAt: at, Until: at.Add(240 * time.Hour)}
}

func subjectLogout(n int, at time.Time) Revocation {
	return Revocation{Issuer: "i", Subject: fmt.Sprint("subject-", n), IssuedBefore: at, Until: at.Add(240 * time.Hour)}
}

// However many log out, a bounded number of revocations is kept, and what they
// refused stays refused.
func TestList_LogoutsBounded(t *testing.T) {
	t.Parallel()
	const most, logouts = 40, 400
	for name, logout := range map[string]func(int, time.Time) Revocation{"by session": logoutOf, "by subject": subjectLogout} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				defer b.Close()
				b.LimitLogouts(most)
				for n := range logouts {
					b.Add(logout(n, in(0)))
					// One more than are kept, and a cutoff.
					if got := b.Len(); got > most+2 {
						t.Fatalf("%d are kept after %d logouts, want %d at most", got, n+1, most+2)
					}
					time.Sleep(time.Minute)
				}
				for n := range logouts {
					issued := in(time.Duration(n-logouts)*time.Minute - time.Second)
					b.wants(t, Token{Issuer: "i", SessionID: fmt.Sprint("login-", n), Subject: fmt.Sprint("subject-", n), IssuedAt: issued}, refusal.ErrRevoked)
				}
				b.wants(t, Token{Issuer: "i", SessionID: "new", IssuedAt: in(-time.Minute)}, nil)
				b.wants(t, Token{Issuer: "j", SessionID: "old", IssuedAt: in(-1000 * time.Hour)}, nil)
				cutoffs := 0
				for _, r := range b.announced() {
					if isCutoff(&r) {
						cutoffs++
					}
				}
				if said := b.said("too many logouts"); cutoffs == 0 || said != cutoffs {
					t.Errorf("%d cutoffs are announced and %d told", cutoffs, said)
				}
				before := b.Len()
				b.Add(logout(0, in(-logouts*time.Minute)))
				if got := b.Len(); got != before {
					t.Errorf("what a cutoff has replaced is kept once more: %d, want %d", got, before)
				}
				time.Sleep(241 * time.Hour)
				synctest.Wait()
				if n := b.Len() + len(b.logouts); n != 0 {
					t.Errorf("%d are left at the end of all", n)
				}
			})
		})
	}
}

// Who withdraws all that an issuer has issued so far does not end the logouts of
// before: a token of a login session that is over is refused whenever it is issued, in
// whatever order the two become known, as after a restart.
func TestList_LogoutBesideCutoff(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"logout first": true, "logout second": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				defer b.Close()
				order := []Revocation{logoutOf(1, in(-time.Hour)), {Issuer: "i", IssuedBefore: in(-time.Minute), Until: in(1000 * time.Hour)}}
				if !first {
					slices.Reverse(order)
				}
				for _, r := range order {
					b.Add(r)
				}
				b.wants(t, Token{Issuer: "i", SessionID: "login-1", IssuedAt: in(0)}, refusal.ErrRevoked)
				b.wants(t, Token{Issuer: "i", SessionID: "login-2", IssuedAt: in(0)}, nil)
				b.wants(t, Token{Issuer: "i", SessionID: "login-2", IssuedAt: in(-2 * time.Minute)}, refusal.ErrRevoked)
			})
		})
	}
}

// Who withdraws all that one kind of an issuer's callers has, by the prefix of their
// subjects, does not end what is revoked of the others: in whatever order the two become
// known.
func TestList_CutoffOfOneScope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		cutoff, subject string // whose
		prefix          string // of the subject
	}{
		{"a subject of the issuer, beside all of one prefix", "i|west:", "i", ""},
		{"a subject of the empty prefix, beside all of another", "i|west:", "i|", ""},
		{"a subject of one prefix, beside all of the empty one", "i|", "i|west:", "west:"},
		{"a subject of one prefix, beside all of the same", "i|west:", "i|west:", "west:"},
		{"a subject of one prefix, beside all of the issuer", "i", "i|west:", "west:"},
	} {
		for _, first := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				defer b.Close()
				order := []Revocation{
					{Issuer: tt.cutoff, IssuedBefore: in(0), Until: in(1000 * time.Hour)},
					{Issuer: tt.subject, Subject: tt.prefix + "carol", IssuedBefore: in(-time.Minute), Until: in(1000 * time.Hour)},
				}
				if !first {
					slices.Reverse(order)
				}
				for _, r := range order {
					b.Add(r)
				}
				t.Logf("%s, that first: %v", tt.name, first)
				b.wants(t, Token{Issuer: "i", Prefix: tt.prefix, Subject: tt.prefix + "carol", IssuedAt: in(-time.Hour)}, refusal.ErrRevoked)
				b.wants(t, Token{Issuer: "i", Prefix: tt.prefix, Subject: tt.prefix + "carol", IssuedAt: in(time.Hour)}, nil)
			})
		}
	}
}

// Of what a cutoff covers nothing is kept, also where it is of all that the issuer has
// and what is revoked is of those with one prefix.
func TestList_CutoffCoversScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		defer b.Close()
		b.Add(Revocation{Issuer: "i", IssuedBefore: in(0), Until: in(1000 * time.Hour)})
		for _, issuer := range []string{"i", "i|", "i|west:"} {
			if b.Add(Revocation{Issuer: issuer, Subject: "carol", IssuedBefore: in(-time.Minute), Until: in(time.Hour)}) {
				t.Errorf("a revocation of %q is kept beside one of all that the issuer issued till later", issuer)
			}
		}
	})
}

// What a cutoff of many logouts has replaced is not kept once more where somebody has
// withdrawn all that the issuer has issued, before or afterwards.
func TestList_CutoffBesideAnother(t *testing.T) {
	t.Parallel()
	const most, logouts = 40, 60
	for _, before := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newLab(false)
			defer b.Close()
			b.LimitLogouts(most)
			all := Revocation{Issuer: "i", IssuedBefore: in(time.Hour), Until: in(1000 * time.Hour)}
			if before {
				b.Add(all)
			}
			for n := range logouts {
				b.Add(logoutOf(n, in(time.Duration(n-logouts)*time.Minute)))
			}
			if !before {
				b.Add(all)
			}
			kept := b.Len()
			if kept > most+2 {
				t.Errorf("%d are kept, want %d at most", kept, most+2)
			}
			b.Add(logoutOf(0, in(-logouts*time.Minute)))
			if got := b.Len(); got != kept {
				t.Errorf("what a cutoff has replaced is kept once more: %d, want %d", got, kept)
			}
		})
	}
}

// What a cutoff could not stand for is never evicted.
func TestList_NeverEvicted(t *testing.T) {
	t.Parallel()
	until := in(240 * time.Hour)
	tests := []struct {
		name string
		r    Revocation
		of   Token
	}{
		{"a subject, for tokens to come as well", Revocation{Issuer: "i", Subject: "mallory", Until: until}, Token{Issuer: "i", Subject: "mallory", IssuedAt: in(time.Hour)}},
		{"a session whose end is not known", Revocation{Issuer: "i", SessionID: "s", Until: until}, Token{Issuer: "i", SessionID: "s", IssuedAt: in(time.Hour)}},
		{"of no issuer", Revocation{Subject: "mallory", IssuedBefore: in(0), Until: until}, Token{Issuer: "j", Subject: "mallory", IssuedAt: in(-time.Hour)}},
		{"of a key, which vouches for other issuers' tokens as well", Revocation{Issuer: "i", KeyID: "k", IssuedBefore: in(-2000 * time.Second), Until: until},
			Token{Issuer: "j", IssuedAt: in(-3000 * time.Second), Seller: Seller{Issuer: "i", KeyID: "k", SoldAt: in(-3000 * time.Second)}}},
		{"of the time that lies ahead", Revocation{Issuer: "i", Subject: "mallory", IssuedBefore: in(time.Hour), Until: until}, Token{Issuer: "i", Subject: "mallory", IssuedAt: in(time.Minute)}},
	}
	for _, tt := range tests {
		b := newLab(false)
		b.LimitLogouts(4)
		b.Add(tt.r)
		for n := range 100 {
			b.Add(subjectLogout(n, in(time.Duration(n-1000)*time.Second)))
		}
		if b.Len() > 10 {
			t.Fatalf("%d are kept", b.Len())
		}
		b.wants(t, tt.of, refusal.ErrRevoked)
		innocent := tt.of
		innocent.Subject, innocent.SessionID, innocent.Seller.KeyID = "bob", "bob", ""
		innocent.IssuedAt = in(-time.Second)
		b.wants(t, innocent, nil)
	}
}

// Each issuer has its own.
func TestList_LogoutsOfOthers(t *testing.T) {
	t.Parallel()
	b := newLab(false)
	b.LimitLogouts(4)
	other := subjectLogout(0, in(-time.Hour))
	other.Issuer = "j"
	b.Add(other)
	for n := range 100 {
		b.Add(subjectLogout(n, in(time.Duration(n-1000)*time.Second)))
	}
	b.wants(t, Token{Issuer: "j", Subject: "subject-0", IssuedAt: in(-2 * time.Hour)}, refusal.ErrRevoked)
	b.wants(t, Token{Issuer: "j", Subject: "bob", IssuedAt: in(-2 * time.Hour)}, nil)
}

// A cutoff never refuses the tokens of those who log in now, however many
// revocations are of a time that lies ahead.
func TestList_NoCutoffAhead(t *testing.T) {
	t.Parallel()
	b := newLab(false)
	b.LimitLogouts(4)
	for n := range 100 {
		b.Add(subjectLogout(n, in(time.Hour)))
	}
	if b.Len() != 100 {
		t.Errorf("%d are kept, want all 100", b.Len())
	}
	b.wants(t, Token{Issuer: "i", Subject: "subject-1", IssuedAt: in(0)}, refusal.ErrRevoked)
	b.wants(t, Token{Issuer: "i", Subject: "bob", IssuedAt: in(0)}, nil)
}

// A bound that comes later counts for those that there are, and is exact: one more than
// may be kept makes a cutoff of the oldest quarter.
func TestList_LimitLogouts(t *testing.T) {
	t.Parallel()
	const most = 40
	b := newLab(false)
	for n := range 5 * most {
		b.Add(subjectLogout(n, in(time.Duration(n-1000)*time.Second)))
	}
	b.LimitLogouts(most)
	if got := b.Len(); got > most+1 {
		t.Errorf("%d are kept, want at most %d and a cutoff", got, most)
	}
	b = newLab(false)
	b.LimitLogouts(most)
	for n := range most {
		b.Add(subjectLogout(n, in(time.Duration(n-1000)*time.Second)))
	}
	if got := b.Len(); got != most {
		t.Errorf("%d are kept, want all %d", got, most)
	}
	b.Add(subjectLogout(most, in(-time.Second)))
	if got, want := b.Len(), most+1-11+1; got != want {
		t.Errorf("%d are kept after one more, want %d: a quarter less, and a cutoff", got, want)
	}
}

// However long what they stand for lasts, there is one cutoff of logouts at a time.
func TestList_OneCutoff(t *testing.T) {
	t.Parallel()
	const most, logouts = 40, 400
	b := newLab(false)
	b.LimitLogouts(most)
	for n := range logouts {
		r := subjectLogout(n, in(time.Duration(n-logouts)*time.Minute))
		r.Until = in(time.Duration(2*logouts-n) * time.Hour) // each ends before the one before it
		b.Add(r)
	}
	if got := b.Len(); got > most+1 {
		t.Errorf("%d are kept, want at most %d and a cutoff", got, most)
	}
}

// Of the issuer that has most the logouts are shortened if they are many, and else of all
// that have more than a few.
func TestList_Shorten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		has      map[string]int
		want     bool
		have     map[string]int // afterwards
		announce int
	}{
		{"many, and another that has more than a few", map[string]int{"a": 12, "b": 8}, true, map[string]int{"a": 9, "b": 8}, 1},
		{"none has many", map[string]int{"a": 11, "b": 8, "c": 7}, true, map[string]int{"a": 8, "b": 6, "c": 7}, 2},
		{"few", map[string]int{"a": 7, "b": 7}, false, map[string]int{"a": 7, "b": 7}, 0},
		{"none", nil, false, nil, 0},
	} {
		b := newLab(false)
		for issuer, n := range tt.has {
			for i := range n {
				b.Add(Revocation{Issuer: issuer, SessionID: fmt.Sprint(i), EndedAt: in(-time.Hour + time.Duration(i)*time.Minute), Until: in(time.Hour)})
			}
		}
		b.announced()
		if got := b.shorten(12, 8); got != tt.want {
			t.Errorf("%s: shorten() = %t, want %t", tt.name, got, tt.want)
		}
		for issuer, want := range tt.have {
			if got := b.logouts[issuer]; got != want {
				t.Errorf("%s: %d logouts of %s are left, want %d", tt.name, got, issuer, want)
			}
		}
		if got := len(b.announced()); got != tt.announce {
			t.Errorf("%s: %d announced, want %d", tt.name, got, tt.announce)
		}
		b.Close()
		if b.shorten(1, 1) {
			t.Errorf("%s: shortened after Close", tt.name)
		}
	}
}

// What is called alike at many issuers is found by the issuer: neither a token nor another
// logout goes through what all of them have.
func TestList_OneNameAtManyIssuers(t *testing.T) {
	t.Parallel()
	b := newLab(false)
	defer b.Close()
	for n := range 100 {
		of := func(r Revocation) {
			r.Issuer, r.Until = fmt.Sprint(n), in(time.Hour)
			b.Add(r)
		}
		of(Revocation{SessionID: "1", EndedAt: in(-time.Hour)})
		of(Revocation{Subject: "1", IssuedBefore: in(-time.Hour)})
		of(Revocation{TokenID: "1"})
	}
	for key, all := range b.entries {
		if len(all) > 1 {
			t.Errorf("%d revocations are looked through for %+v", len(all), key)
		}
	}
	for _, token := range []Token{
		{Issuer: "7", SessionID: "1"},
		{Issuer: "7", Subject: "1", IssuedAt: in(-2 * time.Hour)},
		{Issuer: "7", TokenID: "1"},
		{Issuer: "x", Aliases: []string{"y", "7"}, TokenID: "1"},
	} {
		b.wants(t, token, refusal.ErrRevoked)
	}
	b.wants(t, Token{Issuer: "x", SessionID: "1", Subject: "1", TokenID: "1", IssuedAt: in(-2 * time.Hour)}, nil)
	b.Add(Revocation{TokenID: "1", Until: in(time.Hour)})
	b.wants(t, Token{Issuer: "x", TokenID: "1"}, refusal.ErrRevoked)
}

// logOut adds the logout of a session of an hour ago.
func (b *lab) logOut(issuer string, n int) {
	b.Add(Revocation{Issuer: issuer, SessionID: fmt.Sprint(n), EndedAt: in(-time.Hour), Until: in(time.Hour)})
}

// Where hardly any issuer has enough logouts for one rule to make room, that is not tried
// anew for every few logouts more, since it takes a look at all of them.
func TestList_LimitLogouts_NoRoom(t *testing.T) {
	t.Parallel()
	const most = 1024
	b := newLab(false)
	defer b.Close()
	b.LimitLogouts(most)
	const own = fewLogouts + 4 // of an issuer of which a few can be replaced
	for n := range severalLogouts*most - own {
		b.logOut(fmt.Sprint(n/(fewLogouts-1)), n)
	}
	for n := range own {
		b.logOut("one more", -n)
	}
	if b.allLogouts != severalLogouts*most {
		t.Fatalf("%d logouts are kept before there are too many, want all", b.allLogouts)
	}
	replaced := 0
	for n := range 4 * most {
		before := b.allLogouts
		b.logOut("one more", n)
		if b.allLogouts <= before {
			replaced++
		}
		if b.allLogouts > severalLogouts*most+most {
			t.Fatalf("%d logouts are kept, of which %d are one issuer's", b.allLogouts, b.logouts["one more"])
		}
	}
	if replaced == 0 || replaced > 4*most/64 {
		t.Errorf("all were looked through %d times while %d were added, want %d times at most", replaced, 4*most, 4*most/64)
	}
}

// What was too many once, of issuers of which none had enough to make room, is no measure
// when those are over: the bound is what it was before.
func TestList_LimitLogouts_RoomAgain(t *testing.T) {
	t.Parallel()
	const most = 1024
	b := newLab(false)
	defer b.Close()
	b.LimitLogouts(most)
	for n := range 2 * severalLogouts * most {
		b.logOut(fmt.Sprint(n/(fewLogouts-1)), n)
	}
	b.mu.Lock()
	for _, e := range slices.Clone(b.byEnd) {
		b.drop(e)
	}
	b.mu.Unlock()
	for n := range severalLogouts * most * 3 / 2 {
		b.logOut("large "+fmt.Sprint(n%(2*severalLogouts)), n)
	}
	if b.allLogouts > severalLogouts*most {
		t.Errorf("%d logouts are kept, want %d at most", b.allLogouts, severalLogouts*most)
	}
}

// However many issuers there are, the logouts of all are not more than several times what
// one may have: those of the issuer that has most give way, and refuse what they refused.
func TestList_LimitLogouts_OfAll(t *testing.T) {
	t.Parallel()
	const most, issuers, each = 32, 12, 30
	b := newLab(false)
	defer b.Close()
	b.LimitLogouts(most)
	few := Revocation{Issuer: "few", SessionID: "login", EndedAt: in(-time.Hour), Until: in(time.Hour)}
	b.Add(few)
	var all []Revocation
	for i := range each {
		for issuer := range issuers {
			r := Revocation{Issuer: fmt.Sprint(issuer), SessionID: fmt.Sprint(i), EndedAt: in(-time.Hour + time.Duration(i)*time.Minute).Truncate(time.Second), Until: in(time.Hour)}
			b.Add(r)
			all = append(all, r)
			if b.allLogouts > severalLogouts*most || b.allLogouts+issuers+2 < b.Len() {
				t.Fatalf("%d logouts are kept after %d, %d revocations in all, want %d at most", b.allLogouts, len(all)+1, b.Len(), severalLogouts*most)
			}
		}
	}
	for _, r := range all {
		b.wants(t, Token{Issuer: r.Issuer, SessionID: r.SessionID, IssuedAt: r.EndedAt.Add(-time.Second)}, refusal.ErrRevoked)
	}
	b.wants(t, Token{Issuer: few.Issuer, SessionID: few.SessionID, IssuedAt: in(0)}, refusal.ErrRevoked)
	b.wants(t, Token{Issuer: few.Issuer, SessionID: "another", IssuedAt: in(-2 * time.Hour)}, nil)
	b.wants(t, Token{Issuer: all[0].Issuer, SessionID: "another", IssuedAt: in(0)}, nil)
	for _, r := range b.InForce() {
		if r.SessionID == "" && !slices.ContainsFunc(b.revoked, func(told Revocation) bool { return told.Issuer == r.Issuer && told.IssuedBefore.Equal(r.IssuedBefore) }) {
			t.Errorf("nobody was told that tokens of %s from before %v are refused", r.Issuer, r.IssuedBefore)
		}
	}
	sum := 0
	for _, n := range b.logouts {
		sum += n
	}
	if sum != b.allLogouts {
		t.Errorf("%d logouts are counted, %d are kept", b.allLogouts, sum)
	}

	full := newLab(false)
	defer full.Close()
	for n := range severalLogouts * most {
		full.logOut(fmt.Sprint(n/fewLogouts), n)
	}
	if full.LimitLogouts(most); full.allLogouts != severalLogouts*most {
		t.Errorf("%d logouts are kept of as many as may be, want %d", full.allLogouts, severalLogouts*most)
	}

	later := newLab(false)
	defer later.Close()
	for _, r := range all {
		later.Add(r)
	}
	if later.LimitLogouts(most); later.allLogouts > severalLogouts*most {
		t.Errorf("%d logouts are kept where the bound came later, want %d at most", later.allLogouts, severalLogouts*most)
	}
}

// Cutoffs of many issuers that come about at once are announced together, since whoever is
// told looks through all sessions for them; and so is all that is in force after the clock
// went back.
func TestList_CutoffsTogether(t *testing.T) {
	t.Parallel()
	const issuers = 68
	b := newLab(false)
	defer b.Close()
	b.LimitLogouts(issuers * fewLogouts / severalLogouts)
	for n := range issuers * fewLogouts {
		b.logOut(fmt.Sprint(n%issuers), n)
	}
	b.announced()
	before := b.calls
	b.logOut("another", 0)
	if told, calls := len(b.announced()), b.calls-before; told != issuers+1 || calls != 2 {
		t.Errorf("a logout and what it brings about are %d revocations, announced in %d calls, want %d in 2", told, calls, issuers+1)
	}

	before = b.calls
	f := &Follower{list: b.List, logger: b.cfg.Logger}
	f.clockWentBack(t.Context(), time.Hour)
	if told, calls := len(b.announced()), b.calls-before; told != len(b.InForce()) || calls != 1 {
		t.Errorf("after the clock went back %d revocations are announced in %d calls, want %d in one", told, calls, len(b.InForce()))
	}
}
