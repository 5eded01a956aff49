package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/examples/internal/signin"
)

// TestBackChannelLogout: who signs out at the provider is signed out here, in the browsers
// that the provider names and in no other's.
func TestBackChannelLogout(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	if err := signin.NewBrowser("bob", "builder").Open(t.Context(), w.address+"/login"); err != nil {
		t.Fatal(err)
	}
	bobs := w.signIn.logins.only(t)
	alices, _ := w.signedIn(t, "alice")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.provider.SignOutURL(bobs.token, w.address+"/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if w.signIn.logins.find(bobs.id) != nil || !bobs.over.Load() {
		t.Error("bob is signed in as before")
	}
	if w.signIn.logins.find(alices.id) == nil {
		t.Error("alice was signed out, too")
	}
}

// TestReadLogout_Malformed: what is no token names nobody.
func TestReadLogout_Malformed(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "x", "x.y", "x.e30.z", "x.W10.z"} {
		if got := readLogout(token); got != (logout{}) {
			t.Errorf("%q: got %+v, want nobody", token, got)
		}
	}
}

// only returns the one login that there is.
func (l *logins) only(t *testing.T) *login {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) != 1 {
		t.Fatalf("logins: got %d, want 1", len(l.all))
	}
	for _, found := range l.all {
		return found
	}
	return nil
}
