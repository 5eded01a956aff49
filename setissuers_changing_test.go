package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A token whose answer is too old, and is asked about just as the issuers are replaced,
// is judged by those of now: nothing was closed but what nobody trusts any more.
func TestSetIssuers_WhileAskedAgain(t *testing.T) {
	for at := range 6 {
		t.Run(fmt.Sprintf("at rule %d", at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				var rules atomic.Int64
				entered, leave := make(chan bool), make(chan bool)
				trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
					if rules.Add(1) == int64(at) {
						entered <- true
						<-leave
					}
					return nil
				}}
				trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				token := issuer.Token(nil)
				rules.Store(-1000)
				authenticate(t, a, token)
				time.Sleep(2 * time.Minute)
				rules.Store(0)
				done := make(chan error, 1)
				go func() {
					_, err := a.Authenticate(t.Context(), token)
					done <- err
				}()
				synctest.Wait()
				select {
				case <-entered:
					if err := a.SetIssuers(trusted); err != nil {
						t.Fatal(err)
					}
					leave <- true
				default: // there are no more rules
				}
				if err := <-done; err != nil {
					t.Errorf("Authenticate() error = %v", err)
				}
			})
		})
	}
}

// Nobody knows of a token, or a ticket, whose issuer is described otherwise each time that
// it was judged: that is no fault of its bearer's.
func TestSetIssuers_AllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		local := newLocal(t, localissuer.Config{})
		var a *oidcauth.Authenticator
		var changes atomic.Int64 // that are to come
		trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
			if changes.Add(-1) >= 0 {
				done := make(chan error)
				go func() { done <- a.SetIssuers(trusted, local.Issuer()) }()
				return <-done
			}
			return nil
		}}
		trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
		a = newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client()})
		token, page := issuer.Token(nil), from("https://app.example.com")
		ticket, err := local.Ticket(page, authenticate(t, a, token), "chat")
		if err != nil {
			t.Fatal(err)
		}
		for name, use := range map[string]func() error{
			"a token":  func() error { _, err := a.Authenticate(t.Context(), issuer.Token(nil)); return err },
			"a ticket": func() error { _, err := a.AuthenticateTicket(page, ticket, "chat"); return err },
		} {
			changes.Store(1000)
			r, is := errors.AsType[*oidcauth.Refusal](use())
			if !is || !errors.Is(r, oidcauth.ErrKeysUnavailable) || r.RetryAfter() <= 0 {
				t.Errorf("%s: error = %v, want %v and when to come back", name, r, oidcauth.ErrKeysUnavailable)
			}
			changes.Store(2)
			if err := use(); err != nil {
				t.Errorf("%s, after two changes: error = %v", name, err)
			}
		}
	})
}
