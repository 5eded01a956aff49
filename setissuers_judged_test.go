package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/oidctest"
)

// byGroups returns the description with the roles elsewhere.
func byGroups(i oidcauth.Issuer) oidcauth.Issuer {
	i.Roles = []oidcauth.Path{{"groups"}}
	return i
}

// A session that is about to begin under claims of before does not begin under them.
func TestSetIssuers_AsSessionBegins(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name string
		next oidcauth.Issuer
		want bool
	}{{"the same", trusted, true}, {"other roles", byGroups(trusted), false}} {
		c := authenticate(t, a, issuer.Token(nil))
		if got := a.EnterAfter(c, func() { setIssuers(t, a, tt.next) }); got != tt.want {
			t.Errorf("%s: a session begins under claims of before: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// What was found by a former description is not kept, and that one is current is looked
// up once.
func TestSetIssuers_LetsGo(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	other, trustedToo := newIssuer(t, oidctest.Config{URL: "https://other.test"})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, trustedToo}, Client: oidctest.Client(issuer, other)})
	token, otherToken := issuer.Token(nil), other.Token(nil)
	c, otherClaims := authenticate(t, a, token), authenticate(t, a, otherToken)
	setIssuers(t, a, byGroups(trusted), trustedToo)
	if oidcauth.Kept(a, token) || !oidcauth.Kept(a, otherToken) {
		t.Errorf("the cache has the token of a former description: %t, of another: %t", oidcauth.Kept(a, token), oidcauth.Kept(a, otherToken))
	}
	if counts, _ := oidcauth.Counts(a, c); counts {
		t.Error("claims by a former description count")
	}
	for range 2 {
		if counts, known := oidcauth.Counts(a, otherClaims); !counts || !known {
			t.Errorf("claims by another count: %t, without a further look: %t", counts, known)
		}
	}
}

// Keys of a stranger's issuer are not kept beside those of an issuer that is described,
// by the program's list or its table.
func TestSetIssuers_StrangerDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 3)
		var table customers
		cfg := open(client, oidcauth.AnyIssuer{})
		cfg.FindIssuer = table.find
		a := newAuthenticator(t, cfg)
		described := func(i *oidctest.Issuer) oidcauth.Issuer {
			return oidcauth.Issuer{URL: i.URL(), Audiences: []string{testAudience}}
		}
		known := func(when string, want int) {
			t.Helper()
			for _, i := range issuers {
				refuses(t, a, i.Token(nil), nil)
			}
			if got, _, _ := oidcauth.OpenIssuers(a); got != want {
				t.Errorf("%s: keys of %d strangers are kept, want %d", when, got, want)
			}
		}
		known("at first", 3)
		setIssuers(t, a, described(issuers[0]))
		known("one is listed", 2)
		table.set(issuers[1].URL(), described(issuers[1]))
		time.Sleep(2 * time.Minute)
		known("another is in the table", 1)
	})
}

// Hooks are told of the keys that a change lets go of, by the name of their issuer, and
// of no others.
func TestSetIssuers_TracesWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards told
		var told []string
		var all []*oidctest.Issuer
		var list []oidcauth.Issuer
		for _, name := range []string{"kept", "changed", "gone", "never"} {
			i, trusted := newIssuer(t, oidctest.Config{URL: "https://" + name + ".test"})
			all, list = append(all, i), append(list, trusted)
		}
		all[3].Fail(oidctest.JWKS, oidctest.Fault{Delay: time.Hour})
		a := newAuthenticator(t, oidcauth.Config{Issuers: list, Client: oidctest.Client(all...), Trace: &authtrace.Hooks{KeysState: func(s authtrace.KeyState) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(s.Issuer, " ", s.From, " ", s.To))
		}}})
		for _, i := range all[:3] {
			refuses(t, a, i.Token(nil), nil)
		}
		synctest.Wait()
		mu.Lock()
		told = nil
		mu.Unlock()
		setIssuers(t, a, list[0], byGroups(list[1]))
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"https://gone.test fresh none"}; !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
	})
}

// A session from a ticket stays one: it ends when the key that sold the ticket is revoked.
func TestSetIssuers_SessionOfTicket(t *testing.T) {
	t.Parallel()
	for _, opaque := range []bool{false, true} {
		d := newInspector(t, nil)
		page, token, next := from("https://app.example.com"), opaqueToken, byGroups(d.trusted)
		if !opaque {
			plain := d.trusted
			plain.Introspect, plain.OpaquePrefix = nil, ""
			setIssuers(t, d.auth, plain, d.local.Issuer())
			token, next = d.issuer.Token(nil), byGroups(plain)
		}
		ticket, err := d.local.Ticket(page, authenticate(t, d.auth, token), "chat")
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.auth.AuthenticateTicket(page, ticket, "chat")
		if err != nil {
			t.Fatal(err)
		}
		s := d.auth.NewSession(t.Context(), c)
		setIssuers(t, d.auth, next, d.local.Issuer())
		if expectCause(t, s, nil); s.Claims() == c {
			t.Error("the session lives by claims of before")
		}
		if _, err := d.local.Ticket(page, s.Claims(), "chat"); !errors.Is(err, oidcauth.ErrTokenType) {
			t.Errorf("opaque: %t: a ticket for claims from a ticket: error = %v, want %v", opaque, err, oidcauth.ErrTokenType)
		}
		revoke(t, d.auth, oidcauth.Revocation{KeyID: d.local.Keys()[0].ID})
		expectCause(t, s, oidcauth.ErrRevoked)
	}
}

// A ticket is refused whose seller's key is revoked while its token is asked about.
func TestIntrospect_TicketSellerRevokedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, want := range []error{nil, oidcauth.ErrRevoked} {
			d := newInspector(t, nil)
			elsewhere := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client()})
			ticket, err := d.local.Ticket(from(), authenticate(t, d.auth, opaqueToken), "chat")
			if err != nil {
				t.Fatal(err)
			}
			d.takes.Store(int64(time.Second))
			used := make(chan error)
			go func() {
				_, err := elsewhere.AuthenticateTicket(from(), ticket, "chat")
				used <- err
			}()
			time.Sleep(time.Second / 2)
			if want != nil {
				revoke(t, elsewhere, oidcauth.Revocation{KeyID: d.local.Keys()[0].ID})
			}
			if err := <-used; !errors.Is(err, want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, want)
			}
		}
	})
}

// An answer that was given before counts for no longer than it did, nor than one does now.
func TestSetIssuers_AnswerAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			before, now, counts time.Duration
		}{
			{time.Minute, time.Minute, time.Minute},
			{time.Minute, 30 * time.Minute, time.Minute},
			{30 * time.Minute, time.Minute, time.Minute},
		} {
			d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = tt.before })
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			next := byGroups(d.trusted)
			next.AnswerAge = tt.now
			setIssuers(t, d.auth, next, d.local.Issuer())
			time.Sleep(tt.counts) // once for the session, and not twice: each time after half of it
			if err := s.CallContext().Err(); err != nil {
				t.Errorf("from %v to %v: error = %v", tt.before, tt.now, err)
			}
			d.wantAsked(t, fmt.Sprintf("from %v to %v, by a call after %v", tt.before, tt.now, tt.counts), 2)
			d.auth.Close()
		}
	})
}

// What was supplied before is judged as an answer is by the description of now.
func TestSetIssuers_SupplementJudged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*oidcauth.Issuer)
		want   error
	}{
		{"nothing", func(*oidcauth.Issuer) {}, nil},
		{"who is called is a claim that was supplied", func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"team"}} }, oidcauth.ErrAnswerUnavailable},
		{"a demand that it satisfies", func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"team"}, In: []string{"blue"}, Supplement: true}}
		}, nil},
		{"a demand that it does not", func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"team"}, In: []string{"red"}, Supplement: true}}
		}, oidcauth.ErrRule},
		{"a rule that it satisfies", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("supplied")} }, nil},
		{"a rule that it does not", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("x")} }, oidcauth.ErrRule},
	} {
		var trusted oidcauth.Issuer
		d := newDirectory(t, func(cfg *oidcauth.Config) { trusted = cfg.Issuers[0] })
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, d.issuer.Token(map[string]any{"team": "white"})))
		tt.change(&trusted)
		setIssuers(t, d.auth, trusted)
		if cause := context.Cause(s.Context()); !errors.Is(cause, tt.want) {
			t.Errorf("%s: the session ended with %v, want %v", tt.name, cause, tt.want)
		}
		d.wantAsked(t, tt.name, 1)
	}
}

// A session that is used while the issuers change does not wait for its turn: the call
// has the claims, or the refusal, by those of now.
func TestSetIssuers_UsedBeforeItsTurn(t *testing.T) {
	t.Parallel()
	for _, want := range []error{nil, oidcauth.ErrRule} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		sessions := map[string]*oidcauth.Session{}
		for _, name := range []string{"alice", "bob"} {
			sessions[name] = a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"sub": name, "groups": "g"})))
		}
		next, judged, first := byGroups(trusted), 0, ""
		next.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
			switch judged++; {
			case judged > 1000:
				t.Fatal("judged for ever")
			case judged == 1:
				first = c.Subject()
				other := sessions[map[string]string{"alice": "bob", "bob": "alice"}[first]]
				ctx := other.CallContext()
				now, found := oidcauth.FromContext(ctx)
				if !errors.Is(context.Cause(ctx), want) || found != (want == nil) || found && !now.HasRole("g") {
					t.Errorf("a call ended with %v, want %v; it has roles by %v", context.Cause(ctx), want, now)
				}
			case c.Subject() != first && want != nil:
				return errors.New("not now")
			}
			return nil
		}}
		setIssuers(t, a, next)
		for name, s := range sessions {
			if cause := context.Cause(s.Context()); name == first && cause != nil || name != first && !errors.Is(cause, want) || cause == nil && !s.Claims().HasRole("g") {
				t.Errorf("the session of %s, the first judged is %s's: it ended with %v", name, first, cause)
			}
		}
	}
}

// A session whose token is refused as it is about to go on by the description of now ends.
func TestSetIssuers_RefusedAsItGoesOn(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
	judged := 0
	trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
		switch judged++; {
		case judged > 1000:
			t.Fatal("judged for ever")
		case judged > 1:
			return errors.New("not any more")
		}
		return nil
	}}
	setIssuers(t, a, trusted)
	expectCause(t, s, oidcauth.ErrRule)
}

// A session that is to go on by a newer answer goes on, too, if the issuers change at that
// moment.
func TestSetIssuers_AsNewerAnswerCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var change atomic.Pointer[func()]
		d := newInspector(t, func(cfg *oidcauth.Config) {
			cfg.Now = func() time.Time {
				if do := change.Load(); do != nil && isWithin("oidcauth.(*Session).exchange") && isWithin("oidcauth.(*Authenticator).judge") {
					change.Store(nil)
					(*do)()
				}
				return time.Now()
			}
		})
		d.set(opaqueToken, d.answer(map[string]any{"groups": "g"}), nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		next, began, goOn, changed := byGroups(d.trusted), make(chan bool), make(chan bool), make(chan error, 1)
		var judged atomic.Bool
		next.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
			if judged.CompareAndSwap(false, true) {
				close(began)
				<-goOn
			}
			return nil
		}}
		do := func() {
			go func() { changed <- d.auth.SetIssuers(next, d.local.Issuer()) }()
			<-began
		}
		change.Store(&do)
		time.Sleep(time.Minute)
		<-began
		expectEnd(t, s, nil)
		close(goOn)
		if err := <-changed; err != nil {
			t.Fatal(err)
		}
		if expectEnd(t, s, nil); !s.Claims().HasRole("g") {
			t.Error("the session goes on with the roles of before")
		}
	})
}

// A session that is on its way to what the program says of its issuer now is not lost if
// the issuer is configured at that moment.
func TestSetIssuers_AsFoundIssuerChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.Keys.JWKS = issuer.KeySet()
		var c customers
		c.set(described.URL, described)
		var change atomic.Pointer[func()]
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Now: func() time.Time {
			if do := change.Load(); do != nil && isWithin("oidcauth.(*Session).exchange") && isWithin("oidcauth.(*Authenticator).judge") {
				change.Store(nil)
				(*do)()
			}
			return time.Now()
		}})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		said := described
		said.Leeway = time.Minute
		c.set(described.URL, said)
		changed := make(chan error, 1)
		do := func() { changed <- a.SetIssuers(described) }
		change.Store(&do)
		time.Sleep(2 * time.Minute)
		if err := <-changed; err != nil {
			t.Fatal(err)
		}
		expectEnd(t, s, nil)
		revoke(t, a, oidcauth.Revocation{Issuer: described.URL, Subject: s.Claims().Subject()})
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}

// A revocation lasts as long as the tokens of an issuer that was found, by its own leeway.
func TestRevoke_LeewayOfFoundIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.Leeway = 2 * time.Minute
		var table customers
		table.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: table.find, Client: issuer.Client(), MaxTokenLifetime: 2 * time.Hour})
		authenticate(t, a, issuer.Token(nil))
		revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		if until := time.Until(a.RevokedUntil()); until < 2*time.Hour+3*described.Leeway {
			t.Errorf("the revocation holds for %v, want at least the longest lifetime and three times the leeway", until)
		}
	})
}

// SetIssuers promises that each live session under what it changes is judged before it
// returns, also where what is found of the issuer changes, or lapses, meanwhile.
func TestSetIssuers_JudgedBeforeItReturns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		slow  time.Duration // how long the rule takes that the session is judged by first
		other bool          // the program says something else of the issuer meanwhile
	}{
		{"another description is found meanwhile", time.Minute, true},
		{"what was found lapses meanwhile", 4 * time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, listed := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
				var moving atomic.Bool
				found, other := listed, listed
				found.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
					if moving.Load() {
						time.Sleep(tt.slow)
					}
					return nil
				}}
				other.Roles = []oidcauth.Path{{"groups"}}
				other.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
					time.Sleep(time.Minute)
					return errors.New("not any more")
				}}
				var c customers
				c.set(listed.URL, found)
				a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
				token := issuer.Token(nil)
				authenticate(t, a, token) // found
				time.Sleep(time.Second)
				setIssuers(t, a, listed) // and listed
				s := a.NewSession(t.Context(), authenticate(t, a, token))
				before := s.Claims()
				expectCause(t, s, nil)
				if tt.other {
					c.set(listed.URL, other)
				}
				moving.Store(true)
				setIssuers(t, a) // and listed no more
				moving.Store(false)
				if s.Context().Err() == nil && s.Claims() == before {
					t.Error("SetIssuers has returned, and the session lives by the description that is gone")
				}
				time.Sleep(5 * time.Minute)
				if s.Context().Err() == nil && s.Claims() == before {
					t.Error("five minutes later it does still")
				}
			})
		})
	}
}
