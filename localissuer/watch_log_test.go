package localissuer_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth/localissuer"
)

// What others make of the keys is logged once for each change, with the key that signs
// from then on: the command that looks after a server's keys writes into no log of it.
func TestIssuer_OthersChangesLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const line = `level=INFO msg="key directory has other keys than before" issuer=localhost signing_key=`
		v := newVault(t)
		first := active(v.local)
		for n, change := range []func(l *localissuer.Issuer) error{
			func(l *localissuer.Issuer) error { return l.Rotate(t.Context()) },
			func(l *localissuer.Issuer) error { return l.Remove(t.Context(), first) },
			func(l *localissuer.Issuer) error {
				_, err := l.Import(t.Context(), privatePEM(t, newKey(t)))
				return err
			},
		} {
			v.command(change)
			v.look()
			v.look()
			v.wantsLogged(line, n+1)
			v.wantsLogged("level=", n+1)
		}
		v.wantsLogged(line+active(v.local)+" keys=2", 1)
		former := v.local.Keys()[1].Public
		v.rotate(1) // which is told of as what it is
		v.look()
		v.wantsLogged(line, 3)
		v.command(func(l *localissuer.Issuer) error { // the same keys, of which one is trusted until it is removed
			der, err := x509.MarshalPKIXPublicKey(former)
			if err == nil {
				_, err = l.Import(t.Context(), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			}
			return err
		})
		v.look()
		v.wantsLogged(line, 4)
	})
}

// Other keys are told of also where there are as many as before, in the same states.
func TestIssuer_OthersChangesLogged_SameNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const line = "key directory has other keys than before"
		v := newVault(t)
		first := active(v.local)
		rotate := func(l *localissuer.Issuer) error { return l.Rotate(t.Context()) }
		v.command(rotate)
		v.look()
		v.wantsLogged(line, 1)
		v.command(func(l *localissuer.Issuer) error { return errors.Join(l.Remove(t.Context(), first), rotate(l)) })
		v.look()
		v.wantsLogged(line, 2)
		v.wantsLogged(active(v.local)+" keys=3", 1)
	})
}

// A series of failures to read the directory has one line at its beginning and one at its
// end, whoever notices that.
func TestIssuer_ReadableAgainLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const line = `level=INFO msg="key directory readable again, and what it is to be" issuer=localhost`
		v := newVault(t)
		for n, notice := range []func(){v.look, func() { v.rotate(1) }} {
			if err := os.Rename(v.dir, v.dir+".away"); err != nil {
				t.Fatal(err)
			}
			v.look()
			v.look()
			v.wantsLogged("level=ERROR", n+1)
			v.wantsLogged(line, n)
			if err := os.Rename(v.dir+".away", v.dir); err != nil {
				t.Fatal(err)
			}
			notice()
			v.look()
			v.wantsLogged(line, n+1)
		}
	})
}

// That a directory had no keys is logged, once: where it had some before, on a volume that
// is not mounted for instance, nobody's token is good any longer.
func TestIssuer_NewKeysLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
		v.local, v.auth = v.start()
		line := `level=WARN msg="key directory had no keys, new ones were made" issuer=localhost signing_key=` + active(v.local)
		v.wantsLogged(line, 1)
		v.start()
		v.look()
		v.wantsLogged("level=", 1)
	})
}
