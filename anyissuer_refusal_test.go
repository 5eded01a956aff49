package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A stranger's issuer that has failed is one that is not there, also for a caller who has
// no time left.
func TestAnyIssuer_FailedAndNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		issuers[0].Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		_, first := a.Authenticate(t.Context(), issuers[0].Token(nil))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, second := a.Authenticate(ctx, issuers[0].Token(nil))
		checkSole(t, second, oidcauth.ErrUnknownIssuer)
		if fmt.Sprint(second) != fmt.Sprint(first) {
			t.Errorf("Authenticate() error = %v, want %v as before", second, first)
		}
	})
}

// A stranger's issuer that is known, and whose keys cannot be had: a report says that
// much, and no reason.
func TestAnyIssuer_KeysUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i := issuers[0]
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		lives := map[string]any{"exp": time.Now().Add(72 * time.Hour).Unix()}
		wants(t, a, i.Token(lives), nil)
		if _, err := a.Keys(t.Context(), i.URL()); err != nil {
			t.Errorf("Keys() error = %v", err)
		}
		i.Fail(oidctest.JWKS, oidctest.Fault{Status: 500, Header: http.Header{"X": {"10.0.0.1"}}})
		for range 25 {
			time.Sleep(time.Hour)
			_, _ = a.Authenticate(t.Context(), i.Token(lives))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		report, err := a.Keys(ctx, i.URL())
		checkSole(t, err, oidcauth.ErrKeysUnavailable)
		if strings.Contains(fmt.Sprint(err), "500") || report.Issuer != i.URL() {
			t.Errorf("Keys() = %+v, error %v, want a report, and no reason in the error", report, err)
		}
	})
}

// A token that needs another look at a stranger's keys, and does not get it: because its
// caller has no time, or all is over.
func TestAnyIssuer_NoOtherLook(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		end  func(a *oidcauth.Authenticator, cancel context.CancelCauseFunc)
		want error
		says string
	}{
		"closed":  {func(a *oidcauth.Authenticator, _ context.CancelCauseFunc) { a.Close() }, oidcauth.ErrClosed, ""},
		"no time": {func(_ *oidcauth.Authenticator, cancel context.CancelCauseFunc) { cancel(errors.New("the caller left")) }, oidcauth.ErrKeysUnavailable, "the caller left"},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuers, client := strangers(t, 1)
			i := issuers[0]
			a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
			key := func() *oidctest.Key { return i.NewKey(oidctest.KeyConfig{Algorithm: "ES256", NoID: true}) }
			i.RemoveKeys()
			known := key()
			i.Publish(known)
			wants(t, a, known.Token(nil), nil)
			time.Sleep(time.Minute)
			i.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error)
			go func() {
				_, err := a.Authenticate(ctx, key().Token(nil))
				done <- err
			}()
			synctest.Wait()
			row.end(a, cancel)
			err := <-done
			checkSole(t, err, row.want)
			if !strings.Contains(fmt.Sprint(err), row.says) {
				t.Errorf("%s: Authenticate() error = %v, want one that says %q", name, err, row.says)
			}
			cancel(nil)
		})
	}
}

// Where requests to strangers' issuers are few, who was turned away is told when the next
// may be made.
func TestAnyIssuer_PostponedForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i := issuers[0]
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxFirstContacts: 1, FirstContactsPerSecond: 0.1}))
		wants(t, a, i.Token(nil), nil)
		_, err := a.Authenticate(t.Context(), i.NewKey(oidctest.KeyConfig{ID: "another"}).Token(nil))
		checkSole(t, err, oidcauth.ErrKeysUnavailable)
		if r, is := errors.AsType[*oidcauth.Refusal](err); !is || r.RetryAfter() < 5*time.Second || r.RetryAfter() > 10*time.Second {
			t.Errorf("Authenticate() error = %v, want one that says when the next request may be made", err)
		}
	})
}
