package localissuer_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Where the directory cannot be written to, or another process has it for a while, a server
// keeps a key that a clock behind has retired all the same, at the second look as at the
// first, and says so once. That it cannot write how long is no reason to sign no more, or to
// trust the keys no more.
func TestIssuer_RetiredByClockBehind_Unwritten(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]func(v *vault) (release func()){
		"unwritable": func(v *vault) func() { v.block(); return func() {} },
		"held":       (*vault).hold,
	} {
		synctest.Test(t, func(t *testing.T) {
			clock, late := &leap{}, &leap{}
			late.by.Add(-int64(1000 * time.Hour))
			v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
			v.local = newLocal(t, localissuer.Config{Dir: v.dir, MaxLifetime: time.Hour, Now: clock.now, Logger: slog.New(slog.NewTextHandler(&v.log, nil))})
			v.auth = newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{v.local.Issuer()}, CacheBytes: -1, Now: clock.now})
			token := issue(t, v.local, localissuer.Request{})
			command, _ := late.local(t, v.dir, time.Hour)
			if err := errors.Join(command.Rotate(t.Context()), command.Close()); err != nil {
				t.Fatal(err)
			}
			release := keep(v)
			for range 5 {
				v.look()
				wants(t, v.auth, token, nil)
				v.wantsIssued(nil)
			}
			localissuer.AgeKeyDirectory(v.local, 24*time.Hour-time.Second)
			v.look()
			v.look()
			wants(t, v.auth, token, nil)
			v.wantsIssued(nil)
			v.wantsLogged("retired by a clock that is behind", 1)
			v.wantsLogged("level=ERROR", 0)
			release()
			v.look()
			v.look()
			wants(t, v.auth, token, nil)
			if name == "held" {
				_, other := clock.local(t, v.dir, time.Hour)
				wants(t, other, token, nil)
			}
		})
	}
}
