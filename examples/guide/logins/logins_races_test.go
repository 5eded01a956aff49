package logins_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLogins_LoggedOutMeanwhile: a logout that comes while the login is renewed counts, for
// the request that asked and for those that wait for it.
func TestLogins_LoggedOutMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		browser := w.signedIn(t)
		time.Sleep(life + time.Second)
		questions := 0
		w.asked = func(*http.Request) {
			questions++
			time.Sleep(time.Second) // others come
			form := url.Values{"logout_token": {w.LogoutToken(map[string]any{"sid": "login-1"})}}
			if got := status(t, w.browser(t), "POST", "/backchannel-logout", form); got != http.StatusOK {
				t.Errorf("logout: got %d, want 200", got)
			}
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { w.want(t, "logged out meanwhile", browser, http.StatusUnauthorized) })
		}
		all.Wait()
		if questions != 1 {
			t.Errorf("the provider was asked %d times, want 1", questions)
		}
	})
}

// TestLogins_ProviderHangs: all who wait for one login are told at once that its provider
// does not answer, and it is asked again later.
func TestLogins_ProviderHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		browser := w.signedIn(t)
		time.Sleep(life + time.Second)
		begun := time.Now()
		w.asked = func(*http.Request) {
			if time.Since(begun) < 10*time.Second {
				time.Sleep(15 * time.Second)
			}
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { w.want(t, "no answer", browser, http.StatusServiceUnavailable) })
		}
		all.Wait()
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("the last had to wait for %v, want 10s at most", took)
		}
		time.Sleep(10 * time.Second)
		w.want(t, "afterwards", browser, http.StatusOK)
	})
}

// TestLogins_ProviderHangsAtSignIn: whoever signs in is told when the provider does not answer.
func TestLogins_ProviderHangsAtSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.asked = func(*http.Request) { time.Sleep(15 * time.Second) }
		begun := time.Now()
		if got := status(t, w.browser(t), "GET", "/login", nil); got != http.StatusServiceUnavailable || time.Since(begun) > 10*time.Second {
			t.Errorf("sign-in: got %d after %v, want 503 after 10s", got, time.Since(begun))
		}
		time.Sleep(10 * time.Second) // the provider is done
	})
}

// TestLogins_NoRefreshToken: where the provider gives none, the login is as long as its ID
// token, and then the person has to sign in again.
func TestLogins_NoRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refresh = ""
		browser := w.signedIn(t)
		w.want(t, "signed in", browser, http.StatusOK)
		time.Sleep(life + time.Second)
		w.want(t, "expired", browser, http.StatusUnauthorized)
	})
}

// TestLogins_Again: who signs in again has one login in that browser, and in all browsers
// together no more than 20.
func TestLogins_Again(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		address := &url.URL{Scheme: "https", Host: "app.test", Path: "/"}
		browser := w.signedIn(t)
		earlier := w.browser(t)
		earlier.Jar.SetCookies(address, secure(browser.Jar.Cookies(address)))
		status(t, browser, "GET", "/login", nil)
		w.want(t, "the earlier login", earlier, http.StatusUnauthorized)
		w.want(t, "the later login", browser, http.StatusOK)
		var last *http.Client
		for range 20 {
			time.Sleep(time.Second)
			last = w.signedIn(t)
		}
		w.want(t, "the oldest of many", browser, http.StatusUnauthorized)
		w.want(t, "the latest of many", last, http.StatusOK)
	})
}
