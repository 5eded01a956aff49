package localissuer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
)

// However many tokens come under keys that are not there, which anybody can send, a
// directory that is slow is not one that does not answer: it is looked at once for all who
// wait, and the watch is among them. After a day of that it is trusted as before.
func TestIssuer_FloodAtSlowDirectory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, other := newVault(t), newVault(t)
		foreign := issue(t, other.local, localissuer.Request{})
		localissuer.SlowKeyDirectory(v.local, 100*time.Millisecond)
		began := time.Now()
		for n := range 400 {
			go func() {
				for ; time.Since(began) < 20*time.Second; time.Sleep(time.Millisecond) {
					asked := time.Now()
					wants(t, v.auth, foreign, oidcauth.ErrUnknownKey)
					if took := time.Since(asked); took > 200*time.Millisecond {
						t.Errorf("token %d was answered after %v", n, took)
						return
					}
				}
			}()
		}
		time.Sleep(6 * time.Second)
		localissuer.AgeKeyDirectory(v.local, 24*time.Hour-10*time.Second)
		time.Sleep(20 * time.Second)
		v.wantsIssued(nil)
		v.wantsLogged("level=ERROR", 0)
	})
}

// A look that a token waits for begins when the one under way has ended, and each may take
// its ten seconds.
func TestIssuer_LookAfterSlowOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, other := newVault(t), newVault(t)
		foreign := issue(t, other.local, localissuer.Request{})
		localissuer.SlowKeyDirectory(v.local, 9*time.Second)
		time.Sleep(6 * time.Second)
		began := time.Now()
		wants(t, v.auth, foreign, oidcauth.ErrUnknownKey)
		if took := time.Since(began); took != 17*time.Second {
			t.Errorf("the answer came after %v, want 17s", took)
		}
		v.wantsLogged("level=ERROR", 0)
	})
}

// That somebody has waited in vain for a look is no failure of the look before it: where
// another process is slow and the directory as well, a key signs for as long as this look
// takes.
func TestIssuer_OlderCopyUnwritten_Slowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, began := newVault(t), time.Now()
		copied := v.backup()
		v.rotate(2)
		v.restore(copied)
		defer v.hold()()
		localissuer.SlowKeyDirectory(v.local, 7*time.Second)
		time.Sleep(time.Until(began.Add(18 * time.Second))) // a look from the fifth second to the 17th
		synctest.Wait()
		v.wantsIssued(nil)
		v.wantsLogged("has not answered for 10s", 1)
	})
}

// What was read counts from when it was asked for, however late it came: not for a day
// after that, where the directory is silent again. What comes after more than a day
// brings back no trust.
func TestIssuer_LateReading(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{13 * time.Hour, 25 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			v, began := newVault(t), time.Now()
			token := issue(t, v.local, localissuer.Request{Lifetime: 10 * 24 * time.Hour})
			arrive := localissuer.DelayKeyDirectory(v.local)
			time.Sleep(late)
			arrive <- struct{}{}
			synctest.Wait()
			if late < 24*time.Hour {
				wants(t, v.auth, token, nil)
				v.wantsLogged("readable again", 1)
			} else {
				v.wantsLogged("readable again", 0)
			}
			time.Sleep(time.Until(began.Add(25*time.Hour + time.Second)))
			synctest.Wait()
			wants(t, v.auth, token, oidcauth.ErrKeysUnavailable)
			v.wantsIssued(oidcauth.ErrKeysUnavailable)
			close(arrive)
			synctest.Wait()
			wants(t, v.auth, token, nil)
		})
	}
}

// Where nobody watches any more the keys go on serving, whatever comes of a look for a key
// that is not there; and once the directory answers, it is known again that there is none.
func TestIssuer_SilentAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, other := newVault(t), newVault(t)
		token := issue(t, v.local, localissuer.Request{Lifetime: 10 * 24 * time.Hour})
		foreign := issue(t, other.local, localissuer.Request{})
		v.look()
		for _, l := range []*localissuer.Issuer{v.local, other.local} {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(25 * time.Hour)
		localissuer.SlowKeyDirectory(v.local, 11*time.Second)
		wants(t, v.auth, foreign, oidcauth.ErrKeysUnavailable)
		wants(t, v.auth, token, nil)
		v.wantsIssued(nil)
		time.Sleep(time.Minute)
		localissuer.SlowKeyDirectory(v.local, 0)
		wants(t, v.auth, foreign, oidcauth.ErrUnknownKey)
	})
}

// A watch whose timer goes off as the issuer is closed does nothing any more.
func TestIssuer_PollAfterClose(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	if err := v.local.Close(); err != nil {
		t.Fatal(err)
	}
	localissuer.OnLoad(v.local, func() (keyring.Ring, error) {
		t.Error("the directory was read")
		return keyring.Ring{}, nil
	})
	localissuer.PollKeyDirectory(v.local)
}

// A reading that was asked for long ago does not take back that a change has read the
// directory since.
func TestIssuer_LateReadingAfterChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, began := newVault(t), time.Now()
		arrive := localissuer.DelayKeyDirectory(v.local)
		defer close(arrive)
		time.Sleep(20 * time.Hour)
		v.rotate(1)
		arrive <- struct{}{}
		time.Sleep(time.Until(began.Add(43 * time.Hour)))
		v.wantsIssued(nil)
		time.Sleep(2 * time.Hour)
		v.wantsIssued(oidcauth.ErrKeysUnavailable)
	})
}
