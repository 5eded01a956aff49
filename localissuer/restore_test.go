package localissuer_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A vault is a key directory with a server that runs on it.
type vault struct {
	t     *testing.T
	dir   string
	local *localissuer.Issuer
	auth  *oidcauth.Authenticator
	log   logBuffer
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t: t, dir: dirWithKeys(t)}
	v.local, v.auth = v.start()
	return v
}

// dirWithKeys returns a key directory that a server has left.
func dirWithKeys(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	newLocal(t, localissuer.Config{Dir: dir}).Close()
	return dir
}

// start begins another server on the directory.
func (v *vault) start() (*localissuer.Issuer, *oidcauth.Authenticator) {
	v.t.Helper()
	l := newLocal(v.t, localissuer.Config{Dir: v.dir, MaxLifetime: 30 * 24 * time.Hour, Logger: slog.New(slog.NewTextHandler(&v.log, nil))})
	return l, newAuthenticator(v.t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer()}, CacheBytes: -1})
}

// command does what the command does: it opens the directory, changes the keys
// and ends.
func (v *vault) command(change func(l *localissuer.Issuer) error) {
	v.t.Helper()
	l, err := localissuer.New(localissuer.Config{Dir: v.dir, Audiences: []string{testAudience}})
	if err == nil {
		err = errors.Join(change(l), l.Close())
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) rotate(times int) {
	v.t.Helper()
	for range times {
		if err := v.local.Rotate(v.t.Context()); err != nil {
			v.t.Fatalf("Rotate() error = %v", err)
		}
		time.Sleep(time.Second) // so that keys have an order
	}
}

func (v *vault) file() string { return filepath.Join(v.dir, "keyring.json") }

// backup returns what restore puts back.
func (v *vault) backup() []byte {
	v.t.Helper()
	body, err := os.ReadFile(v.file())
	if err != nil {
		v.t.Fatal(err)
	}
	return body
}

func (v *vault) restore(body []byte) {
	v.t.Helper()
	if err := os.WriteFile(v.file(), body, 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// keys lists the IDs of an issuer's keys.
func keyIDs(l *localissuer.Issuer) []string {
	var ids []string
	for _, k := range l.Keys() {
		ids = append(ids, k.ID)
	}
	return ids
}

// checkAgreement checks that the running server, the directory and a server that
// starts now have the same keys, and take each other's tokens.
func (v *vault) checkAgreement() {
	v.t.Helper()
	local, auth := v.start()
	if got, want := keyIDs(v.local), keyIDs(local); !slices.Equal(got, want) {
		v.t.Errorf("the running server has the keys %q, the directory %q", got, want)
	}
	wants(v.t, v.auth, issue(v.t, local, localissuer.Request{}), nil)
	wants(v.t, auth, issue(v.t, v.local, localissuer.Request{}), nil)
}

// An older copy of the key directory that is put back brings no removed key back,
// wherever servers run, and leaves none in use that is in no directory.
func TestIssuer_DirectoryRestored(t *testing.T) {
	t.Parallel()
	pem := privatePEM(t, newKey(t))
	for _, tt := range []struct {
		name string
		then func(v *vault) // at once after the copy was put back
	}{
		{"and nothing else", func(*vault) {}},
		{"rotated by the server", func(v *vault) { v.rotate(1) }},
		{"imported by the server", func(v *vault) {
			if _, err := v.local.Import(v.t.Context(), pem); err != nil {
				v.t.Error(err)
			}
		}},
		{"rotated by the command", func(v *vault) {
			v.command(func(l *localissuer.Issuer) error { return l.Rotate(v.t.Context()) })
		}},
		{"changed often by the command", func(v *vault) {
			v.command(func(l *localissuer.Issuer) error {
				for range 20 {
					if err := l.Rotate(v.t.Context()); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{"a server started before the other has noticed", func(v *vault) { v.start() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVault(t)
				token := issue(t, v.local, localissuer.Request{})
				stolen := v.local.Keys()[0].ID
				copied := v.backup()
				v.rotate(3)
				recent := issue(t, v.local, localissuer.Request{})
				if err := v.local.Remove(t.Context(), stolen); err != nil {
					t.Fatal(err)
				}
				v.restore(copied)
				tt.then(v)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				wants(t, v.auth, token, oidcauth.ErrUnknownKey)
				wants(t, v.auth, recent, nil)
				v.checkAgreement()
				_, again := v.start()
				wants(t, again, token, oidcauth.ErrUnknownKey)
				wants(t, again, recent, nil)
			})
		})
	}
}

// A key that the command removes from an older copy leaves the running server.
func TestIssuer_RemovedFromRestored(t *testing.T) {
	t.Parallel()
	for _, writable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			v := newVault(t)
			v.rotate(1)
			token := issue(t, v.local, localissuer.Request{})
			key := v.local.Keys()[1].ID
			v.rotate(1)
			copied := v.backup()
			v.rotate(5)
			wants(t, v.auth, token, nil)
			v.restore(copied)
			v.command(func(l *localissuer.Issuer) error { return l.Remove(t.Context(), key) })
			if !writable {
				v.block()
			}
			time.Sleep(6 * time.Second)
			synctest.Wait()
			wants(t, v.auth, token, oidcauth.ErrUnknownKey)
			if writable {
				v.checkAgreement()
				return
			}
			// What signs is in no directory, and can be written to none.
			_, _, err := v.local.Issue(t.Context(), localissuer.Request{})
			if !errors.Is(err, oidcauth.ErrKeysUnavailable) {
				t.Errorf("Issue() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
			}
			for name, err := range v.changes() {
				if err == nil {
					t.Errorf("%s error = nil", name)
				}
			}
			if n := strings.Count(v.log.String(), "level=ERROR"); n != 1 {
				t.Errorf("reported %d times, want once:\n%s", n, &v.log)
			}
			if err := os.Remove(filepath.Join(v.dir, "keyring.lock")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			synctest.Wait()
			wants(t, v.auth, token, oidcauth.ErrUnknownKey)
			v.checkAgreement()
		})
	}
}

// block makes the directory one that cannot be written to.
func (v *vault) block() {
	v.t.Helper()
	lock := filepath.Join(v.dir, "keyring.lock")
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
		v.t.Fatal(err)
	}
}

// changes tries all changes of the keys.
func (v *vault) changes() map[string]error {
	_, imported := v.local.Import(v.t.Context(), privatePEM(v.t, newKey(v.t)))
	return map[string]error{
		"Rotate()": v.local.Rotate(v.t.Context()),
		"Remove()": v.local.Remove(v.t.Context(), v.local.Keys()[0].ID),
		"Import()": imported,
	}
}

// Other keys under a running server: it changes nothing, signs with nothing that
// is not there, and says so.
func TestIssuer_AnotherRing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		v.rotate(2)
		token := issue(t, v.local, localissuer.Request{})
		own, other := v.backup(), newVault(t)
		v.restore(other.backup())
		for name, err := range v.changes() {
			if err == nil || !strings.Contains(err.Error(), "another ring") {
				t.Errorf("%s error = %v, want one that says what is wrong", name, err)
			}
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if _, _, err := v.local.Issue(t.Context(), localissuer.Request{}); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
			t.Errorf("Issue() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
		}
		wants(t, v.auth, token, nil)
		if !bytes.Equal(v.backup(), other.backup()) {
			t.Error("the other keys have been changed")
		}
		if n := strings.Count(v.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("reported %d times, want once:\n%s", n, &v.log)
		}
		v.restore(own)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		v.checkAgreement()
	})
}

// While the directory cannot be read, the keys in memory serve for a day and no
// longer: one of them may have been removed. Then they do again.
func TestIssuer_DirectoryLostForLong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		lose func(v *vault)
	}{
		{"damaged", func(v *vault) { v.restore([]byte("{")) }},
		{"other keys", func(v *vault) { v.restore(newVault(v.t).backup()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVault(t)
				token := issue(t, v.local, localissuer.Request{Lifetime: 10 * 24 * time.Hour})
				claims := authenticate(t, v.auth, token)
				session := v.auth.NewSession(t.Context(), claims)
				defer session.Close()
				own := v.backup()
				time.Sleep(time.Hour)
				tt.lose(v)
				localissuer.AgeKeyDirectory(v.local, 23*time.Hour)
				time.Sleep(time.Hour - 10*time.Second)
				synctest.Wait()
				wants(t, v.auth, token, nil)
				time.Sleep(20 * time.Second)
				synctest.Wait()
				wants(t, v.auth, token, oidcauth.ErrKeysUnavailable)
				if cause := context.Cause(session.Context()); !errors.Is(cause, oidcauth.ErrKeysUnavailable) {
					t.Errorf("the session's cause is %v, want %v", cause, oidcauth.ErrKeysUnavailable)
				}
				if _, _, err := v.local.Issue(t.Context(), localissuer.Request{}); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
					t.Errorf("Issue() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
				}
				if _, err := v.local.Ticket(from(), claims, "chat"); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
					t.Errorf("Ticket() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
				}
				late := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{v.local.Issuer()}})
				wants(t, late, token, oidcauth.ErrKeysUnavailable)
				if got := publishedStatus(v.local); got != http.StatusServiceUnavailable {
					t.Errorf("the keys are published with status %d, want %d", got, http.StatusServiceUnavailable)
				}
				if n := strings.Count(v.log.String(), "level=ERROR"); n != 2 {
					t.Errorf("reported %d times, want at the beginning and at the end:\n%s", n, &v.log)
				}
				v.restore(own)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				wants(t, v.auth, token, nil)
				wants(t, late, token, nil)
				v.checkAgreement()
				if got := publishedStatus(v.local); got != http.StatusOK {
					t.Errorf("the keys are published with status %d, want %d", got, http.StatusOK)
				}
			})
		})
	}
}

func publishedStatus(l *localissuer.Issuer) int {
	w := httptest.NewRecorder()
	l.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	return w.Code
}

// A start that changes nothing writes nothing: the directory may be one that
// cannot be written to. One whose file is gone is no new directory.
func TestNew_WritesNothing(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	if err := errors.Join(v.local.Close(), os.Remove(filepath.Join(v.dir, "keyring.lock")), os.Chmod(v.dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(v.dir, 0o700)
	before := v.backup()
	local, auth := v.start()
	wants(t, auth, issue(t, local, localissuer.Request{}), nil)
	names, err := os.ReadDir(v.dir)
	if err != nil || len(names) != 1 || !bytes.Equal(v.backup(), before) {
		t.Errorf("the directory holds %v, %v, want the one file as it was", names, err)
	}
	if err := errors.Join(os.Chmod(v.dir, 0o700), local.Rotate(t.Context()), os.Remove(v.file())); err != nil {
		t.Fatal(err)
	}
	if _, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: v.dir, Audiences: []string{testAudience}}); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("New() without keyring.json: error = %v, want one that says to restore it", err)
	}
}

// A directory of version 1 that cannot be written to serves as it is. When
// somebody else brings it to this version, the server follows.
func TestNew_FormerVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		former, err := os.ReadFile("../internal/keyring/testdata/version1.json")
		if err != nil {
			t.Fatal(err)
		}
		v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
		if err := os.Mkdir(v.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		v.restore(former)
		lock := filepath.Join(v.dir, "keyring.lock")
		if err := os.Mkdir(lock, 0o700); err != nil {
			t.Fatal(err)
		}
		v.local = newLocal(t, localissuer.Config{Dir: v.dir, Lifetime: time.Hour})
		v.auth = trusting(t, v.local)
		claims := authenticate(t, v.auth, issue(t, v.local, localissuer.Request{}))
		if !bytes.Equal(v.backup(), former) {
			t.Error("the file has changed")
		}
		ticket, err := v.local.Ticket(from(), claims, "chat")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		v.command(func(l *localissuer.Issuer) error {
			return errors.Join(l.Rotate(t.Context()), l.Remove(t.Context(), l.Keys()[0].ID))
		})
		if !strings.Contains(string(v.backup()), `"version": 2`) {
			t.Error("the file is still of version 1")
		}
		if _, err := v.auth.AuthenticateTicket(from(), ticket, "chat"); err != nil {
			t.Errorf("AuthenticateTicket() after that: error = %v", err)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		v.checkAgreement()
		v.restore(former) // and now its removed key stays removed
		time.Sleep(6 * time.Second)
		synctest.Wait()
		v.checkAgreement()
		if slices.Contains(keyIDs(v.local), "OWG8NK7YOXJX5MucIKPTY1ND_Bt3OyBkg0KDv-RjcSk") {
			t.Error("the removed key is back")
		}
	})
}

// A retired key is kept for as long as tokens live. Where it cannot be written that
// they live longer now, none is made that would be refused too early.
func TestNew_LongerTokensUnwritten(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	lock := filepath.Join(v.dir, "keyring.lock")
	if err := errors.Join(v.local.Close(), os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
		t.Fatal(err)
	}
	before := v.backup()
	longer := localissuer.Config{URL: "localhost", Dir: v.dir, Audiences: []string{testAudience}, MaxLifetime: 60 * 24 * time.Hour}
	if _, err := localissuer.New(longer); err == nil || !strings.Contains(err.Error(), "keyring.lock") {
		t.Errorf("New() error = %v, want one that names the file in the way", err)
	}
	if !bytes.Equal(v.backup(), before) {
		t.Error("the file has changed")
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	l, err := localissuer.New(longer)
	if err != nil {
		t.Fatalf("New() error = %v, once it can be written", err)
	}
	l.Close()
	if bytes.Equal(v.backup(), before) {
		t.Error("the file does not say how long tokens live")
	}
}
