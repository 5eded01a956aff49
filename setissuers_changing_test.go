package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
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
// it was judged: that is no fault of its bearer's, and nothing was closed.
func TestSetIssuers_AllTheTime(t *testing.T) {
	for _, within := range []string{"a rule", "a question"} {
		synctest.Test(t, func(t *testing.T) { testAllTheTime(t, within) })
	}
}

func testAllTheTime(t *testing.T, within string) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	local := newLocal(t, localissuer.Config{})
	var a *oidcauth.Authenticator
	var changes atomic.Int64 // that are to come
	change := func(at string) (changed bool) {
		if at != within || changes.Add(-1) < 0 {
			return false
		}
		done := make(chan error)
		go func() { done <- a.SetIssuers(trusted, local.Issuer()) }()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return true
	}
	trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
		change("a rule")
		return nil
	}}
	trusted.Supplement = func(ctx context.Context, _ *oidcauth.Claims, _ string) (json.RawMessage, error) {
		if change("a question") {
			<-ctx.Done() // as the description that it was put for has gone
		}
		return nil, ctx.Err()
	}
	a = newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client()})
	token, page := issuer.Token(nil), from("https://app.example.com")
	ticket, err := local.Ticket(page, authenticate(t, a, token), "chat")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		use  func() error
	}{ // in this order: at first nothing is asked about the ticket, whose token was judged just now
		{"a token", func() error { _, err := a.Authenticate(t.Context(), issuer.Token(nil)); return err }},
		{"a ticket", func() error { _, err := a.AuthenticateTicket(page, ticket, "chat"); return err }},
		{"a report", func() error { return a.Explain(t.Context(), issuer.Token(nil)).Err }},
	} {
		name, use := row.name, row.use
		changes.Store(1000)
		r, is := errors.AsType[*oidcauth.Refusal](use())
		if name != "a report" && (!is || !errors.Is(r, oidcauth.ErrKeysUnavailable) || r.RetryAfter() <= 0) {
			t.Errorf("%s, within %s: error = %v, want %v and when to come back", name, within, r, oidcauth.ErrKeysUnavailable)
		}
		changes.Store(3)
		if err := use(); err != nil {
			t.Errorf("%s, after three changes within %s: error = %v", name, within, err)
		}
	}
}

// A token that a rule refuses, or whose keys are let go of, while its issuer is described
// otherwise, is judged by what the issuer is now.
func TestSetIssuers_RefusedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		entered, leave := make(chan bool), make(chan bool)
		now := trusted
		trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
			entered <- true
			<-leave
			return errors.New("not yet")
		}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		for _, row := range []struct {
			name string
			then []oidcauth.Issuer
			want error
		}{
			{"nothing changed", nil, oidcauth.ErrRule},
			{"the rule is gone", []oidcauth.Issuer{now}, nil},
		} {
			done := make(chan error)
			go func() {
				_, err := a.Authenticate(t.Context(), issuer.Token(nil))
				done <- err
			}()
			<-entered
			if row.then != nil {
				setIssuers(t, a, row.then...)
			}
			leave <- true
			if err := <-done; !errors.Is(err, row.want) {
				t.Errorf("%s: Authenticate() error = %v, want %v", row.name, err, row.want)
			}
		}
	})
}

// A session that begins with claims of before waits for the keys of its issuer as it is
// described now. If that is taken back meanwhile, it is judged by what counts then.
func TestSetIssuers_WhileSessionBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		for _, tt := range []struct {
			name string
			then func(*oidcauth.Issuer)
			want error
		}{
			{"as before", func(*oidcauth.Issuer) {}, nil},
			{"another audience", func(i *oidcauth.Issuer) { i.Audiences = []string{"other"} }, oidcauth.ErrAudience},
			{"another issuer", func(i *oidcauth.Issuer) { i.URL = "https://other.test" }, oidcauth.ErrUnknownIssuer},
		} {
			set := func(change func(*oidcauth.Issuer)) {
				t.Helper()
				next := trusted
				change(&next)
				if err := a.SetIssuers(next); err != nil {
					t.Fatal(err)
				}
			}
			set(func(*oidcauth.Issuer) {})
			c := authenticate(t, a, issuer.Token(nil))
			set(func(i *oidcauth.Issuer) {
				i.Keys.Client = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})}
			})
			began := make(chan *oidcauth.Session)
			go func() { began <- a.NewSession(t.Context(), c) }()
			synctest.Wait()
			set(tt.then)
			s := <-began
			if cause := context.Cause(s.Context()); !errors.Is(cause, tt.want) {
				t.Errorf("%s: the session ended with %v, want %v", tt.name, cause, tt.want)
			}
			s.Close()
		}
	})
}

// A logThat does something when a thing is used for the first time.
type logThat struct {
	oidcauth.RevocationLog
	does func()
}

func (l *logThat) FirstUse(ctx context.Context, id [32]byte, until time.Time) (bool, error) {
	l.does()
	return l.RevocationLog.FirstUse(ctx, id, until)
}

// A ticket whose token the descriptions of now refuse, which came while it was used up,
// gives nobody's claims.
func TestSetIssuers_TicketRefusedAsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
		local, log := newLocal(t, localissuer.Config{}), &logThat{RevocationLog: newMemoryLog()}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), Revocations: log})
		page := from("https://app.example.com")
		for _, want := range []error{nil, oidcauth.ErrRule} {
			ticket, err := local.Ticket(page, authenticate(t, a, issuer.Token(nil)), "chat")
			if err != nil {
				t.Fatal(err)
			}
			log.does = func() {
				next := trusted
				next.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { return want }}
				if err := a.SetIssuers(next, local.Issuer()); err != nil {
					t.Error(err)
				}
			}
			c, err := a.AuthenticateTicket(page, ticket, "chat")
			if !errors.Is(err, want) || (c == nil) != (want != nil) {
				t.Errorf("AuthenticateTicket() = %v, %v, want error %v", c, err, want)
			}
		}
	})
}

// Nor does one whose seller's key is revoked at that moment, whatever it stands for.
func TestSetIssuers_SellerRevokedAsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"a JWT", "an opaque token"} {
			for _, want := range []error{nil, oidcauth.ErrRevoked} {
				log := &logThat{RevocationLog: newMemoryLog()}
				d := newInspector(t, func(cfg *oidcauth.Config) {
					cfg.Revocations = log
					if name == "a JWT" {
						cfg.Issuers[0].Introspect, cfg.Issuers[0].OpaquePrefix = nil, ""
					}
				})
				page, token := from("https://app.example.com"), opaqueToken
				if name == "a JWT" {
					token = d.issuer.Token(nil)
				}
				ticket, err := d.local.Ticket(page, authenticate(t, d.auth, token), "chat")
				if err != nil {
					t.Fatal(err)
				}
				log.does = func() {
					if want != nil {
						revoke(t, d.auth, oidcauth.Revocation{KeyID: d.local.Keys()[0].ID})
					}
					setIssuers(t, d.auth, byGroups(d.trusted), d.local.Issuer())
				}
				if c, err := d.auth.AuthenticateTicket(page, ticket, "chat"); !errors.Is(err, want) || (c == nil) != (want != nil) {
					t.Errorf("%s: AuthenticateTicket() = %v, %v, want error %v", name, c, err, want)
				}
				d.auth.Close()
			}
		}
	})
}

// Of issuers that were refused nobody hears, neither a hook nor the log, whatever there
// is of their keys in a directory.
func TestSetIssuers_RefusedIsUnseen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		known, refused := oidctest.NewIssuer(t, oidctest.Config{URL: "https://known.test"}), oidctest.NewIssuer(t, oidctest.Config{URL: "https://refused.test"})
		described := func(iss *oidctest.Issuer) oidcauth.Issuer {
			return oidcauth.Issuer{URL: iss.URL(), Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{Client: iss.Client()}}
		}
		before, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{described(refused)}, KeyCacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := before.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		before.Close()

		var mu sync.Mutex
		var told []authtrace.KeyState
		var log authtest.Log
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{described(known)}, KeyCacheDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Trace: &authtrace.Hooks{KeysState: func(s authtrace.KeyState) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, s)
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		impossible := oidcauth.Issuer{URL: "https://bound.test", Audiences: []string{"my-db"}, Bound: "require"}
		for _, tt := range []struct {
			issuers []oidcauth.Issuer
			good    bool
			want    int
		}{
			{[]oidcauth.Issuer{described(known), described(refused), impossible}, false, 0},
			{[]oidcauth.Issuer{described(known), described(refused)}, true, 1},
		} {
			if err := auth.SetIssuers(tt.issuers...); (err == nil) != tt.good {
				t.Fatalf("SetIssuers() = %v, want good %t", err, tt.good)
			}
			synctest.Wait()
			mu.Lock()
			if len(told) != tt.want || strings.Count(log.String(), refused.URL()) != tt.want {
				t.Errorf("good %t: the hook is told %v, the log has\n%swant %d of %s", tt.good, told, log.String(), tt.want, refused.URL())
			}
			mu.Unlock()
		}
	})
}
