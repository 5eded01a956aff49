package keyset_test

import (
	"context"
	"sync"
	"testing"
	"time"
)

func TestRefetched(t *testing.T) {
	bubble(t, "a changed key under the same key ID is found", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.reusing(t))
		old := mustKeys(t, s, "a")[0]
		i.publish(key("a", 1))
		keys, ok := s.Refetched(t.Context(), "a")
		if !ok || len(keys) != 1 || keys[0] == old {
			t.Fatalf("Refetched() = %d keys, %v, want the new one", len(keys), ok)
		}
		if old.Live(time.Now()) {
			t.Error("the replaced key is still live")
		}
	})
	bubble(t, "a token without key ID gets all keys", func(t *testing.T) {
		i := newIssuer(key("", 0))
		s := start(t, i.reusing(t))
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		i.publish(key("", 1), key("", 2))
		if keys, ok := s.Refetched(t.Context(), ""); !ok || len(keys) != 2 {
			t.Fatalf("Refetched() = %d keys, %v, want 2", len(keys), ok)
		}
	})
	bubble(t, "a thousand bad signatures cost one fetch and one at the end", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = time.Millisecond
		s := start(t, i.reusing(t))
		mustKeys(t, s, "a")
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { s.Refetched(context.Background(), "a") })
		}
		wg.Wait()
		if _, ok := s.Refetched(t.Context(), "a"); ok {
			t.Error("Refetched() = true within the cool-down")
		}
		time.Sleep(time.Minute)
		wantCount(t, i, 3)
	})
}

func TestRefetched_InVain(t *testing.T) {
	bubble(t, "an issuer that does not reuse key IDs is not asked", func(t *testing.T) {
		i, s := inHand(t)
		for range 100 {
			if _, ok := s.Refetched(t.Context(), "a"); ok {
				t.Fatal("Refetched() = true, want false")
			}
		}
		wantCount(t, i, 1)
	})
	bubble(t, "a failure means that the signature is simply bad", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.reusing(t))
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.status = 500 })
		for range 100 {
			if _, ok := s.Refetched(t.Context(), "a"); ok {
				t.Fatal("Refetched() = true, want false")
			}
		}
		wantCount(t, i, 2)
	})
}
