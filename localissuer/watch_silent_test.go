package localissuer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A directory that does not answer, as one on another machine, is one that cannot be read:
// its keys serve for a day, and no longer. Then it answers, and they do again.
func TestIssuer_SilentDirectory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		token := issue(t, v.local, localissuer.Request{Lifetime: 10 * 24 * time.Hour})
		answer := localissuer.SilenceKeyDirectory(v.local)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		v.wantsIssued(nil)
		v.wantsLogged("level=ERROR", 1)
		v.wantsLogged("has not answered for 10s", 1)
		localissuer.AgeKeyDirectory(v.local, 24*time.Hour-time.Minute)
		v.look()
		wants(t, v.auth, token, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		wants(t, v.auth, token, oidcauth.ErrKeysUnavailable)
		v.wantsIssued(oidcauth.ErrKeysUnavailable)
		answer()
		v.look()
		wants(t, v.auth, token, nil)
		v.checkAgreement()
		v.wantsLogged("level=ERROR", 2)
		v.wantsLogged("readable again", 1)
	})
}

// Tokens under keys that are not there, which anybody can send, wait together for a
// directory that does not answer, for ten seconds, and then not at all: nor does Close.
func TestIssuer_SilentDirectory_NobodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, other := newVault(t), newVault(t)
		foreign := issue(t, other.local, localissuer.Request{})
		answer := localissuer.SilenceKeyDirectory(v.local)
		defer answer()
		ask := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			wants(t, v.auth, foreign, oidcauth.ErrKeysUnavailable)
			if took := time.Since(began); took != want {
				t.Errorf("the answer came after %v, want %v", took, want)
			}
		}
		v.restore(append(v.backup(), ' ')) // so that it is looked at
		for range 3 {
			go wants(t, v.auth, foreign, oidcauth.ErrKeysUnavailable)
		}
		synctest.Wait()
		ask(10 * time.Second)
		synctest.Wait()
		ask(0)
		began := time.Now()
		if err := v.local.Close(); err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("Close() = %v after %v", err, time.Since(began))
		}
	})
}

// While the directory cannot be read, nobody knows whose key a token is under that no key
// in memory fits: another server may have two rotations more. Where it was read and cannot
// be written to, all is known.
func TestIssuer_UnknownKeyUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		other, _ := v.start()
		copied := v.backup()
		for range 2 {
			if err := other.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		token, rotated := issue(t, other, localissuer.Request{}), v.backup()
		other.Close()
		v.restore([]byte("{"))
		wants(t, v.auth, token, oidcauth.ErrKeysUnavailable)
		v.look()
		wants(t, v.auth, token, oidcauth.ErrKeysUnavailable)
		claims := authenticate(t, v.auth, issue(t, v.local, localissuer.Request{}))
		if _, err := v.local.Ticket(from(), claims, "chat"); err != nil {
			t.Errorf("Ticket() error = %v: what is known serves", err)
		}
		v.restore(rotated)
		wants(t, v.auth, token, nil)
		v.rotate(1)
		v.restore(copied)
		v.block()
		v.look()
		wants(t, v.auth, token, nil)
		foreign := issue(t, newVault(t).local, localissuer.Request{})
		wants(t, v.auth, foreign, oidcauth.ErrUnknownKey)
		if err := v.local.Rotate(t.Context()); errors.Is(err, nil) {
			t.Error("Rotate() error = nil where nothing can be written")
		}
	})
}
