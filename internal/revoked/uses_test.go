package revoked

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestUses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var u Uses
		id, until := UseID(UseLogoutToken, "i", "1"), in(time.Hour)
		first := func(id [32]byte, want bool, when string) {
			t.Helper()
			if got := u.First(id, until, time.Now()); got != want {
				t.Errorf("%s: First() = %t, want %t", when, got, want)
			}
		}
		first(id, true, "at first")
		first(id, false, "again")
		first(UseID(UseTicket, "i", "1"), true, "of another kind")
		first(UseID(UseLogoutToken, "j", "1"), true, "of another issuer")
		first(UseID(UseLogoutToken, "i", "2"), true, "of another ID")
		time.Sleep(30 * time.Minute)
		if !u.First(UseID(UseTicket, "i", "3"), in(3*time.Hour), time.Now().Add(24*time.Hour)) {
			t.Error("one by a clock that is ahead: First() = false")
		}
		first(id, false, "after a clock was ahead")
		time.Sleep(2 * time.Hour)
		until = in(time.Hour)
		first(id, false, "before it is dropped")
		first(UseID(UseLogoutToken, "i", "4"), true, "another, which drops what is over")
		first(id, true, "once it is dropped")
	})
}

// What does not fit counts as not used, and what is there stays.
func TestUses_Bounded(t *testing.T) {
	t.Parallel()
	const most = 1 << 16
	var u Uses
	until := in(time.Hour)
	for n := range most {
		u.First(UseID(UseTicket, "i", fmt.Sprint(n)), until, time.Now())
	}
	more := UseID(UseTicket, "i", "one more")
	for range 2 {
		if !u.First(more, until, time.Now()) {
			t.Error("one more than fits counts as used")
		}
	}
	if len(u.used) != most || u.First(UseID(UseTicket, "i", "0"), until, time.Now()) {
		t.Errorf("%d are kept, want %d, and the first of them", len(u.used), most)
	}
}
