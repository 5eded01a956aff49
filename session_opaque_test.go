package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// What is live ends when the answer turns, although nobody calls, and goes on under
// the newest answer.
func TestIntrospect_Session(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		sessions := make([]*oidcauth.Session, 50)
		for i := range sessions {
			sessions[i] = d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		}
		d.set(opaqueToken, d.answer(map[string]any{"roles": "second"}), nil)
		time.Sleep(29 * time.Second)
		d.wantAsked(t, "within half a minute", 1)
		time.Sleep(32 * time.Second)
		if asked := d.asked.Load(); asked < 2 || asked > 3 {
			t.Errorf("asked %d times within a minute for 50 idle sessions, want 2 or 3", asked)
		}
		for _, s := range sessions {
			if roles(s.Claims()) != "second" {
				t.Fatalf("roles %q of an idle session after a minute", roles(s.Claims()))
			}
		}
		d.set(opaqueToken, `{"active":false}`, nil)
		time.Sleep(time.Minute + time.Second)
		for _, s := range sessions {
			expectEnd(t, s, oidcauth.ErrRevoked)
		}
		wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
		asked := d.asked.Load()
		time.Sleep(time.Hour)
		d.wantAsked(t, "for sessions that have ended", asked)
	})
}

// However many tokens are asked about again, so many questions are put at once, and none
// of the sessions ends for want of an answer.
func TestIntrospect_ManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const age = 20 * time.Second
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = age })
		sessions := make([]*oidcauth.Session, 200)
		for i := range sessions {
			token := fmt.Sprintf("op_session%d", i)
			d.set(token, d.answer(map[string]any{"jti": token, "sub": token}), nil)
			sessions[i] = d.auth.NewSession(t.Context(), authenticate(t, d.auth, token))
		}
		before := d.asked.Load()
		d.takes.Store(int64(time.Second))
		d.most.Store(0)
		time.Sleep(age + 2*time.Second)
		if asked := d.asked.Load() - before; asked < 190 || asked > 400 {
			t.Errorf("asked %d times within %v for 200 sessions", asked, age)
		}
		if most := d.most.Load(); most > 16 {
			t.Errorf("%d questions at once, want 16 at most", most)
		}
		time.Sleep(10 * time.Minute)
		for _, s := range sessions {
			expectEnd(t, s, nil)
			s.Close()
		}
	})
}

// What was learned for the sake of a session counts for requests at once, although the
// answer before it would serve for a while yet.
func TestIntrospect_SessionLearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		time.Sleep(29 * time.Second)
		d.set(opaqueToken, `{"active":false}`, nil)
		<-s.Context().Done()
		wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
	})
}

// A session that has ended is asked about no more, and nothing is kept for it.
func TestIntrospect_SessionLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		c := authenticate(t, d.auth, opaqueToken)
		first, second := d.auth.NewSession(t.Context(), c), d.auth.NewSession(t.Context(), c)
		first.Close()
		if live, lists, instants := d.auth.SessionCounts(); live != 1 || lists == 0 || instants == 0 {
			t.Errorf("%d sessions, %d lists, %d instants, want those of one session", live, lists, instants)
		}
		second.Close()
		if live, lists, instants := d.auth.SessionCounts(); live+lists+instants != 0 {
			t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
		}
	})
}

// An opaque token may be bound to a key, which is proved at each use as a JWT's is. What
// is live ends when the answer binds it to another key, or to none.
func TestIntrospect_Bound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier, err := dpop.New(dpop.Config{PublicURL: publicURL})
		if err != nil {
			t.Fatal(err)
		}
		client, stranger := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.DPoP = verifier })
		boundTo := func(p *oidctest.Prover) string {
			return d.answer(map[string]any{"token_type": "DPoP", "cnf": map[string]any{"jkt": p.Thumbprint()}})
		}
		use := func(p *oidctest.Prover) (*oidcauth.Claims, error) {
			proof := possession.Proof{DPoP: p.Proof("POST", callURL, opaqueToken, nil), Method: "POST", URL: callURL}
			return d.auth.Authenticate(possession.NewContext(t.Context(), proof), opaqueToken)
		}
		d.set(opaqueToken, boundTo(client), nil)
		wants(t, d.auth, opaqueToken, oidcauth.ErrProof)
		if _, err := use(stranger); !errors.Is(err, oidcauth.ErrProof) {
			t.Errorf("by another key: error = %v", err)
		}
		for _, tt := range []struct {
			name, next string
			want       error
		}{
			{"as before", boundTo(client), nil},
			{"another key", boundTo(stranger), oidcauth.ErrProof},
			{"no key", d.answer(nil), oidcauth.ErrProof},
		} {
			d.set(opaqueToken, boundTo(client), nil)
			time.Sleep(2 * time.Minute)
			c, err := use(client)
			if err != nil {
				t.Fatal(err)
			}
			s := d.auth.NewSession(t.Context(), c)
			d.set(opaqueToken, tt.next, nil)
			time.Sleep(time.Minute + time.Second)
			expectEnd(t, s, tt.want)
			if tt.want == nil {
				page := from("https://app.example.com")
				ticket, err := d.local.Ticket(page, s.Claims(), "chat")
				if err != nil {
					t.Fatal(err)
				}
				c, err := d.auth.AuthenticateTicket(page, ticket, "chat")
				if err != nil {
					t.Fatal(err)
				}
				expectEnd(t, d.auth.NewSession(t.Context(), c), nil)
				if err := d.auth.SetIssuers(d.trusted, d.local.Issuer()); err != nil {
					t.Fatal(err)
				}
				expectEnd(t, s, nil)
			}
			s.Close()
		}
		d.set(opaqueToken, d.answer(nil), nil)
		time.Sleep(2 * time.Minute)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, boundTo(client), nil)
		time.Sleep(time.Minute + time.Second)
		expectEnd(t, s, oidcauth.ErrProof)
	})
}

// A token that becomes another caller's ends what is live.
func TestIntrospect_AnotherCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, d.answer(map[string]any{"sub": "mallory"}), nil)
		time.Sleep(61 * time.Second)
		expectEnd(t, s, oidcauth.ErrIdentityMismatch)
		if c := authenticate(t, d.auth, opaqueToken); c.Subject() != "mallory" {
			t.Errorf("subject %q, want what the issuer says now", c.Subject())
		}
	})
}

// Once the issuer has said that a token is another caller's, nobody acts for the former
// by it: neither a session, nor whoever presents it, though the answer of before is young.
func TestIntrospect_AnotherCallerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, d.answer(map[string]any{"sub": "mallory"}), nil)
		began := time.Now()
		for s.Context().Err() == nil && time.Since(began) < time.Minute {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		expectEnd(t, s, oidcauth.ErrIdentityMismatch)
		if c := authenticate(t, d.auth, opaqueToken); c.Subject() != "mallory" {
			t.Errorf("subject %q %v after the answer of before, want what the issuer says now", c.Subject(), time.Since(began))
		}
		if asked := d.asked.Load(); asked != 2 {
			t.Errorf("asked %d times, want 2", asked)
		}
	})
}

// In an outage tokens are refused once their answers are too old, and calls of
// sessions; sessions end when theirs is five times as old, and not before.
func TestIntrospect_Outage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, d.answer(nil), errors.New("down: op_good"))
		time.Sleep(59 * time.Second)
		wants(t, d.auth, opaqueToken, nil)
		time.Sleep(2 * time.Second)
		err := errors.Unwrap(wantsRetry(t, d.auth, opaqueToken))
		if strings.Contains(err.Error(), opaqueToken) {
			t.Errorf("the token in %v", err)
		}
		if cause := context.Cause(s.CallContext()); !errors.Is(cause, oidcauth.ErrAnswerUnavailable) {
			t.Errorf("a call in an outage: %v", cause)
		}
		expectEnd(t, s, nil)
		time.Sleep(3 * time.Minute)
		if asked := d.asked.Load(); asked < 20 || asked > 80 {
			t.Errorf("asked %d times in four minutes of outage", asked)
		}
		expectEnd(t, s, nil)
		time.Sleep(time.Minute)
		expectEnd(t, s, oidcauth.ErrAnswerUnavailable)
		d.set(opaqueToken, d.answer(nil), nil)
		time.Sleep(time.Second)
		other := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, d.answer(nil), errors.New("down"))
		time.Sleep(4 * time.Minute)
		d.set(opaqueToken, d.answer(nil), nil)
		time.Sleep(11 * time.Second)
		if other.CallContext().Err() != nil {
			t.Errorf("a session after an outage: %v", context.Cause(other.CallContext()))
		}
		time.Sleep(time.Hour - time.Minute*20)
		expectEnd(t, other, nil)
	})
}

// wantsRetry wants a refusal that says when to come back.
func wantsRetry(t *testing.T, a *oidcauth.Authenticator, token string) error {
	t.Helper()
	_, err := a.Authenticate(t.Context(), token)
	r, ok := errors.AsType[*oidcauth.Refusal](err)
	if !ok || !errors.Is(err, oidcauth.ErrAnswerUnavailable) || r.RetryAfter() <= 0 {
		t.Fatalf("Authenticate() error = %v, want %v with a time to retry after", err, oidcauth.ErrAnswerUnavailable)
	}
	return err
}

// What is revoked here, or logged out, is refused whatever its issuer says.
func TestIntrospect_Revoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, r := range []oidcauth.Revocation{{TokenID: "of " + opaqueToken}, {Subject: "alice"}, {Issuer: "the issuer"}} {
			d := newInspector(t, nil)
			if r.Issuer != "" {
				r.Issuer, r.IssuedBefore = d.issuer.URL(), time.Now().Add(time.Second)
			}
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			revoke(t, d.auth, r)
			expectEnd(t, s, oidcauth.ErrRevoked)
			wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
		}
		d := newInspector(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		revoke(t, d.auth, oidcauth.Revocation{KeyID: "k"})
		revoke(t, d.auth, oidcauth.Revocation{Subject: "bob"})
		expectEnd(t, s, nil)
	})
}

// Descriptions that change have sessions judged by the answer that is known.
func TestIntrospect_SetIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			change func(*oidcauth.Issuer)
			want   error
		}{
			{"nothing", func(*oidcauth.Issuer) {}, nil},
			{"roles elsewhere", func(i *oidcauth.Issuer) { i.Roles = []oidcauth.Path{{"groups"}} }, nil},
			{"another audience", func(i *oidcauth.Issuer) { i.Audiences = []string{"other"} }, oidcauth.ErrAudience},
			{"another prefix", func(i *oidcauth.Issuer) { i.OpaquePrefix = "other_" }, oidcauth.ErrUnknownIssuer},
			{"another subject", func(i *oidcauth.Issuer) { i.SubjectPrefix = "x:" }, oidcauth.ErrIdentityMismatch},
			{"a supplement that nobody was asked for", func(i *oidcauth.Issuer) {
				i.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
			}, oidcauth.ErrAnswerUnavailable},
			{"no introspection", func(i *oidcauth.Issuer) { i.Introspect, i.OpaquePrefix = nil, "" }, oidcauth.ErrUnknownIssuer},
			{"another issuer", func(i *oidcauth.Issuer) { i.URL = "https://other.test" }, oidcauth.ErrUnknownIssuer},
		} {
			d := newInspector(t, nil)
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			next := d.trusted
			tt.change(&next)
			if err := d.auth.SetIssuers(next); err != nil {
				t.Fatal(err)
			}
			if cause := context.Cause(s.Context()); !errors.Is(cause, tt.want) {
				t.Errorf("%s: session ended with %v, want %v", tt.name, cause, tt.want)
			}
			d.wantAsked(t, tt.name, 1)
			d.set(opaqueToken, `{"active":false}`, nil)
			time.Sleep(61 * time.Second)
			if tt.want == nil {
				expectEnd(t, s, oidcauth.ErrRevoked)
			}
			d.auth.Close()
		}
	})
}

// Descriptions that say the same keep what was answered, if it is the same function that
// is asked; any other counts as another.
func TestIntrospect_SetIssuersKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			change func(*inspector, *oidcauth.Issuer)
			asked  int32
		}{
			{"nothing", func(*inspector, *oidcauth.Issuer) {}, 1},
			{"another function of the same", func(d *inspector, i *oidcauth.Issuer) { i.Introspect = d.introspect }, 2},
			{"another age", func(_ *inspector, i *oidcauth.Issuer) { i.AnswerAge = 2 * time.Minute }, 2},
			{"a rule", func(_ *inspector, i *oidcauth.Issuer) {
				i.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { return nil }}
			}, 2},
		} {
			d := newInspector(t, nil)
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			next := d.trusted
			tt.change(d, &next)
			for range 2 {
				if err := d.auth.SetIssuers(next); err != nil {
					t.Fatal(err)
				}
				if len(next.Rules) > 0 {
					break // which count as changed each time
				}
			}
			authenticate(t, d.auth, opaqueToken)
			d.wantAsked(t, tt.name, tt.asked)
			expectEnd(t, s, nil)
			d.set(opaqueToken, `{"active":false}`, nil)
			time.Sleep(121 * time.Second)
			expectEnd(t, s, oidcauth.ErrRevoked)
			d.auth.Close()
		}
	})
}

// Without a cache an answer serves for a second, nobody is known, and all questions wait
// in one line.
func TestIntrospect_NoCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name  string
			bytes int64
			again bool // whether ten seconds of use ask more than once
			good  bool // whether 300 tokens that were good before are so at once
		}{
			{"with a cache", 0, false, true},
			{"without", -1, true, false},
		} {
			d := newInspector(t, func(cfg *oidcauth.Config) { cfg.CacheBytes = tt.bytes; cfg.Issuers[0].AnswerAge = 10 * time.Second })
			for range 20 {
				authenticate(t, d.auth, opaqueToken)
				time.Sleep(500 * time.Millisecond)
			}
			if asked := d.asked.Load(); asked > 1 != tt.again || asked > 10 {
				t.Errorf("%s: asked %d times in ten seconds, want more than once: %t, and ten times at most", tt.name, asked, tt.again)
			}
			use := func(pause time.Duration) (refused int64) {
				var n atomic.Int64
				var users sync.WaitGroup
				for i := range 300 {
					token := fmt.Sprintf("op_user%d", i)
					d.set(token, d.answer(nil), nil)
					users.Go(func() {
						if _, err := d.auth.Authenticate(t.Context(), token); err != nil {
							n.Add(1)
						}
					})
					time.Sleep(pause)
				}
				users.Wait()
				return n.Load()
			}
			if refused := use(20 * time.Millisecond); refused > 0 {
				t.Errorf("%s: %d of 300 tokens one after the other were refused", tt.name, refused)
			}
			time.Sleep(10 * time.Second) // their answers are too old
			if refused := use(0); (refused == 0) != tt.good {
				t.Errorf("%s: %d of 300 tokens at once were refused, want none: %t", tt.name, refused, tt.good)
			}
			d.auth.Close()
		}
	})
}

// A ticket bought with an opaque token stands for it: its issuer is asked where the
// ticket is used, if nobody knows the answer there.
func TestIntrospect_Ticket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		elsewhere := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client()})
		buy := func() string {
			t.Helper()
			text, err := d.local.Ticket(from(), authenticate(t, d.auth, opaqueToken), "chat")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, opaqueToken) {
				t.Fatal("the ticket shows the token")
			}
			return text
		}
		for n, a := range []*oidcauth.Authenticator{d.auth, elsewhere} {
			c, err := a.AuthenticateTicket(from(), buy(), "chat")
			if err != nil || c.Subject() != "alice" || roles(c) != "own" {
				t.Fatalf("AuthenticateTicket() = %v, %v", c, err)
			}
			d.wantAsked(t, "by tickets", int32(n+1))
			if _, err := d.local.Ticket(from(), c, "chat"); !errors.Is(err, oidcauth.ErrTokenType) {
				t.Errorf("a ticket for a ticket: %v", err)
			}
			s := a.NewSession(t.Context(), c)
			if err := a.Revoke(t.Context(), oidcauth.Revocation{Issuer: d.local.Issuer().URL, IssuedBefore: time.Now().Add(time.Second)}); err != nil {
				t.Fatal(err)
			}
			expectEnd(t, s, nil)    // nothing but a revocation of the key says that the ticket was forged
			time.Sleep(time.Second) // until then none is sold
		}
		again := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client()})
		text := buy()
		c, err := again.AuthenticateTicket(from(), text, "chat")
		if err != nil {
			t.Fatal(err)
		}
		s := again.NewSession(t.Context(), c)
		time.Sleep(61 * time.Second)
		expectEnd(t, s, nil)
		d.set(opaqueToken, `{"active":false}`, nil)
		time.Sleep(61 * time.Second)
		expectEnd(t, s, oidcauth.ErrRevoked)
		d.set(opaqueToken, d.answer(nil), nil)
		time.Sleep(2 * time.Second)
		text = buy()
		d.set(opaqueToken, `{"active":false}`, nil)
		time.Sleep(2 * time.Second)
		fresh := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client()})
		if _, err := fresh.AuthenticateTicket(from(), text, "chat"); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("a ticket for a token that is not active any more: %v", err)
		}
		lacking := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.local.Issuer()}})
		d.set(opaqueToken, d.answer(nil), nil)
		time.Sleep(2 * time.Second)
		if _, err := lacking.AuthenticateTicket(from(), buy(), "chat"); err == nil {
			t.Error("a ticket for a token of an issuer that is not configured was accepted")
		}
	})
}

// A ticket is good for the caller that bought it, with what their token was bound to
// then: a later answer makes it nobody else's.
func TestIntrospect_TicketOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier, err := dpop.New(dpop.Config{PublicURL: publicURL})
		if err != nil {
			t.Fatal(err)
		}
		client, stranger := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.DPoP = verifier })
		says := func(subject string, p *oidctest.Prover) string {
			if p == nil {
				return d.answer(map[string]any{"sub": subject})
			}
			return d.answer(map[string]any{"sub": subject, "token_type": "DPoP", "cnf": map[string]any{"jkt": p.Thumbprint()}})
		}
		for _, tt := range []struct {
			name         string
			bought, used string
			want         error
		}{
			{"as before", says("alice", client), says("alice", client), nil},
			{"as before, to none", says("alice", nil), says("alice", nil), nil},
			{"another key", says("alice", client), says("alice", stranger), oidcauth.ErrProof},
			{"no key", says("alice", client), says("alice", nil), oidcauth.ErrProof},
			{"a key after none", says("alice", nil), says("alice", client), oidcauth.ErrProof},
			{"another caller", says("alice", nil), says("mallory", nil), oidcauth.ErrIdentityMismatch},
		} {
			d.set(opaqueToken, tt.bought, nil)
			time.Sleep(2 * time.Minute)
			ctx := t.Context()
			if strings.Contains(tt.bought, "cnf") {
				proof := possession.Proof{DPoP: client.Proof("POST", callURL, opaqueToken, nil), Method: "POST", URL: callURL}
				ctx = possession.NewContext(ctx, proof)
			}
			c, err := d.auth.Authenticate(ctx, opaqueToken)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			text, err := d.local.Ticket(from("https://app.example.com"), c, "chat")
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			d.set(opaqueToken, tt.used, nil)
			elsewhere := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client(), DPoP: verifier})
			if got, err := elsewhere.AuthenticateTicket(from("https://app.example.com"), text, "chat"); !errors.Is(err, tt.want) {
				t.Errorf("%s: AuthenticateTicket() = %v, %v, want error %v", tt.name, got, err, tt.want)
			}
		}
	})
}

// A program that goes away leaves nothing behind.
func TestIntrospect_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		d.takes.Store(int64(time.Hour))
		outcome := make(chan error)
		go func() {
			_, err := d.auth.Authenticate(t.Context(), opaqueToken)
			outcome <- err
		}()
		synctest.Wait()
		if err := d.auth.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-outcome; !errors.Is(err, oidcauth.ErrClosed) {
			t.Errorf("asked about while closing: %v", err)
		}
		wants(t, d.auth, opaqueToken, oidcauth.ErrClosed)
	})
}

// A server that waits for its issuers' keys does not wait for those of an issuer whose
// tokens are opaque, and a back-channel logout by them ends what is live.
func TestIntrospect_Logout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		d.issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		if err := d.auth.Ready(t.Context()); err != nil || len(d.auth.Unready()) > 0 {
			t.Errorf("Ready() = %v, Unready() = %v", err, d.auth.Unready())
		}
		d.issuer.Clear()
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		other := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		time.Sleep(2 * time.Second)
		if resp := postLogout(d.auth, d.issuer.LogoutToken(map[string]any{"sub": "bob", "aud": testAudience})); resp.StatusCode != http.StatusOK {
			t.Fatalf("logout: status %d", resp.StatusCode)
		}
		expectEnd(t, s, nil)
		if resp := postLogout(d.auth, d.issuer.LogoutToken(map[string]any{"sub": "alice", "aud": testAudience})); resp.StatusCode != http.StatusOK {
			t.Fatalf("logout: status %d", resp.StatusCode)
		}
		expectEnd(t, s, oidcauth.ErrRevoked)
		expectEnd(t, other, oidcauth.ErrRevoked)
	})
}
