package keyset_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// queued returns an issuer of the key "a", and a set that has to wait in a queue until
// there is room.
func queued(t *testing.T) (i *issuer, s *keyset.Set, makeRoom func()) {
	t.Helper()
	i = newIssuer(key("a", 0))
	cfg := i.config(t)
	cfg.Queue = keyset.NewQueue(1)
	cfg.Queue <- struct{}{}
	return i, start(t, cfg), func() { <-cfg.Queue }
}

// A start with many issuers must not take all the sockets that the server has.
func TestQueue(t *testing.T) {
	t.Parallel()
	bubble(t, "nobody is in a hurry", func(t *testing.T) {
		i, s, makeRoom := queued(t)
		s.Warm()
		time.Sleep(time.Hour)
		wantCount(t, i, 0)
		makeRoom()
		synctest.Wait()
		wantCount(t, i, 1)
		if !s.InHand() || !s.LastUsed().IsZero() {
			t.Errorf("keys in hand %v, used at %v, want some and no use", s.InHand(), s.LastUsed())
		}
	})
	bubble(t, "one after the other", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = 5 * time.Second
		cfg := i.config(t)
		cfg.Queue = keyset.NewQueue(2)
		for range 6 {
			start(t, cfg).Warm()
		}
		for want := 2; want <= 6; want += 2 {
			time.Sleep(time.Second)
			synctest.Wait()
			wantCount(t, i, want)
			time.Sleep(4 * time.Second)
		}
	})
	bubble(t, "whoever i for many leaves with its context", func(t *testing.T) {
		i, s, makeRoom := queued(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.ReadyInTurn(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ReadyInTurn() error = %v, want %v", err, context.DeadlineExceeded)
		}
		wantCount(t, i, 0)
		makeRoom()
		if err := s.ReadyInTurn(t.Context()); err != nil {
			t.Errorf("ReadyInTurn() error = %v once the turn has come", err)
		}
		wantCount(t, i, 1)
	})
	bubble(t, "a token", func(t *testing.T) {
		i, s, _ := queued(t)
		s.Warm()
		time.Sleep(time.Second)
		begun := time.Now()
		mustKeys(t, s, "a")
		if took := time.Since(begun); took > 0 {
			t.Errorf("a token waited for %v", took)
		}
		wantCount(t, i, 1)
	})
	bubble(t, "a token whose key is not there, and came before its issuer was asked", func(t *testing.T) {
		i, s, _ := queued(t)
		s.Warm()
		time.Sleep(time.Second)
		refused(t, s, "b", keyset.ErrUnknownKey)
		wantCount(t, i, 1)
	})
	bubble(t, "somebody asks about this issuer alone", func(t *testing.T) {
		i, s, _ := queued(t)
		s.Warm()
		time.Sleep(time.Second)
		begun := time.Now()
		if err := s.Ready(t.Context()); err != nil || time.Since(begun) > 0 {
			t.Errorf("Ready() error = %v after %v, want none at once", err, time.Since(begun))
		}
		wantCount(t, i, 1)
	})
	bubble(t, "a hook that takes its time", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.Queue = keyset.NewQueue(1)
		slow := cfg
		slow.Hooks.FetchDone = func(keyset.Event) { time.Sleep(time.Hour) }
		start(t, slow).Warm()
		time.Sleep(time.Second)
		start(t, cfg).Warm()
		time.Sleep(time.Second)
		synctest.Wait()
		wantCount(t, i, 2)
	})
	bubble(t, "the set is closed", func(t *testing.T) {
		i, s, _ := queued(t)
		s.Warm()
		time.Sleep(time.Second)
		begun := time.Now()
		s.Close()
		if took := time.Since(begun); took > 0 {
			t.Errorf("Close() took %v", took)
		}
		wantCount(t, i, 0)
	})
	bubble(t, "keys that are used are refreshed in time", func(t *testing.T) {
		i, s, _ := queued(t)
		mustKeys(t, s, "a")
		s.Hold()
		defer s.Release()
		time.Sleep(time.Hour)
		wantCount(t, i, 2)
	})
	bubble(t, "keys from the last run that nobody used yet", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.CacheDir = t.TempDir()
		before := start(t, cfg)
		mustKeys(t, before, "a")
		before.Close()
		cfg.Queue = keyset.NewQueue(1)
		cfg.Queue <- struct{}{}
		kept := start(t, cfg)
		kept.Warm()
		time.Sleep(time.Minute)
		wantCount(t, i, 1)
		<-cfg.Queue
		synctest.Wait()
		wantCount(t, i, 2)
	})
	bubble(t, "keys from the last run, of which one was withdrawn, come into use", func(t *testing.T) {
		i := newIssuer(key("a", 0), key("b", 1))
		cfg := i.config(t)
		cfg.CacheDir = t.TempDir()
		before := start(t, cfg)
		mustKeys(t, before, "a")
		before.Close()
		i.publish(key("b", 1))
		cfg.Queue = keyset.NewQueue(1)
		cfg.Queue <- struct{}{}
		kept := start(t, cfg)
		kept.Warm()
		time.Sleep(time.Minute)
		mustKeys(t, kept, "a") // for which nobody is waited for
		synctest.Wait()
		wantCount(t, i, 2)
		refused(t, kept, "a", keyset.ErrUnknownKey)
	})
}
