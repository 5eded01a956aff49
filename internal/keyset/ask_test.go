package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// withoutID returns an issuer of one key without key ID, and a set that has it.
func withoutID(t testing.TB) (*issuer, *keyset.Set) {
	t.Helper()
	i := newIssuer(key("", 0))
	s := start(t, i.config(t))
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i, s
}

func TestLookAgain_NoKeyID(t *testing.T) {
	t.Parallel()
	bubble(t, "in peace the new key is there at once", func(t *testing.T) {
		i, s := withoutID(t)
		time.Sleep(time.Minute)
		i.publish(key("", 1))
		keys, err := lookAgain(t, s, "", "token", time.Time{})
		if err != nil || len(keys) != 1 || keys[0].Public() == pool()[0] {
			t.Fatalf("LookAgain() = %d keys, error %v, want the new one", len(keys), err)
		}
		wantCount(t, i, 2)
	})
	bubble(t, "just after the first key was fetched for a token without key ID", func(t *testing.T) {
		i := newIssuer(key("", 0))
		s := start(t, i.config(t))
		if _, err := s.Keys(t.Context(), jws.KeyID{}); err != nil {
			t.Fatal(err)
		}
		i.publish(key("", 1))
		if keys, err := lookAgain(t, s, "", "token", time.Time{}); err != nil || len(keys) != 1 {
			t.Fatalf("LookAgain() = %d keys, error %v, want the new one", len(keys), err)
		}
	})
	bubble(t, "a look-up that began after the token came answers for it", func(t *testing.T) {
		i := newIssuer(key("", 0))
		s := start(t, i.config(t))
		before := s.Lookups()
		tried, err := s.Keys(t.Context(), jws.KeyID{})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := s.LookAgain(t.Context(), keyset.Doubt{Token: "token", Lookups: before, Tried: tried})
		if err != nil || len(keys) != 1 {
			t.Fatalf("LookAgain() = %d keys, error %v, want the one there is", len(keys), err)
		}
		wantCount(t, i, 1)
		keys, err = lookAgain(t, s, "", "token", time.Now().Add(time.Minute))
		if err != nil || len(keys) != 1 {
			t.Fatalf("LookAgain() once more = %d keys, error %v, want the same again", len(keys), err)
		}
		// It was in vain all the same, and is charged like any other.
		if keys, err := lookAgain(t, s, "", "another", time.Time{}); keys != nil || err != nil {
			t.Errorf("LookAgain() = %d keys, error %v, want neither", len(keys), err)
		}
		time.Sleep(time.Minute)
		wantCount(t, i, 2)
	})
	bubble(t, "a token that was counted at another set, which had more look-ups", func(t *testing.T) {
		i, s := withoutID(t)
		for n := range 5 {
			tried, _ := s.Keys(t.Context(), jws.KeyID{})
			_, err := s.LookAgain(t.Context(), keyset.Doubt{Token: fmt.Sprint("token", n), Lookups: 1000, Tried: tried})
			if err != nil {
				t.Errorf("LookAgain() error = %v, want none", err)
			}
		}
		wantCount(t, i, 2)
	})
	bubble(t, "an issuer without network is not asked", func(t *testing.T) {
		s := start(t, keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("", 0)))})
		if keys, err := lookAgain(t, s, "", "token", time.Now()); keys != nil || err != nil {
			t.Errorf("LookAgain() = %d keys, error %v, want neither", len(keys), err)
		}
	})
}

// While the issuer may not be asked, a token is told to come back if it was issued
// since the issuer last was, and refused for good if not.
func TestLookAgain_Postponed(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		issued time.Duration // since the last look-up
		later  bool
	}{
		{"issued since", time.Second, true},
		{"issued long after, as anybody can write", 1000 * time.Hour, true},
		{"issued at that time", 0, false},
		{"issued before", -time.Second, false},
		{"issued years ago", -100000 * time.Hour, false},
	}
	for _, row := range rows {
		bubble(t, row.name, func(t *testing.T) {
			i, s := withoutID(t)
			time.Sleep(time.Minute)
			if _, err := lookAgain(t, s, "", "spends the look-up", time.Time{}); err != nil {
				t.Fatal(err)
			}
			last := time.Now()
			time.Sleep(3 * time.Second)
			keys, err := lookAgain(t, s, "", "token", last.Add(row.issued))
			switch {
			case keys != nil:
				t.Fatalf("LookAgain() = %d keys, want none", len(keys))
			case !row.later && err != nil:
				t.Errorf("LookAgain() error = %v, want none: the signature is bad", err)
			case row.later && (!errors.Is(err, keyset.ErrPostponed) || unavailable(t, err).RetryAfter != keyset.CoolDownTime-3*time.Second):
				t.Errorf("LookAgain() error = %v, want %v until the cool-down's end", err, keyset.ErrPostponed)
			}
			wantCount(t, i, 2)
			time.Sleep(keyset.CoolDownTime)
			wantCount(t, i, 3) // for both alike
			// What was looked for in vain is known to be bad, whatever it says.
			if keys, err := lookAgain(t, s, "", "token", time.Now().Add(time.Hour)); len(keys) != 1 || err != nil {
				t.Errorf("LookAgain() after the look-up = %d keys, error %v, want the same key again", len(keys), err)
			}
			wantCount(t, i, 3)
		})
	}
}

// What the issuer cannot be asked because it is down is not known either.
func TestLookAgain_Outage(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		issued time.Duration // since the keys came
		later  bool
	}{
		{"issued since", time.Minute, true},
		{"issued before", -time.Minute, false},
	}
	for _, row := range rows {
		bubble(t, row.name, func(t *testing.T) {
			i, s := withoutID(t)
			began := time.Now()
			time.Sleep(2 * time.Minute)
			i.set(func(i *issuer) { i.broken = true })
			for n := range 20 { // by a fetch that fails, then in its back-off
				_, err := lookAgain(t, s, "", fmt.Sprint("token", n), began.Add(row.issued))
				if row.later {
					if unavailable(t, err).RetryAfter <= 0 {
						t.Fatalf("RetryAfter = %v, want the back-off's end", unavailable(t, err).RetryAfter)
					}
				} else if err != nil {
					t.Fatalf("LookAgain() error = %v, want none: the signature is bad", err)
				}
			}
			wantCount(t, i, 2)
			i.set(func(i *issuer) { i.broken = false })
			time.Sleep(2 * time.Second)
			if keys, err := lookAgain(t, s, "", "token", time.Now()); len(keys) != 1 || err != nil {
				t.Errorf("LookAgain() = %d keys, error %v, want the key", len(keys), err)
			}
		})
	}
}

// Tokens without key ID and made-up key IDs spend one account between them.
func TestLookAgain_Flood(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 50, 1000} {
		bubble(t, fmt.Sprint(workers, " workers"), func(t *testing.T) {
			i, s := withoutID(t)
			i.set(func(i *issuer) { i.delay = 50 * time.Millisecond })
			time.Sleep(time.Minute)
			began := time.Now()
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for n := range 1000 / workers {
						_, err := lookAgain(t, s, "", fmt.Sprint("token", w, "-", n), time.Now().Add(time.Minute))
						if err != nil && !errors.Is(err, keyset.ErrPostponed) {
							t.Errorf("LookAgain() error = %v", err)
						}
						_ = askRandom(context.Background(), s, w*1000+n)
					}
				})
			}
			wg.Wait()
			time.Sleep(3 * keyset.CoolDownTime)
			if got := i.count() - 1; got < 1 || got > 2 {
				t.Errorf("flood cost %d fetches in %v, want 1 or 2", got, time.Since(began))
			}
		})
	}
}

// Who asks while a look-up is under way gets the keys that it finds. What it does
// not find may have been published after it was answered.
func TestLookup_Late(t *testing.T) {
	t.Parallel()
	slow := func(t *testing.T) (*issuer, *keyset.Set, *sync.WaitGroup) {
		t.Helper()
		i, s := inHand(t)
		i.set(func(i *issuer) { i.delay, i.early = 4*time.Second, true })
		time.Sleep(time.Minute)
		wg := new(sync.WaitGroup)
		wg.Go(func() { refused(t, s, "made-up", keyset.ErrUnknownKey) })
		time.Sleep(time.Second)
		return i, s, wg
	}
	bubble(t, "a key that was published meanwhile is not known yet", func(t *testing.T) {
		i, s, wg := slow(t)
		i.publish(key("a", 0), key("b", 1))
		postponed(t, s, "b", keyset.CoolDownTime)
		wg.Wait()
		time.Sleep(keyset.CoolDownTime)
		mustKeys(t, s, "b") // waits for the look-up that has begun
		wantCount(t, i, 3)
	})
	bubble(t, "the same made-up key ID is known to be unknown", func(t *testing.T) {
		i, s, wg := slow(t)
		refused(t, s, "made-up", keyset.ErrUnknownKey)
		wg.Wait()
		time.Sleep(time.Minute)
		wantCount(t, i, 2)
	})
	bubble(t, "whoever asks at the instant at which it begins asked before", func(t *testing.T) {
		i, s := inHand(t)
		i.set(func(i *issuer) { i.delay = 4 * time.Second })
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() { refused(t, s, fmt.Sprint("made-up ", n), keyset.ErrUnknownKey) })
			synctest.Wait()
		}
		wg.Wait()
		wantCount(t, i, 2)
	})
	bubble(t, "so does whoever asks at the instant of the first", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = 4 * time.Second
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() { refused(t, s, fmt.Sprint("made-up ", n), keyset.ErrUnknownKey) })
			synctest.Wait()
		}
		wg.Wait()
		wantCount(t, i, 1)
	})
	bubble(t, "a fetch that was in vain for nobody costs whoever came late nothing", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay, i.early = 4*time.Second, true
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		wg.Go(func() { mustKeys(t, s, "a") })
		time.Sleep(time.Second)
		i.publish(key("a", 0), key("b", 1))
		for range 3 {
			wg.Go(func() { mustKeys(t, s, "b") })
		}
		time.Sleep(time.Second)
		refused(t, s, "made-up", keyset.ErrUnknownKey)
		wg.Wait()
		wantCount(t, i, 2)
		postponed(t, s, "made-up too", keyset.CoolDownTime)
	})
	bubble(t, "a token without key ID gets the key that somebody else's look-up finds", func(t *testing.T) {
		i, s := withoutID(t)
		i.set(func(i *issuer) { i.delay = 4 * time.Second })
		time.Sleep(time.Minute)
		wg := new(sync.WaitGroup)
		wg.Go(func() { _, _ = lookAgain(t, s, "", "forged", time.Time{}) })
		time.Sleep(time.Second)
		i.publish(key("", 1))
		keys, err := lookAgain(t, s, "", "good", time.Now().Add(time.Minute))
		if err != nil || len(keys) != 1 {
			t.Errorf("LookAgain() = %d keys, error %v, want the new one", len(keys), err)
		}
		wg.Wait()
		wantCount(t, i, 2)
	})
	bubble(t, "a key that has come since it was tried is found without asking", func(t *testing.T) {
		i, s := withoutID(t)
		tried, _ := s.Keys(t.Context(), jws.KeyID{})
		time.Sleep(time.Minute)
		i.publish(key("", 1))
		if keys, err := lookAgain(t, s, "", "another", time.Time{}); err != nil || len(keys) != 1 {
			t.Fatalf("LookAgain() = %d keys, error %v, want the new one", len(keys), err)
		}
		keys, err := s.LookAgain(t.Context(), keyset.Doubt{Token: "token", Lookups: s.Lookups(), Tried: tried})
		if err != nil || len(keys) != 1 || keys[0] == tried[0] {
			t.Errorf("LookAgain() = %d keys, error %v, want the new one", len(keys), err)
		}
		wantCount(t, i, 2)
	})
	bubble(t, "a known key is found without another", func(t *testing.T) {
		i := newIssuer(key("a", 0), key("b", 1))
		i.delay, i.early = 4*time.Second, true
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		wg.Go(func() { mustKeys(t, s, "a") })
		time.Sleep(time.Second)
		mustKeys(t, s, "b")
		wg.Wait()
		time.Sleep(time.Minute)
		wantCount(t, i, 1)
	})
}

// One made-up key ID a second does not cost a good token its acceptance: until the
// look-up that all wait for, nobody is told that the key is unknown.
func TestLookup_RotationAmongMadeUpKeyIDs(t *testing.T) {
	t.Parallel()
	bubble(t, "nobody good is refused", func(t *testing.T) {
		i, s := inHand(t)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_ = askRandom(ctx, s, n)
				time.Sleep(time.Second)
			}
		})
		time.Sleep(64*time.Second + 500*time.Millisecond)
		i.publish(key("b", 1))
		before := i.count()
		for w := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(w) * 100 * time.Millisecond)
				_, err := s.Keys(ctx, jws.Named("b"))
				if err == nil {
					return
				}
				retry := unavailable(t, err).RetryAfter
				if !errors.Is(err, keyset.ErrPostponed) || retry <= 0 || retry > keyset.CoolDownTime {
					t.Errorf("Keys() error = %v, retry after %v, want %v", err, retry, keyset.ErrPostponed)
				}
				time.Sleep(retry)
				mustKeys(t, s, "b")
			})
		}
		time.Sleep(keyset.CoolDownTime)
		if got := i.count() - before; got > 1 {
			t.Errorf("%d fetches for all that waited, want 1", got)
		}
		stop()
		wg.Wait()
	})
}

// A refresh does not ask the issuer itself, and does not take away what is known of the
// look-up before it.
func TestLookAgain_OutageAfterRefresh(t *testing.T) {
	t.Parallel()
	for _, later := range []bool{false, true} {
		bubble(t, fmt.Sprint("issued since the look-up: ", later), func(t *testing.T) {
			i := newIssuer(key("", 0))
			s := startHeld(t, i.config(t))
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			issued := time.Now()
			time.Sleep(time.Hour)
			wantCount(t, i, 2)
			i.set(func(i *issuer) { i.broken = true })
			if later {
				issued = issued.Add(time.Minute)
			}
			if _, err := lookAgain(t, s, "", "token", issued); (err != nil) != later {
				t.Errorf("LookAgain() error = %v, want one: %t", err, later)
			}
		})
	}
}
