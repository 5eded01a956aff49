package keyset_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

func TestLookAgain_ReusedKeyID(t *testing.T) {
	t.Parallel()
	bubble(t, "a changed key under the same key ID is found", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.reusing(t))
		old := mustKeys(t, s, "a")[0]
		i.publish(key("a", 1))
		keys, err := lookAgain(t, s, "a", "token", time.Time{})
		if err != nil || len(keys) != 1 || keys[0] == old {
			t.Fatalf("LookAgain() = %d keys, error %v, want the new one", len(keys), err)
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
		if keys, err := lookAgain(t, s, "", "token", time.Time{}); err != nil || len(keys) != 2 {
			t.Fatalf("LookAgain() = %d keys, error %v, want 2", len(keys), err)
		}
	})
	bubble(t, "a thousand bad signatures cost one fetch and one at the end", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = time.Millisecond
		s := start(t, i.reusing(t))
		mustKeys(t, s, "a")
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() { _, _ = lookAgain(t, s, "a", fmt.Sprint("token", n%10), time.Time{}) })
		}
		wg.Wait()
		if keys, err := lookAgain(t, s, "a", "another", time.Time{}); keys != nil || err != nil {
			t.Errorf("LookAgain() within the cool-down = %d keys, error %v, want neither", len(keys), err)
		}
		time.Sleep(time.Minute)
		wantCount(t, i, 3)
	})
}

func TestLookAgain_ReusedKeyIDInVain(t *testing.T) {
	t.Parallel()
	bubble(t, "an issuer that does not reuse key IDs is not asked", func(t *testing.T) {
		i, s := inHand(t)
		for range 100 {
			if keys, err := lookAgain(t, s, "a", "token", time.Time{}); keys != nil || err != nil {
				t.Fatalf("LookAgain() = %d keys, error %v, want neither", len(keys), err)
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
			if keys, err := lookAgain(t, s, "a", "token", time.Time{}); keys != nil || err != nil {
				t.Fatalf("LookAgain() = %d keys, error %v, want neither", len(keys), err)
			}
		}
		wantCount(t, i, 2)
	})
}

// lookAgain asks for the keys of a token that no key in hand verifies.
func lookAgain(t testing.TB, s *keyset.Set, keyID, token string, issued time.Time) ([]*keyset.Key, error) {
	t.Helper()
	d := keyset.Doubt{Token: token, KeyID: jws.KeyID{Text: keyID, Has: keyID != ""}, Lookups: s.Lookups(), Issued: issued}
	d.Tried, _ = s.Keys(context.Background(), d.KeyID)
	return s.LookAgain(context.Background(), d)
}
