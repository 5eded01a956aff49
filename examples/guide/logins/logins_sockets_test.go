package logins_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/identity"
)

// TestLogins_OnEnd: a socket ends with the login that has opened it, whatever ends that, and
// with no other.
func TestLogins_OnEnd(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *world, *http.Client){
		"signed out": func(t *testing.T, w *world, browser *http.Client) {
			status(t, browser, "POST", "/logout", nil, "Sec-Fetch-Site", "same-origin")
		},
		"signed out at the provider": func(t *testing.T, w *world, _ *http.Client) {
			form := url.Values{"logout_token": {w.LogoutToken(map[string]any{"sid": "login-1"})}}
			status(t, w.browser(t), "POST", "/backchannel-logout", form)
		},
		"taken back": func(_ *testing.T, w *world, _ *http.Client) { w.logins.End(identity.New(provider, "alice")) },
		"signed in again": func(t *testing.T, w *world, browser *http.Client) {
			status(t, browser, "GET", "/login", nil)
		},
		"one of too many": func(t *testing.T, w *world, _ *http.Client) {
			for range 20 {
				time.Sleep(time.Second)
				w.signedIn(t)
			}
		},
		"not renewed": func(t *testing.T, w *world, browser *http.Client) {
			time.Sleep(life + time.Second)
			w.status, w.fault = http.StatusBadRequest, "invalid_grant"
			w.want(t, "renewal", browser, http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				browser := w.signedIn(t)
				ended := func(when string, want int32) {
					t.Helper()
					synctest.Wait()
					if got := w.ended.Load(); got != want {
						t.Errorf("%s: %d sockets have ended, want %d", when, got, want)
					}
				}
				w.subject = "bob"
				status(t, w.signedIn(t), "GET", "/socket", nil)
				w.subject = "alice"
				status(t, w.browser(t), "GET", "/socket", nil, "Authorization", "Bearer "+w.Token(nil)) // has no login
				status(t, browser, "GET", "/socket", nil)
				if !w.leave() {
					t.Error("a socket that has left is told of the end")
				}
				status(t, browser, "GET", "/socket", nil)
				ended("before", 0)
				end(t, w, browser)
				ended("after", 1)
			})
		})
	}
}

// TestLogins_OnEndOfAge: a login that nobody ends is over after twelve hours, and so are its
// sockets, whatever their ID token says.
func TestLogins_OnEndOfAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		browser := w.signedIn(t)
		status(t, browser, "GET", "/socket", nil)
		time.Sleep(12*time.Hour - time.Second)
		if got := w.ended.Load(); got != 0 {
			t.Error("the socket ends before its login")
		}
		time.Sleep(2 * time.Second)
		if got := w.ended.Load(); got != 1 {
			t.Error("the socket outlives its login")
		}
	})
}
