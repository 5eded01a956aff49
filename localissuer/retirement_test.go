package localissuer_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Tickets that were sold before a rotation are good after it, whatever the clock says of
// whoever rotates, and those under the retired key for two minutes and no longer. A server
// that was not there then goes by that clock.
func TestTicket_RotatedByAnotherClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, -3 * time.Minute, 0, 3 * time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			dir, clock := filepath.Join(t.TempDir(), "keys"), new(authtest.Clock)
			clock.Set(ahead)
			local := newLocal(t, localissuer.Config{Dir: dir})
			auth, other := trusting(t, local), newLocal(t, localissuer.Config{Dir: dir, Now: clock.Now})
			claims := authenticate(t, auth, issue(t, local, localissuer.Request{}))
			first := active(local)
			ticket, err := local.Ticket(from(), claims, "chat")
			if err == nil {
				err = other.Rotate(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			synctest.Wait()
			if active(local) == first {
				t.Fatal("the rotation was not noticed")
			}
			if _, err := auth.AuthenticateTicket(from(), ticket, "chat"); err != nil {
				t.Errorf("AuthenticateTicket() error = %v, of a clock that is %v ahead", err, ahead)
			}
			for _, tt := range []struct {
				after time.Duration
				want  bool
			}{{100 * time.Second, true}, {20 * time.Second, false}, {ahead.Abs(), false}} {
				time.Sleep(tt.after)
				if _, signs := ticketsOf(t, local).Secret(first); signs != tt.want {
					t.Errorf("of a clock that is %v ahead: the retired key signs tickets %t, want %t", ahead, signs, tt.want)
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		claims := authenticate(t, v.auth, issue(t, v.local, localissuer.Request{}))
		ticket, err := v.local.Ticket(from(), claims, "chat")
		if err != nil {
			t.Fatal(err)
		}
		clock := new(authtest.Clock)
		clock.Set(-3 * time.Minute)
		other := newLocal(t, localissuer.Config{Dir: v.dir, Now: clock.Now})
		if err := other.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, late := v.start()
		if _, err := late.AuthenticateTicket(from(), ticket, "chat"); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("AuthenticateTicket() error = %v after a start, want %v", err, oidcauth.ErrUnknownKey)
		}
	})
}

// Of the keys that somebody has retired between two looks, those that were known here sign
// tickets for two minutes from then on, and of the others that clock decides.
func TestTicket_RotatedBetweenLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, clock := newVault(t), new(authtest.Clock)
		clock.Set(-3 * time.Minute)
		other := newLocal(t, localissuer.Config{Dir: v.dir, Now: clock.Now})
		var retired []string
		for range 4 {
			retired = append(retired, active(other))
			if err := other.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		v.look()
		for n, keyID := range retired {
			if _, signs := ticketsOf(t, v.local).Secret(keyID); signs != (n < 2) {
				t.Errorf("retired key %d signs tickets: %t, want %t", n, signs, n < 2)
			}
		}
	})
}

// So they are where somebody else rotates again meanwhile, by another clock, and lets go of
// what opens them.
func TestTicket_RotatedByTwoClocks(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-3 * time.Minute, 3 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			v, clock := newVault(t), new(authtest.Clock)
			clock.Set(ahead)
			other := newLocal(t, localissuer.Config{Dir: v.dir, Now: clock.Now})
			first := active(v.local)
			claims := authenticate(t, v.auth, issue(t, v.local, localissuer.Request{}))
			ticket, err := v.local.Ticket(from(), claims, "chat")
			if err == nil {
				err = other.Rotate(t.Context())
			}
			v.look()
			if err == nil {
				err = v.local.Rotate(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.auth.AuthenticateTicket(from(), ticket, "chat"); err != nil {
				t.Errorf("AuthenticateTicket() error = %v, of a clock that is %v ahead", err, ahead)
			}
			time.Sleep(2 * time.Minute)
			if secret, signs := ticketsOf(t, v.local).Secret(first); signs || secret != nil {
				t.Errorf("of a clock that is %v ahead: the retired key signs tickets for longer", ahead)
			}
		})
	}
}

// A key that is imported once it is retired here signs no tickets any more.
func TestTicket_RetiredThenImported(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	first := l.Keys()[0]
	if err := l.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, signs := ticketsOf(t, l).Secret(first.ID); !signs {
		t.Error("a key that was just retired signs no tickets")
	}
	der, err := x509.MarshalPKIXPublicKey(first.Public)
	if err == nil {
		_, err = l.Import(t.Context(), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	if err != nil {
		t.Fatal(err)
	}
	if secret, signs := ticketsOf(t, l).Secret(first.ID); signs || secret != nil {
		t.Error("an imported key signs tickets")
	}
}
