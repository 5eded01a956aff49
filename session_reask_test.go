package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// untilOld has the answer about the token of a session become too old, in an outage. It
// returns when no failure of before stands, and the session asks nobody for some seconds.
func (d *inspector) untilOld() {
	d.set(opaqueToken, "", errors.New("down"))
	time.Sleep(61 * time.Second)
	d.nextQuestion()
	time.Sleep(2 * time.Second)
}

// nextQuestion waits until the issuer is asked once more.
func (d *inspector) nextQuestion() {
	for before := d.asked.Load(); d.asked.Load() == before; {
		time.Sleep(100 * time.Millisecond)
	}
}

// ticketSession begins a session with a ticket, at a server that has not seen the token.
func (d *inspector) ticketSession(t *testing.T) (*oidcauth.Session, *oidcauth.Authenticator) {
	t.Helper()
	elsewhere := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{d.trusted, d.local.Issuer()}, Client: d.issuer.Client()})
	text, err := d.local.Ticket(from(), authenticate(t, d.auth, opaqueToken), "chat")
	if err != nil {
		t.Fatal(err)
	}
	c, err := elsewhere.AuthenticateTicket(from(), text, "chat")
	if err != nil {
		t.Fatal(err)
	}
	return elsewhere.NewSession(t.Context(), c), elsewhere
}

// What one session learns counts for another that began with the same claims, also where
// nothing is kept of tokens.
func TestIntrospect_LearnsWithoutCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			answer func(*inspector) string
			want   error
		}{
			{"as before", func(d *inspector) string { return d.answer(nil) }, nil},
			{"not active", func(*inspector) string { return `{"active":false}` }, oidcauth.ErrRevoked},
			{"another caller's", func(d *inspector) string { return d.answer(map[string]any{"sub": "mallory"}) }, oidcauth.ErrIdentityMismatch},
		} {
			d := newInspector(t, func(cfg *oidcauth.Config) { cfg.CacheBytes = -1 })
			c := authenticate(t, d.auth, opaqueToken)
			first, second := d.auth.NewSession(t.Context(), c), d.auth.NewSession(t.Context(), c)
			d.untilOld()
			d.set(opaqueToken, tt.answer(d), nil)
			first.CallContext()
			expectEnd(t, first, tt.want)
			d.set(opaqueToken, "", errors.New("down"))
			time.Sleep(1500 * time.Millisecond) // until no answer stands
			want := tt.want
			if want == nil {
				want = oidcauth.ErrAnswerUnavailable // of this call alone
			}
			if cause := context.Cause(second.CallContext()); !errors.Is(cause, want) {
				t.Errorf("%s: the other session's call ended with %v, want %v", tt.name, cause, want)
			}
			expectEnd(t, second, tt.want)
			d.auth.Close()
		}
	})
}

// What the session of a ticket learns counts for requests with the token, whose own answer
// is another and young.
func TestIntrospect_TicketLearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for answer, want := range map[string]error{`{"active":false}`: oidcauth.ErrRevoked, "": nil} {
			d := newInspector(t, nil)
			s, elsewhere := d.ticketSession(t)
			time.Sleep(2 * time.Second)
			authenticate(t, elsewhere, opaqueToken)
			if answer != "" {
				d.set(opaqueToken, answer, nil)
			}
			d.nextQuestion()
			expectEnd(t, s, want)
			wants(t, elsewhere, opaqueToken, want)
			elsewhere.Close()
			d.auth.Close()
		}
	})
}

// The token of a ticket's session is not thereby one that somebody has brought, whose
// answer serves for requests.
func TestIntrospect_TicketIsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s, elsewhere := d.ticketSession(t)
		d.nextQuestion()
		time.Sleep(2 * time.Second) // until no answer stands
		before := d.asked.Load()
		authenticate(t, elsewhere, opaqueToken)
		d.wantAsked(t, "for the first request", before+1)
		authenticate(t, elsewhere, opaqueToken)
		d.wantAsked(t, "for the second", before+1)
		expectEnd(t, s, nil)
	})
}

// A token that was refused for a while and is good again by the answer that its session
// gets is so for requests, too, without another question.
func TestIntrospect_GoodAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.untilOld()
		d.set(opaqueToken, `{"active":false}`, nil)
		wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
		d.set(opaqueToken, d.answer(nil), nil)
		d.nextQuestion()
		expectEnd(t, s, nil)
		time.Sleep(2 * time.Second) // until no answer stands
		asked := d.asked.Load()
		authenticate(t, d.auth, opaqueToken)
		d.wantAsked(t, "by a request", asked)
	})
}

// Other issuers that change while a session's token is asked about do not decide about it.
func TestIntrospect_OthersChangeWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for answer, want := range map[string]error{`{"active":false}`: oidcauth.ErrRevoked, "": nil} {
			d := newInspector(t, nil)
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			if answer != "" {
				d.set(opaqueToken, answer, nil)
			}
			d.takes.Store(int64(2 * time.Second))
			d.nextQuestion()
			other := oidcauth.Issuer{URL: "https://other.test", Audiences: []string{testAudience}}
			if err := d.auth.SetIssuers(d.trusted, d.local.Issuer(), other); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
			expectEnd(t, s, want)
			d.auth.Close()
		}
	})
}

// An answer that is good when the question is put, and over when it comes, is none.
func TestIntrospect_ExpiresWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range map[time.Duration]error{3 * time.Second: oidcauth.ErrExpired, 10 * time.Second: nil} {
			d := newInspector(t, nil)
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			d.untilOld()
			d.takes.Store(int64(4 * time.Second))
			const leeway = 30 * time.Second
			d.set(opaqueToken, d.answer(map[string]any{"iat": nil, "exp": time.Now().Add(left - leeway).Unix()}), nil)
			if cause := context.Cause(s.CallContext()); !errors.Is(cause, want) {
				t.Errorf("with %v left the call ended with %v, want %v", left, cause, want)
			}
			expectEnd(t, s, want)
			d.auth.Close()
		}
	})
}

// However many sessions rest on one token, each with claims of its own, the issuer is asked
// for all of them at once.
func TestIntrospect_OneQuestionForSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoundInspector(t)
		sessions := b.sessions(t, 20)
		time.Sleep(10 * time.Minute)
		if asked := b.asked.Load(); asked < 10 || asked > 45 {
			t.Errorf("asked %d times in ten minutes for the sessions of one token", asked)
		}
		for _, s := range sessions {
			expectEnd(t, s, nil)
		}
	})
}

// A session that ends while the token of its renewal is judged, for whatever reason and
// however late, is not renewed.
func TestSession_Renew_ClosedByRule(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var s *oidcauth.Session
	asked, last := 0, 0
	trusted.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
		if c.TokenID() != "next" {
			return nil
		}
		if asked++; asked == last {
			s.Close()
		}
		if asked > 100 {
			return errors.New("asked without end")
		}
		return nil
	}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
	open := func() {
		s, asked = a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"jti": "first"}))), 0
	}
	next := issuer.Token(map[string]any{"jti": "next"})
	open()
	if _, err := s.Renew(t.Context(), next); err != nil || s.Claims().TokenID() != "next" {
		t.Fatalf("Renew() error = %v", err)
	}
	most := asked
	if most < 2 {
		t.Fatalf("the rule was asked %d times", most)
	}
	for last = 1; last <= most; last++ {
		open()
		c, err := s.Renew(t.Context(), next)
		if !errors.Is(err, oidcauth.ErrClosed) || c != nil || s.Claims().TokenID() != "first" {
			t.Errorf("closed by question %d of %d: Renew() = %v, error = %v; the session lives by %q", last, most, c, err, s.Claims().TokenID())
		}
	}
}

// A session whose key was described anew goes on at once, also before whoever is told of
// the change has come to it.
func TestSession_KeyDescribedMeanwhile(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
	defer s.Close()
	next := source.keys
	next.JWKS = described(next.JWKS)
	if err := source.adopt(next); err != nil {
		t.Fatal(err)
	}
	s.Unfollow()
	if oidcauth.Live(a, s.Claims()) {
		t.Fatal("the key of before is trusted still: nothing is shown")
	}
	if err := s.CallContext().Err(); err != nil {
		t.Errorf("a call ended with %v", context.Cause(s.CallContext()))
	}
	expectEnded := func(want error) {
		t.Helper()
		if cause := context.Cause(s.Context()); !errors.Is(cause, want) {
			t.Errorf("the session's cause is %v, want %v", cause, want)
		}
	}
	expectEnded(nil)
	issuer.Replace()
	next.JWKS = issuer.KeySet()
	if err := source.adopt(next); err != nil {
		t.Fatal(err)
	}
	expectEnded(oidcauth.ErrUnknownKey)
}

// A call by an opaque token that its issuer has ended is refused, though its session lives
// by another, also where there were answers since that it is good: whoever asked.
func TestRequire_OpaqueEndedAfterAnswers(t *testing.T) {
	for name, again := range map[string]func(t *testing.T, d *inspector, s *oidcauth.Session){
		"none":         nil,
		"of a request": func(t *testing.T, d *inspector, _ *oidcauth.Session) { authenticate(t, d.auth, opaqueToken) },
		"of the session": func(t *testing.T, _ *inspector, s *oidcauth.Session) {
			if err := oidcauth.Require(s.CallContext()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const next = "op_next"
				d := newInspector(t, nil)
				d.set(next, d.answer(map[string]any{"jti": "next"}), nil)
				s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
				ctx := s.CallContext()
				for range 3 {
					if again != nil {
						time.Sleep(time.Minute + time.Second)
						again(t, d, s)
					}
				}
				if _, err := s.Renew(t.Context(), next); err != nil {
					t.Fatal(err)
				}
				if err := oidcauth.Require(ctx); err != nil {
					t.Errorf("Require() error = %v after the renewal", err)
				}
				d.set(opaqueToken, `{"active":false}`, nil)
				time.Sleep(time.Minute + time.Second)
				wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
				expectEnd(t, s, nil)
				if err := oidcauth.Require(ctx); !errors.Is(err, oidcauth.ErrRevoked) {
					t.Errorf("Require() error = %v, want %v", err, oidcauth.ErrRevoked)
				}
			})
		})
	}
}

// Nor do they where they change all the time, as those do that anybody can name: what the
// token's issuer has answered counts, and the session does not wait for a quiet moment.
func TestIntrospect_OthersChangeAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c customers
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.FindIssuer = c.find })
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, `{"active":false}`, nil)
		d.takes.Store(int64(2 * time.Second))
		for n := range 2 * 63 {
			name := fmt.Sprintf("https://customer-%d.test", n)
			c.set(name, oidcauth.Issuer{URL: name, Audiences: []string{testAudience}})
			refuses(t, d.auth, unsigned(name), oidcauth.ErrAlgorithm)
			time.Sleep(time.Second / 2)
		}
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}
