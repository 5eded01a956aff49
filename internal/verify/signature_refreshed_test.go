package verify_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// While the issuer of one description's keys is asked, those of another are refreshed. The
// keys that have come so are tried before those that were there, and a signature is not
// bad as long as one of them was not: nobody knows, and the next time it is tried.
func TestAuthenticate_RefreshedBetweenLooks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id         string // of all keys; they are reused then
		old, fresh int
		forged     bool
		want, then error
	}{
		{"", 3, 1, false, nil, nil},
		{"", 4, 1, false, oidcauth.ErrKeysUnavailable, nil},
		{"", 3, 2, true, oidcauth.ErrKeysUnavailable, oidcauth.ErrSignature},
		{"", 2, 2, true, oidcauth.ErrSignature, oidcauth.ErrSignature},
		{"", 4, 0, true, oidcauth.ErrSignature, oidcauth.ErrSignature},
		{"shared", 4, 1, false, nil, nil},
		{"shared", 4, 2, true, oidcauth.ErrKeysUnavailable, oidcauth.ErrSignature},
	} {
		t.Run(fmt.Sprintf("key ID %q, %d old, %d fresh, forged %v", tt.id, tt.old, tt.fresh, tt.forged), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newRefreshed(t, tt.id, tt.old)
				key := w.issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256", ID: tt.id, NoID: tt.id == ""})
				w.refreshSoon(t)
				w.issuer.RemoveKeys()
				w.issuer.Publish(w.keys[1:]...)
				for n := range tt.fresh {
					fresh := w.issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256", ID: tt.id, NoID: tt.id == ""})
					if n == 0 && !tt.forged {
						fresh = key
					}
					w.issuer.Publish(fresh)
				}
				authtest.Wants(t, w.auth, key.Token(nil), tt.want)
				time.Sleep(2 * authtest.CoolDown)
				authtest.Wants(t, w.auth, key.Token(nil), tt.then)
			})
		})
	}
}

// A refreshed is an issuer with two descriptions, whose keys come from two places. One
// of them answers after five seconds.
type refreshed struct {
	issuer *oidctest.Issuer
	slow   *oidctest.Issuer
	keys   []*oidctest.Key // of the issuer, before they are refreshed
	auth   *oidcauth.Authenticator
}

func newRefreshed(t *testing.T, id string, n int) *refreshed {
	t.Helper()
	slow, people := authtest.NewIssuer(t, oidctest.Config{URL: "https://people.test", Algorithm: "ES256"})
	slow.RemoveKeys()
	slow.Publish(slow.NewKey(oidctest.KeyConfig{Algorithm: "ES256", NoID: true}))
	issuer, machines := authtest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test", Algorithm: "ES256"})
	issuer.RemoveKeys()
	keys := make([]*oidctest.Key, n)
	for i := range keys {
		keys[i] = issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256", ID: id, NoID: id == ""})
	}
	issuer.Publish(keys...)
	people.URL, people.Name, people.SubjectPrefix = machines.URL, "people", "people:"
	people.Keys = oidcauth.KeysFrom{JWKSURL: slow.JWKSURL()}
	machines.Name, machines.SubjectPrefix = "machines", "machines:"
	machines.Keys = oidcauth.KeysFrom{JWKSURL: issuer.JWKSURL(), ReusesKeyIDs: id != ""}
	w := &refreshed{issuer: issuer, slow: slow, keys: keys}
	w.auth = authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{people, machines}, Client: oidctest.Client(slow, issuer), CacheBytes: -1,
	})
	if err := w.auth.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.hold(t, keys[0])
	return w
}

// hold opens a session, for which the keys are refreshed.
func (w *refreshed) hold(t *testing.T, by *oidctest.Key) {
	t.Helper()
	s := w.auth.NewSession(t.Context(), authtest.Authenticate(t, w.auth, by.Token(nil)))
	t.Cleanup(s.Close)
}

// refreshSoon has a refresh fail, after which there is another in about a second: while
// the slow issuer is asked.
func (w *refreshed) refreshSoon(t *testing.T) {
	t.Helper()
	w.issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	begun := time.Now()
	for before := w.issuer.Fetches(); w.issuer.Fetches() == before; {
		if time.Since(begun) > 24*time.Hour {
			t.Fatal("nothing is refreshed")
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.issuer.Fail(oidctest.JWKS, oidctest.Fault{})
	w.slow.Fail(oidctest.JWKS, oidctest.Fault{Delay: 5 * time.Second})
}
