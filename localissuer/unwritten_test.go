package localissuer_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
)

// look lets the time go by until the watch has read the directory.
func (v *vault) look() {
	time.Sleep(6 * time.Second)
	synctest.Wait()
}

// wantsIssued fails the test unless a token is issued, and good, or refused for that
// reason.
func (v *vault) wantsIssued(want error) {
	v.t.Helper()
	token, _, err := v.local.Issue(v.t.Context(), localissuer.Request{})
	if !errors.Is(err, want) {
		v.t.Errorf("Issue() error = %v, want %v", err, want)
	}
	if err == nil {
		wants(v.t, v.auth, token, nil)
	}
}

// wantsLogged fails the test unless so many lines of the log contain the text.
func (v *vault) wantsLogged(text string, want int) {
	v.t.Helper()
	if got := strings.Count(v.log.String(), text); got != want {
		v.t.Errorf("%q is logged %d times, want %d:\n%s", text, got, want, &v.log)
	}
}

// A directory that nobody can write to is read all the same.
func TestIssuer_ReadUnwritable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		v.command(func(l *localissuer.Issuer) error { return l.Rotate(t.Context()) })
		v.block()
		v.look()
		v.look()
		v.wantsIssued(nil)
		v.wantsLogged("level=", 1) // about the rotation
		if n := len(v.local.Keys()); n != 3 {
			t.Errorf("%d keys, want 3", n)
		}
	})
}

// Where an older copy cannot be brought up to date, its key goes on signing if it is the
// one that signs, and so does any key while it is only another process that is slow, for
// as long as one look at the directory takes.
func TestIssuer_OlderCopyUnwritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the key that signs is in the copy
		v := newVault(t)
		copied := v.backup()
		key := newKey(t)
		if _, err := v.local.Import(t.Context(), privatePEM(t, key)); err != nil {
			t.Fatal(err)
		}
		v.restore(copied)
		v.block()
		v.look()
		v.wantsIssued(nil)
		v.wantsLogged("level=ERROR", 1)
		wants(t, v.auth, signAs(t, key, "JWT", `{"iss":"localhost","sub":"bob","aud":["my-db"],"exp":4102444800}`), nil)
	})
	for _, slow := range []bool{true, false} { // it is not
		synctest.Test(t, func(t *testing.T) {
			v, began := newVault(t), time.Now()
			copied := v.backup()
			v.rotate(2)
			v.restore(copied)
			if !slow {
				v.block()
				v.look()
				v.wantsIssued(oidcauth.ErrKeysUnavailable)
				return
			}
			release := v.hold()
			// At the first look, after five seconds, it waits for five.
			time.Sleep(time.Until(began.Add(10*time.Second - time.Millisecond)))
			v.wantsLogged("level=ERROR", 0)
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			v.wantsIssued(nil)
			v.wantsLogged("level=ERROR", 1)
			time.Sleep(10 * time.Second) // and at the second look again
			synctest.Wait()
			v.wantsIssued(oidcauth.ErrKeysUnavailable)
			release()
			time.Sleep(12 * time.Second)
			synctest.Wait()
			v.checkAgreement()
		})
	}
}

// hold keeps everybody else from changing the directory, until they are released.
func (v *vault) hold() (release func()) {
	v.t.Helper()
	dir, err := keyring.Open(v.dir)
	if err != nil {
		v.t.Fatal(err)
	}
	held, done := make(chan struct{}), make(chan struct{})
	go dir.Update(context.Background(), func(r keyring.Ring) (keyring.Ring, bool, error) {
		close(held)
		<-done
		return r, false, nil
	})
	<-held
	return func() { close(done) }
}

// Keys that are trusted no more are not trusted again, not for a moment, because of a
// directory that is read and lacks what is known of them.
func TestIssuer_WithdrawnAndOlderCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		copied := v.backup()
		v.rotate(1)
		v.restore([]byte("{"))
		localissuer.AgeKeyDirectory(v.local, 24*time.Hour)
		v.look()
		v.wantsIssued(oidcauth.ErrKeysUnavailable)
		f := follow(t, v.local)
		v.block()
		v.restore(copied)
		v.look()
		v.wantsIssued(oidcauth.ErrKeysUnavailable)
		for _, keys := range f.told {
			if keys.Unavailable == nil {
				t.Error("the keys were said to be good")
			}
		}
		v.wantsLogged("trusted no more", 1)
	})
}

// The same keys under another issuer's name are not this issuer's: nothing is signed,
// and nothing of the directory adopted or changed.
func TestIssuer_DirectoryRenamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		token := issue(t, v.local, localissuer.Request{})
		own := v.backup()
		renamed := strings.Replace(string(own), `"localhost"`, `"elsewhere"`, 1)
		v.restore([]byte(renamed))
		v.look()
		v.wantsIssued(oidcauth.ErrKeysUnavailable)
		wants(t, v.auth, token, nil)
		v.wantsLogged("elsewhere", 1)
		if err := v.local.Rotate(t.Context()); !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), `of issuer "elsewhere", want "localhost"`) {
			t.Errorf("Rotate() error = %v, want one that names both issuers", err)
		}
		if string(v.backup()) != renamed {
			t.Error("the directory has been changed")
		}
		v.restore(own)
		v.look()
		v.wantsIssued(nil)
	})
}

// A contextHandler remembers the context of what it is told, which is done with what it
// is about.
type contextHandler struct {
	slog.Handler
	told []context.Context
}

func (h *contextHandler) Handle(ctx context.Context, r slog.Record) error {
	h.told = append(h.told, ctx)
	return h.Handler.Handle(ctx, r)
}

// Changes of the keys are logged, and that an older copy was brought up to date, each
// with the key that signs from then on.
func TestIssuer_ChangesLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{t: t, dir: dirWithKeys(t)}
		h := &contextHandler{Handler: slog.NewTextHandler(&v.log, nil)}
		v.local = newLocal(t, localissuer.Config{Dir: v.dir, Logger: slog.New(h)})
		wantsLine := func(level, message string) {
			t.Helper()
			v.wantsLogged("level="+level+` msg="`+message+`" issuer=localhost signing_key=`+active(v.local), 1)
		}
		first, copied := active(v.local), v.backup()
		v.rotate(1)
		wantsLine("INFO", "key rotated")
		if _, err := v.local.Import(t.Context(), privatePEM(t, newKey(t))); err != nil {
			t.Fatal(err)
		}
		wantsLine("INFO", "key imported")
		if err := v.local.Remove(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		wantsLine("INFO", "key removed")
		v.restore(copied)
		v.local.Refresh()
		wantsLine("WARN", "key directory held an older copy, which was brought up to date")
		if len(h.told) != 4 || h.told[3].Err() == nil {
			t.Errorf("%d lines, and of the last the context goes on", len(h.told))
		}
		v.look()
		v.wantsLogged("level=", 4)
	})
}

// active returns the ID of the key that signs.
func active(l *localissuer.Issuer) string {
	for _, k := range l.Keys() {
		if k.State == "active" {
			return k.ID
		}
	}
	return ""
}
