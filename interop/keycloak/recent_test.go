package keycloak_test

import (
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
)

// TestRecentSignIn sees when Keycloak says that a person signed in: a new token, and a
// sign-in at which nobody was asked for anything, have the time of the former one.
func TestRecentSignIn(t *testing.T) {
	s := running(t)
	auth, _ := s.authenticator(t)
	app := oauth2.Config{
		ClientID: "app", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: s.endpoint("auth"), TokenURL: s.endpoint("token"), AuthStyle: oauth2.AuthStyleInParams},
	}
	password := func(b *browser.Browser) {
		b.Submit(t, url.Values{"username": {"alice"}, "password": {"alice-password"}})
	}
	nothing := func(b *browser.Browser) { t.Fatalf("Keycloak asks for more at %s", b.At) }
	person := browser.New()
	first := person.SignIn(t, app, password)
	began := signedInAt(t, accepts(t, auth, first.AccessToken))
	if ago := time.Since(began); ago < -2*time.Second || ago > time.Minute {
		t.Errorf("the sign-in was %v ago", ago)
	}

	nextSecond(began)
	refreshed, err := app.TokenSource(t.Context(), &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	for how, token := range map[string]string{
		"a refreshed token":       refreshed.AccessToken,
		"a sign-in without forms": person.SignIn(t, app, nothing).AccessToken,
	} {
		if got := signedInAt(t, accepts(t, auth, token)); !got.Equal(began) {
			t.Errorf("%s: the sign-in was at %v, want %v", how, got, began)
		}
	}
	again := person.SignIn(t, app, password, oauth2.SetAuthURLParam("max_age", "0"))
	if got := signedInAt(t, accepts(t, auth, again.AccessToken)); !got.After(began) {
		t.Errorf("after max_age=0: the sign-in was at %v, want after %v", got, began)
	}
	if at, says := accepts(t, auth, s.alice(t).AccessToken).Lookup("auth_time"); says {
		t.Errorf("the password grant says that there was a sign-in at %s", at)
	}
}

// signedInAt returns the time in auth_time.
func signedInAt(t *testing.T, claims *oidcauth.Claims) time.Time {
	t.Helper()
	var token struct {
		AuthTime int64 `json:"auth_time"`
	}
	if err := claims.Decode(&token); err != nil {
		t.Fatal(err)
	}
	if token.AuthTime == 0 {
		t.Fatal("no auth_time")
	}
	return time.Unix(token.AuthTime, 0)
}

// nextSecond waits for a second that is not that of t, which the times in tokens can
// be told apart by.
func nextSecond(t time.Time) {
	time.Sleep(time.Until(t.Add(1100 * time.Millisecond)))
}
