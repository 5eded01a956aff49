package main

import (
	"net/http"
	"testing"
	"time"
)

// placesAre waits until so many are taken, by all people together.
func (w *world) placesAre(t *testing.T, want int) {
	t.Helper()
	taken := func() (sum int) {
		w.places.mu.Lock()
		defer w.places.mu.Unlock()
		for _, n := range w.places.taken {
			sum += n
		}
		return sum
	}
	for deadline := time.Now().Add(patience); taken() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("places: got %d taken, want %d", taken(), want)
		}
	}
}

// TestPlaces_Guests: connections by either protocol count, together.
func TestPlaces_Guests(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.enter(t, "bob")
	for range maxSockets - 1 {
		w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
	}
	w.guestsAre(t, maxSockets-1)
	one, _ := w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
	if code, reason := one.ends(); code != closeMany || reason == "" {
		t.Errorf("one guest more: closed with %d %q, want %d and why", code, reason, closeMany)
	}
	another, _, err := w.dial(t, http.Header{"Authorization": {"Bearer " + w.token(t, "bob")}})
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := another.ends(); code != closeMany {
		t.Errorf("one socket more: closed with %d, want %d", code, closeMany)
	}
	w.guestsAre(t, maxSockets-1)[0].end()
	w.placesAre(t, maxSockets-1)
	w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
	w.visit(t, "alice", database, "v2.bsatn.spacetimedb")
	w.guestsAre(t, maxSockets)
}

// TestPlaces_Ended: connections whose session has ended do not count, though their clients
// do not read that it has: whoever takes back a token from somebody who took all places
// with it gets in at once.
func TestPlaces_Ended(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	for n := range maxSockets {
		if n%2 == 0 {
			w.enter(t, "bob")
		} else {
			w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
		}
	}
	for _, g := range w.guestsAre(t, maxSockets/2) {
		g.Session.Close()
	}
	for _, k := range w.sockets.all() {
		k.signedOut(errSignedOut)
	}
	w.placesAre(t, 0)
	if len(w.sockets.all()) == 0 {
		t.Error("the places are free once the clients have gone, and not before")
	}
	w.enter(t, "bob")
}
