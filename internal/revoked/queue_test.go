package revoked

import (
	"testing"
	"testing/synctest"
	"time"
)

func waitingFor(r Revocation, file string) *waitingEntry {
	return &waitingEntry{Revocation: r, keeping: keepUntil(r.Until, time.Now()), file: file}
}

// Those of one pattern are found by what they cover, and no others.
func TestQueue_Covers(t *testing.T) {
	t.Parallel()
	early, late := in(time.Hour), in(2*time.Hour)
	q := newQueue()
	short := waitingFor(Revocation{Subject: "alice", Until: early}, "")
	issued := waitingFor(Revocation{Subject: "alice", IssuedBefore: early, Until: late}, "")
	bob := waitingFor(Revocation{Subject: "bob", Until: late}, "")
	for _, w := range []*waitingEntry{short, issued, bob} {
		q.add(w)
	}
	tests := []struct {
		name     string
		r        Revocation
		covering *waitingEntry
		covered  int
	}{
		{"ends before one", Revocation{Subject: "alice", Until: early.Add(-1)}, short, 0},
		{"the same as one", Revocation{Subject: "alice", Until: early}, short, 1},
		{"covers both", Revocation{Subject: "alice", Until: late}, nil, 2},
		{"of no more tokens than one", Revocation{Subject: "alice", IssuedBefore: early, Until: late}, issued, 1},
		{"another's", Revocation{Subject: "carol", Until: late}, nil, 0},
		{"bob's", Revocation{Subject: "bob", Until: late}, bob, 1},
	}
	for _, tt := range tests {
		if got := q.covering(&tt.r); got != tt.covering {
			t.Errorf("%s: covering() = %v, want %v", tt.name, got, tt.covering)
		}
		if got := len(q.covered(&tt.r)); got != tt.covered {
			t.Errorf("%s: covered() has %d, want %d", tt.name, got, tt.covered)
		}
	}
}

func TestQueue_Order(t *testing.T) {
	t.Parallel()
	q := newQueue()
	var all []*waitingEntry
	for _, subject := range []string{"a", "b", "c"} {
		w := waitingFor(Revocation{Subject: subject, Until: in(time.Hour)}, "")
		all = append(all, w)
		q.add(w)
	}
	q.written(all[1], "file")
	if n, inMemory := q.count(); n != 3 || inMemory != 2 {
		t.Errorf("count() = %d, %d, want 3 and 2 in memory", n, inMemory)
	}
	q.postpone(all[0])
	for _, want := range []*waitingEntry{all[1], all[2], all[0]} {
		if got := q.first(); got != want {
			t.Fatalf("first() = %v, want %v", got, want)
		}
		if !q.remove(want) || q.remove(want) {
			t.Fatalf("%v is not removed once", want)
		}
	}
	if n, inMemory := q.count(); n != 0 || inMemory != 0 || q.first() != nil || len(q.byPattern) != 0 {
		t.Errorf("count() = %d, %d at the end, with %d patterns", n, inMemory, len(q.byPattern))
	}
}

// What waits is over by both clocks.
func TestQueue_Over(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add(waitingFor(Revocation{Subject: "a", Until: in(time.Hour)}, ""))
		q.add(waitingFor(Revocation{Subject: "b", Until: in(3 * time.Hour)}, ""))
		count := func(ahead time.Duration) int { return len(q.over(time.Now().Add(ahead), time.Now())) }
		if n := count(24 * time.Hour); n != 0 {
			t.Errorf("%d are over by a clock that is ahead", n)
		}
		time.Sleep(2 * time.Hour)
		if now, behind := count(0), count(-2*time.Hour); now != 1 || behind != 0 {
			t.Errorf("%d are over, and %d by a clock that is behind, want 1 and none", now, behind)
		}
	})
}

// Of two that are alike in all but their times, the one that is taken out is found no
// more, and the other is.
func TestQueue_Remove(t *testing.T) {
	t.Parallel()
	early, late := in(time.Hour), in(2*time.Hour)
	q := newQueue()
	short := waitingFor(Revocation{Subject: "alice", Until: early}, "")
	issued := waitingFor(Revocation{Subject: "alice", IssuedBefore: early, Until: late}, "file")
	q.add(short)
	q.add(issued)
	if n, inMemory := q.count(); n != 2 || inMemory != 1 {
		t.Errorf("%d wait, %d in memory, want 2 and 1", n, inMemory)
	}
	if !q.remove(short) || q.remove(short) {
		t.Error("what was there is not taken out, or twice")
	}
	if got := q.covering(&short.Revocation); got != nil {
		t.Errorf("covering() = %v, want nothing", got)
	}
	if got := q.covered(&Revocation{Subject: "alice", Until: late}); len(got) != 1 || got[0] != issued {
		t.Errorf("covered() = %v, want the other", got)
	}
	if n, inMemory := q.count(); n != 1 || inMemory != 0 {
		t.Errorf("%d wait, %d in memory, want one, in a file", n, inMemory)
	}
}

// Less than all tokens is not all.
func TestRevocation_Covers(t *testing.T) {
	t.Parallel()
	some, all := Revocation{Subject: "a", IssuedBefore: in(time.Hour)}, Revocation{Subject: "a"}
	if some.covers(&all) || !all.covers(&some) || !all.covers(&all) || !some.covers(&some) {
		t.Error("a revocation of what was issued before stands for one of all, or not the other way round")
	}
	ended, open := Revocation{SessionID: "s", EndedAt: in(time.Hour)}, Revocation{SessionID: "s"}
	if ended.covers(&open) || !open.covers(&ended) || !ended.covers(&ended) {
		t.Error("a session that has ended stands for one whose end is not known, or not the other way round")
	}
}
