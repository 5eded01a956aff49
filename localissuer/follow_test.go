package localissuer_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A follower is told of keys as an Authenticator is, and answers with an error.
type follower struct {
	told   []oidcauth.Keys
	answer error
}

func (f *follower) adopt(keys oidcauth.Keys) error {
	f.told = append(f.told, keys)
	return f.answer
}

// follow has a follower hear what the issuer says from now on.
func follow(t testing.TB, l *localissuer.Issuer) *follower {
	t.Helper()
	f := new(follower)
	stop, err := l.Follow(f.adopt)
	if err != nil {
		t.Fatalf("Follow() error = %v", err)
	}
	t.Cleanup(stop)
	return f
}

// ticketsOf returns who says which keys of an issuer sign tickets.
func ticketsOf(t testing.TB, l *localissuer.Issuer) *ticket.Authority {
	t.Helper()
	f := new(follower)
	stop, err := l.Follow(f.adopt)
	if err != nil {
		t.Fatalf("Follow() error = %v", err)
	}
	stop() // or it is told of what the watch finds meanwhile
	return f.told[0].Tickets
}

// Who follows is told at once and of each change, until they stop. One that refuses the
// keys keeps nobody else from them, and whoever changed them is told.
func TestIssuer_Follow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, localissuer.Config{})
		errOwn := errors.New("the follower's own")
		rotate := func(want error) {
			t.Helper()
			if err := l.Rotate(t.Context()); !errors.Is(err, want) {
				t.Errorf("Rotate() error = %v, want %v", err, want)
			}
		}
		refuses := &follower{answer: errOwn}
		if stop, err := l.Follow(refuses.adopt); !errors.Is(err, errOwn) || stop != nil {
			t.Errorf("Follow() error = %v, want %v", err, errOwn)
		}
		leaves := new(follower)
		stop, err := l.Follow(leaves.adopt)
		if err != nil {
			t.Fatalf("Follow() error = %v", err)
		}
		stays := follow(t, l)
		rotate(nil)
		leaves.answer = errOwn
		rotate(errOwn)
		stop()
		rotate(nil)
		for name, got := range map[string][2]int{
			"who refused":        {len(refuses.told), 1},
			"who left after two": {len(leaves.told), 3},
			"who stays":          {len(stays.told), 4},
		} {
			if got[0] != got[1] {
				t.Errorf("%s was told %d times, want %d", name, got[0], got[1])
			}
		}
	})
}

// Revocations are kept for as long as a token can live, also one that was issued when
// the directory was another's.
func TestIssuer_FollowLifetime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		before, cfg localissuer.Config
		want        time.Duration
	}{
		{"as usual", localissuer.Config{}, localissuer.Config{}, 24 * time.Hour},
		{"longer", localissuer.Config{}, localissuer.Config{MaxLifetime: 48 * time.Hour}, 48 * time.Hour},
		{"longer before", localissuer.Config{MaxLifetime: 48 * time.Hour}, localissuer.Config{}, 48 * time.Hour},
		{"for ever", localissuer.Config{}, localissuer.Config{NoExpiry: true}, -1},
		{"for ever before", localissuer.Config{NoExpiry: true}, localissuer.Config{}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.before.Dir = filepath.Join(t.TempDir(), "keys")
			tt.cfg.Dir = tt.before.Dir
			newLocal(t, tt.before).Close()
			if got := follow(t, newLocal(t, tt.cfg)).told[0].MaxLifetime; got != tt.want {
				t.Errorf("tokens live %v, want %v", got, tt.want)
			}
		})
	}
}

// Refresh reads a directory that looks another, and not one that looks the same, which
// the watch reads.
func TestIssuer_Refresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		trusted := func(want error) {
			t.Helper()
			if _, err := v.local.PublicPEM(); !errors.Is(err, want) {
				t.Errorf("PublicPEM() error = %v, want %v", err, want)
			}
		}
		v.restore([]byte("{"))
		v.local.Refresh()
		localissuer.AgeKeyDirectory(v.local, 25*time.Hour)
		v.local.Refresh()
		trusted(nil)
		if err := os.Chtimes(v.file(), time.Time{}, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		v.local.Refresh()
		trusted(oidcauth.ErrKeysUnavailable)
	})
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		v.restore([]byte("{"))
		v.local.Refresh()
		localissuer.AgeKeyDirectory(v.local, 24*time.Hour-10*time.Second)
		for _, want := range []error{nil, oidcauth.ErrKeysUnavailable} { // at the first look after a day, to the second
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if _, err := v.local.PublicPEM(); !errors.Is(err, want) {
				t.Errorf("PublicPEM() error = %v, want %v", err, want)
			}
		}
	})
}
