package oidcauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A session's calls see the newest answer: nobody is asked while it is young, and
// nothing but a call asks again.
func TestSupplement_Session(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
				if c.HasRole("banned") {
					return errors.New("banned")
				}
				return nil
			}}
		})
		token := d.issuer.Token(nil)
		sessions := make([]*oidcauth.Session, 50)
		for i := range sessions {
			sessions[i] = d.auth.NewSession(t.Context(), authenticate(t, d.auth, token))
		}
		call := func(s *oidcauth.Session) *oidcauth.Claims {
			c, _ := oidcauth.FromContext(s.CallContext())
			return c
		}
		d.set(`{"roles":["second"]}`, nil)
		time.Sleep(59 * time.Second)
		if c := call(sessions[0]); roles(c) != "own+supplied" {
			t.Errorf("roles %q within a minute", roles(c))
		}
		d.wantAsked(t, "within a minute", 1)
		time.Sleep(10 * time.Minute)
		d.wantAsked(t, "while nothing is called", 1)
		for _, s := range sessions {
			if c := call(s); c == nil || roles(c) != "own+second" || s.Claims() != c {
				t.Fatalf("roles %v after a minute", c)
			}
			time.Sleep(time.Second)
		}
		d.wantAsked(t, "by 50 sessions of one token", 2)

		d.set(`{"roles":["banned"]}`, nil)
		time.Sleep(time.Minute)
		ctx := sessions[0].CallContext()
		if !errors.Is(context.Cause(ctx), oidcauth.ErrRule) || !errors.Is(context.Cause(sessions[0].Context()), oidcauth.ErrRule) {
			t.Errorf("a rule that broke: cause %v, of the session %v", context.Cause(ctx), context.Cause(sessions[0].Context()))
		}
		wants(t, d.auth, token, oidcauth.ErrRule)
	})
}

// While nobody answers, a session's calls are refused and the session goes on. One
// whose token is said to be revoked ends.
func TestSupplement_SessionOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, d.issuer.Token(nil)))
		time.Sleep(time.Minute)
		d.set("", errors.New("directory down"))
		ctx := s.CallContext()
		_, found := oidcauth.FromContext(ctx)
		if found || ctx.Err() == nil || !errors.Is(context.Cause(ctx), oidcauth.ErrAnswerUnavailable) || oidcauth.IsInternal(ctx) {
			t.Errorf("a call while nobody answers: caller known %t, cause %v", found, context.Cause(ctx))
		}
		if err := oidcauth.Require(ctx, oidcauth.HasRole("own")); !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
			t.Errorf("Require() error = %v while nobody answers, want %v", err, oidcauth.ErrAnswerUnavailable)
		}
		if code, _ := oidcauth.CloseCode(context.Cause(ctx)); code != 1013 {
			t.Errorf("CloseCode() = %d, want 1013", code)
		}
		expectEnd(t, s, nil)
		d.set(`{"roles":["later"]}`, nil)
		time.Sleep(time.Second + time.Millisecond)
		if c, found := oidcauth.FromContext(s.CallContext()); !found || roles(c) != "own+later" {
			t.Errorf("a call once it went well again: %v", c)
		}
		d.set("", oidcauth.ErrRevoked)
		time.Sleep(time.Minute)
		if cause := context.Cause(s.CallContext()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("a call after it was revoked: cause %v", cause)
		}
		if err := oidcauth.Require(s.CallContext()); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("Require() error = %v after it was revoked, want %v", err, oidcauth.ErrRevoked)
		}
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}

// A claim rule about what is supplied is asked of each answer, not of the first alone.
func TestSupplement_RuleOfALaterAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"team"}, In: []string{"blue"}, Supplement: true}}
		})
		token := d.issuer.Token(nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, token))
		d.set(`{"team":"red"}`, nil)
		wants(t, d.auth, token, nil)
		time.Sleep(time.Minute)
		wants(t, d.auth, token, oidcauth.ErrRule)
		if cause := context.Cause(s.CallContext()); !errors.Is(cause, oidcauth.ErrRule) {
			t.Errorf("a call: cause %v, want %v", cause, oidcauth.ErrRule)
		}
		expectEnd(t, s, oidcauth.ErrRule)
	})
}

// An answer that takes longer than it counts is good for what asked for it, and no
// reason to ask for ever.
func TestSupplement_SlowerThanItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = time.Second })
		d.takes = 2 * time.Second
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, d.issuer.Token(nil)))
		for n := range int32(3) {
			start := time.Now()
			c, _ := oidcauth.FromContext(s.CallContext())
			if c == nil || roles(c) != "own+supplied" || time.Since(start) != 2*time.Second {
				t.Errorf("call %d as %v after %v", n, c, time.Since(start))
			}
			d.wantAsked(t, "by a call", n+2)
		}
	})
}

// A session that is renewed, closed or revoked while somebody is asked has what
// came of that, and not what the question brought.
func TestSupplement_SessionMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		begin := func() *oidcauth.Session {
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, d.issuer.Token(map[string]any{"jti": "old"})))
			time.Sleep(time.Minute)
			return s
		}
		d.takes = time.Second

		s := begin()
		newer := d.issuer.Token(map[string]any{"jti": "new"})
		wants(t, d.auth, newer, nil)
		go func() { time.Sleep(time.Second / 2); s.Renew(context.Background(), newer) }()
		if c, _ := oidcauth.FromContext(s.CallContext()); c == nil || s.Claims().TokenID() != "new" {
			t.Errorf("renewed meanwhile: a call as %v, the session of %q", c, s.Claims().TokenID())
		}
		s = begin()
		go func() { time.Sleep(time.Second / 2); s.Close() }()
		start := time.Now()
		if ctx := s.CallContext(); !errors.Is(context.Cause(ctx), oidcauth.ErrClosed) || time.Since(start) != time.Second/2 {
			t.Errorf("closed meanwhile: cause %v after %v", context.Cause(ctx), time.Since(start))
		}
		s = begin()
		d.unwell = func() {
			d.auth.Revoke(context.Background(), oidcauth.Revocation{TokenID: "old"})
		}
		if ctx := s.CallContext(); !errors.Is(context.Cause(ctx), oidcauth.ErrRevoked) {
			t.Errorf("revoked meanwhile: cause %v", context.Cause(ctx))
		}
	})
}

// A ticket brings what is needed to ask about the token that it stands for, and its
// session asks again. What it gives buys no other ticket, whatever was answered.
func TestSupplement_Ticket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		token := d.issuer.Token(nil)
		claims := authenticate(t, d.auth, token)
		ticket, err := d.local.Ticket(from(), claims, "db")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		c, err := d.auth.AuthenticateTicket(from(), ticket, "db")
		if err != nil || roles(c) != "own+supplied" {
			t.Fatalf("AuthenticateTicket() error = %v, claims %v", err, c)
		}
		if last := d.askedBy[len(d.askedBy)-1]; last != token {
			t.Error("asked about another token than the one that the ticket stands for")
		}
		s := d.auth.NewSession(t.Context(), c)
		d.set(`{"roles":["second"]}`, nil)
		for range 2 {
			time.Sleep(time.Minute)
			wants(t, d.auth, token, nil) // the token's own claims are in the cache
			c, _ := oidcauth.FromContext(s.CallContext())
			if c == nil || roles(c) != "own+second" {
				t.Fatalf("roles %v, want the newest", c)
			}
			if _, err := d.local.Ticket(from(), c, "db"); !errors.Is(err, oidcauth.ErrTokenType) {
				t.Errorf("Ticket() error = %v for claims from a ticket, want %v", err, oidcauth.ErrTokenType)
			}
		}
		if kept := authenticate(t, d.auth, token); kept == s.Claims() {
			t.Error("claims from a ticket are in the cache as those of the token")
		}
	})
}

// Who is asked about a ticket's token is given that token, to the byte, although white
// space stands around what it says, as some who write JSON leave it there.
func TestSupplement_TicketToTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		for _, around := range [][2]string{{"", ""}, {"", "\n"}, {" \t", "\r\n "}} {
			_, payload, _ := strings.Cut(d.issuer.Token(nil), ".")
			payload, _, _ = strings.Cut(payload, ".")
			text, err := base64.RawURLEncoding.DecodeString(payload)
			if err != nil {
				t.Fatal(err)
			}
			token := d.issuer.Sign(nil, around[0]+string(text)+around[1])
			claims := authenticate(t, d.auth, token)
			time.Sleep(30 * time.Second)
			ticket, err := d.local.Ticket(from(), claims, "db")
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(31 * time.Second) // the answer is over
			before := len(d.askedBy)
			c, err := d.auth.AuthenticateTicket(from(), ticket, "db")
			if err != nil {
				t.Fatal(err)
			}
			if last := d.askedBy[len(d.askedBy)-1]; last != token || len(d.askedBy) == before {
				t.Errorf("%q: asked about another token than the one that the ticket stands for", around)
			}
			if got, want := string(c.Payload()), around[0]+string(text)+around[1]; got != want {
				t.Errorf("payload %q, want %q", got, want)
			}
		}
	})
}

// A ticket is not used up by a question that nobody answers.
func TestSupplement_TicketOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		claims := authenticate(t, d.auth, d.issuer.Token(nil))
		time.Sleep(30 * time.Second)
		ticket, err := d.local.Ticket(from(), claims, "db")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second) // the answer is over
		d.set("", errors.New("directory down"))
		if _, err := d.auth.AuthenticateTicket(from(), ticket, "db"); !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrAnswerUnavailable)
		}
		d.set(`{}`, nil)
		time.Sleep(2 * time.Second)
		if _, err := d.auth.AuthenticateTicket(from(), ticket, "db"); err != nil {
			t.Errorf("AuthenticateTicket() error = %v once it went well again", err)
		}
	})
}

// A token about which somebody is asked while the issuers change is judged by those
// of now: neither the question's end nor the former description refuses it.
func TestSupplement_ChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, nil)
		d.takes = time.Second
		change := func() {
			time.Sleep(500 * time.Millisecond)
			setIssuers(t, d.auth, oidcauth.Issuer{URL: d.issuer.URL(), Audiences: []string{testAudience}, Supplement: d.supplement}, d.local.Issuer())
		}
		token := d.issuer.Token(nil)
		go change()
		wants(t, d.auth, token, nil) // for the first time
		time.Sleep(time.Minute)
		go change()
		wants(t, d.auth, token, nil) // once the answer is too old
		ticket, err := d.local.Ticket(from(), authenticate(t, d.auth, token), "db")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		go change()
		if _, err := d.auth.AuthenticateTicket(from(), ticket, "db"); err != nil {
			t.Errorf("AuthenticateTicket() error = %v", err)
		}
		time.Sleep(time.Minute)
	})
}

// Where answers are to count for a shorter time, those of before do, too.
func TestSupplement_ShorterAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = 24 * time.Hour })
		now := oidcauth.Issuer{URL: d.issuer.URL(), Audiences: []string{testAudience}, Supplement: d.supplement}
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, d.issuer.Token(nil)))
		d.set(`{"roles":["second"]}`, nil)
		for _, tt := range []struct {
			age   time.Duration
			roles string
		}{{20 * time.Minute, "own+supplied"}, {2 * time.Minute, "own+second"}} {
			time.Sleep(5 * time.Minute)
			now.AnswerAge = tt.age
			setIssuers(t, d.auth, now, d.local.Issuer())
			if c, _ := oidcauth.FromContext(s.CallContext()); c == nil || roles(c) != tt.roles {
				t.Errorf("a call where answers count for %v: %v, want the roles %s", tt.age, c, tt.roles)
			}
		}
	})
}

// A ticket for a token whose header and signature are long, and are kept because
// somebody has to be asked about it, is not too long to be used.
func TestSupplement_LongTicket(t *testing.T) {
	d := newDirectory(t, nil)
	token := d.issuer.Sign(map[string]any{"x5c": []string{strings.Repeat("A", 11500)}}, map[string]any{
		"iss": d.issuer.URL(), "sub": "alice", "aud": testAudience, "roles": "own", "exp": time.Now().Add(time.Hour).Unix(),
	})
	ticket, err := d.local.Ticket(from(), authenticate(t, d.auth, token), "db")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.auth.AuthenticateTicket(from(), ticket, "db"); err != nil {
		t.Errorf("AuthenticateTicket() error = %v for a token of %d bytes", err, len(token))
	}
}

// A ticket that was sold where nobody is asked about tokens does not have the one to ask
// about.
func TestSupplement_TicketWithoutToken(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, nil)
	plain := oidcauth.Issuer{URL: d.issuer.URL(), Audiences: []string{testAudience}}
	seller := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{plain, d.local.Issuer()}, Client: d.issuer.Client()})
	for _, sells := range []*oidcauth.Authenticator{seller, d.auth} {
		ticket, err := d.local.Ticket(from(), authenticate(t, sells, d.issuer.Token(nil)), "db")
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.auth.AuthenticateTicket(from(), ticket, "db")
		if sells == d.auth && err != nil || sells == seller && (!errors.Is(err, oidcauth.ErrAnswerUnavailable) || !strings.Contains(err.Error(), "sold by a server without Issuer.Supplement")) {
			t.Errorf("sold by the other server: %t: AuthenticateTicket() error = %v", sells == seller, err)
		}
	}
}

// Close waits for a function that is asked about a token, also of an issuer that was
// found.
func TestSupplement_CloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		var running atomic.Bool
		trusted.Supplement = func(ctx context.Context, _ *oidcauth.Claims, _ string) (json.RawMessage, error) {
			running.Store(true)
			defer running.Store(false)
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil, ctx.Err()
		}
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: func(context.Context, string) ([]oidcauth.Issuer, error) { return []oidcauth.Issuer{trusted}, nil },
			Client:     issuer.Client(),
		})
		token := issuer.Token(nil)
		go func() { _, _ = a.Authenticate(context.Background(), token) }()
		synctest.Wait()
		if !running.Load() {
			t.Fatal("nobody is asked")
		}
		if a.Close(); running.Load() {
			t.Error("the function runs after Close")
		}
	})
}

// The key that signed a token may be published with another member in the moment between
// an answer about the token and the last look at it: neither the token nor its session
// suffers.
func TestSupplement_KeyPublishedMeanwhile(t *testing.T) {
	synctest.Test(t, testKeyPublishedMeanwhile)
}

func testKeyPublishedMeanwhile(t *testing.T) {
	issuer, trusted, source := newHandSource(t)
	var answers, published int
	trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
		answers++
		return nil, nil
	}
	trusted.AnswerAge = time.Millisecond
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Now: func() time.Time {
		if published < answers {
			published = answers
			next := source.keys
			next.JWKS = bytes.Replace(next.JWKS, []byte(`"kty"`), fmt.Appendf(nil, `"key_ops":["verify",%q],"kty"`, fmt.Sprint(published)), 1)
			if err := source.adopt(next); err != nil {
				t.Error(err)
			}
		}
		return time.Now()
	}})
	s := a.NewSession(t.Context(), wants(t, a, issuer.Token(nil), nil))
	defer s.Close()
	time.Sleep(time.Second) // for which an answer stands, whatever its age
	if ctx := s.CallContext(); ctx.Err() != nil {
		t.Errorf("a call's context has ended: %v", context.Cause(ctx))
	}
	if published != 2 {
		t.Errorf("published anew %d times, want twice", published)
	}
}
