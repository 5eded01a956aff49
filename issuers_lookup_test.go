package oidcauth_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Who cannot wait for the program's table is told that, and when to come back, and who
// comes when all is over is told so.
func TestFindIssuer_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		c := customers{delay: 3 * time.Second}
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the call's time is up"))
		defer cancel()
		_, err := a.Authenticate(ctx, token)
		checkSole(t, err, oidcauth.ErrKeysUnavailable)
		if r, is := errors.AsType[*oidcauth.Refusal](err); !is || !strings.HasSuffix(r.Error(), "the call's time is up") || strings.Contains(r.Error(), "looked up") || r.RetryAfter() != time.Second {
			t.Errorf("Authenticate() error = %v, want that the call's time is up, and a second", err)
		}
		refuses(t, a, token, nil)
		a.Close()
		_, err = a.Authenticate(t.Context(), token)
		checkSole(t, err, oidcauth.ErrClosed)
	})
}

// An issuer all of whose tokens are in the cache is in use: it is asked for again before
// anybody would wait for that.
func TestFindIssuer_UseThroughTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(nil)
		refuses(t, a, token, nil)
		c.change(func() { c.delay = time.Second })
		for range 60 {
			time.Sleep(20 * time.Second)
			began := time.Now()
			if refuses(t, a, token, nil); time.Since(began) != 0 {
				t.Fatalf("waited %v for an issuer in use", time.Since(began))
			}
		}
	})
}

// Keys that are kept, because a description that was found says where they are as the
// former did, count by the description of now.
func TestFindIssuer_KeptKeys(t *testing.T) {
	for _, reused := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
			var c customers
			c.set(described.URL, described)
			a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
			refuses(t, a, issuer.Token(nil), nil)
			described.Keys.ReusesKeyIDs = reused
			c.set(described.URL, described)
			issuer.ReuseKeyID()
			time.Sleep(2 * time.Minute)
			want := oidcauth.ErrSignature
			if reused {
				want = nil
			}
			refuses(t, a, issuer.Token(nil), want)
		})
	}
}

// The log is told of keys that were kept from before, once their issuer is found.
func TestFindIssuer_KeyCacheDir(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		token := issuer.Token(nil)
		for _, state := range []string{"to=fresh", "to=stale"} {
			var log authtest.Log
			a := newAuthenticator(t, oidcauth.Config{
				FindIssuer: c.find, Client: issuer.Client(), KeyCacheDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			refuses(t, a, token, nil)
			a.Close()
			if !strings.Contains(log.String(), state) {
				t.Errorf("the log has %s, want a line with %s", log.String(), state)
			}
		}
	})
}
