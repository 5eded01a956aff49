package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// A boundInspector answers about a token that is bound to a key: each use of it has claims
// of its own, and so has each session.
type boundInspector struct {
	*inspector
	client *oidctest.Prover
}

func newBoundInspector(t *testing.T) *boundInspector {
	t.Helper()
	verifier, err := dpop.New(dpop.Config{PublicURL: publicURL})
	if err != nil {
		t.Fatal(err)
	}
	b := &boundInspector{client: oidctest.NewProver(t, "")}
	b.inspector = newInspector(t, func(cfg *oidcauth.Config) { cfg.DPoP = verifier })
	b.set(opaqueToken, b.answer(nil), nil)
	return b
}

func (b *boundInspector) answer(change map[string]any) string {
	claims := map[string]any{"token_type": "DPoP", "cnf": map[string]any{"jkt": b.client.Thumbprint()}}
	maps.Copy(claims, change)
	return b.inspector.answer(claims)
}

// sessions begins sessions with the token.
func (b *boundInspector) sessions(t *testing.T, n int) []*oidcauth.Session {
	t.Helper()
	all := make([]*oidcauth.Session, n)
	for i := range all {
		proof := possession.Proof{DPoP: b.client.Proof("POST", callURL, opaqueToken, nil), Method: "POST", URL: callURL}
		c, err := b.auth.Authenticate(possession.NewContext(t.Context(), proof), opaqueToken)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = b.auth.NewSession(t.Context(), c)
	}
	return all
}

// withoutFirst waits until the first of sessions ends within a minute, and returns the
// others.
func withoutFirst(t *testing.T, all []*oidcauth.Session) []*oidcauth.Session {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
		synctest.Wait()
		for i, s := range all {
			if s.Context().Err() != nil {
				return append(all[:i:i], all[i+1:]...)
			}
		}
	}
	t.Fatal("no session ends within a minute")
	return nil
}

// What was learned for one session counts for all calls of those that rest on the same
// answer, also if they are judged by other descriptions meanwhile; and where the issuer
// answers nobody any more, none of them lives on by what it said before.
func TestIntrospect_LearnsForAll(t *testing.T) {
	for _, turn := range []struct {
		name   string
		answer func(*boundInspector) string
		want   error
	}{
		{"as before", func(b *boundInspector) string { return b.answer(nil) }, nil},
		{"not active", func(*boundInspector) string { return `{"active":false}` }, oidcauth.ErrRevoked},
		{"another caller's", func(b *boundInspector) string { return b.answer(map[string]any{"sub": "mallory"}) }, oidcauth.ErrIdentityMismatch},
		{"bound to nothing", func(b *boundInspector) string { return b.inspector.answer(nil) }, oidcauth.ErrProof},
		{"for somebody else", func(b *boundInspector) string { return b.answer(map[string]any{"aud": "other"}) }, oidcauth.ErrAudience},
	} {
		for _, then := range []string{"a call", "a call after SetIssuers", "an outage", "an outage after SetIssuers"} {
			t.Run(turn.name+", then "+then, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBoundInspector(t)
					rest := b.sessions(t, 4)
					b.set(opaqueToken, turn.answer(b), nil)
					if turn.want != nil {
						rest = withoutFirst(t, rest)
					}
					if then == "a call after SetIssuers" || then == "an outage after SetIssuers" {
						next := b.trusted
						next.Roles = []oidcauth.Path{{"groups"}}
						if err := b.auth.SetIssuers(next, b.local.Issuer()); err != nil {
							t.Fatal(err)
						}
					}
					if then == "an outage" || then == "an outage after SetIssuers" {
						b.set(opaqueToken, "", errors.New("down"))
						time.Sleep(90 * time.Second)
					} else {
						for _, s := range rest {
							s.CallContext()
						}
					}
					for _, s := range rest {
						expectEnd(t, s, turn.want)
						s.Close()
					}
				})
			})
		}
	}
}

// However slowly the issuer answers, and about however many tokens it is asked, no session
// goes on by an answer that is five times as old as one may be.
func TestIntrospect_SlowAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		sessions := make([]*oidcauth.Session, 3000)
		for i := range sessions {
			token := fmt.Sprintf("op_session%d", i)
			d.set(token, d.answer(map[string]any{"jti": token, "sub": token}), nil)
			sessions[i] = d.auth.NewSession(t.Context(), authenticate(t, d.auth, token))
		}
		for i := range sessions[:len(sessions)/2] {
			d.set(fmt.Sprintf("op_session%d", i), `{"active":false}`, nil)
		}
		d.takes.Store(int64(4900 * time.Millisecond))
		time.Sleep(4 * time.Minute)
		for _, s := range sessions {
			if cause := context.Cause(s.Context()); cause != nil && !errors.Is(cause, oidcauth.ErrRevoked) {
				t.Fatalf("a session ended with %v, before its answer was five minutes old", cause)
			}
		}
		time.Sleep(time.Minute + 6*time.Second)
		live := 0
		for i, s := range sessions {
			switch cause := context.Cause(s.Context()); {
			case cause != nil && !errors.Is(cause, oidcauth.ErrAnswerUnavailable) && !errors.Is(cause, oidcauth.ErrRevoked):
				t.Errorf("a session ended with %v", cause)
			case cause == nil && i < len(sessions)/2:
				t.Fatal("a session goes on under a token that was ended five minutes ago")
			case cause == nil:
				live++
			}
			s.Close()
		}
		if live == 0 {
			t.Error("no session is left of those that were asked about in time")
		}
	})
}

// An answer counts for so little that the question of before stands when another is due:
// nobody spins until it does not.
func TestIntrospect_ShortAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var judged atomic.Int64
		d := newInspector(t, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].AnswerAge = time.Second
			cfg.Issuers[0].Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
				if judged.Add(1) > 100_000 {
					panic("judged for ever")
				}
				return nil
			}}
		})
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		time.Sleep(20 * time.Second)
		expectEnd(t, s, nil)
		if n, asked := judged.Load(), d.asked.Load(); n > 200 || asked < 6 || asked > 40 {
			t.Errorf("judged %d times and asked %d times in twenty seconds", n, asked)
		}
		d.set(opaqueToken, `{"active":false}`, nil)
		time.Sleep(4 * time.Second)
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}

// What a ticket's use has the issuer say counts for the sessions of the token, too.
func TestIntrospect_LearnsByTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		s, page := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken)), from("https://app.example.com")
		d.set(opaqueToken, "", errors.New("down"))
		time.Sleep(30 * time.Second)
		ticket, err := d.local.Ticket(page, s.Claims(), "chat")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		d.set(opaqueToken, d.answer(map[string]any{"sub": "mallory"}), nil)
		time.Sleep(time.Second) // until no failure stands
		if _, err := d.auth.AuthenticateTicket(page, ticket, "chat"); !errors.Is(err, oidcauth.ErrIdentityMismatch) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrIdentityMismatch)
		}
		d.set(opaqueToken, "", errors.New("down"))
		time.Sleep(15 * time.Second)
		expectEnd(t, s, oidcauth.ErrIdentityMismatch)
	})
}

// A session that begins with claims of long ago is asked about at once, and lives if the
// token is good still.
func TestIntrospect_SessionOfOldClaims(t *testing.T) {
	for _, age := range []time.Duration{61 * time.Second, 4*time.Minute + 59*time.Second, 6 * time.Minute, 40 * time.Minute} {
		for _, tt := range []struct {
			name   string
			set    func(*inspector)
			within time.Duration // it ends
			want   error
		}{
			{"good", func(d *inspector) { d.set(opaqueToken, d.answer(nil), nil) }, 30 * time.Second, nil},
			{"not active", func(d *inspector) { d.set(opaqueToken, `{"active":false}`, nil) }, 0, oidcauth.ErrRevoked},
			{"down", func(d *inspector) { d.set(opaqueToken, "", errors.New("down")) }, 5 * time.Minute, oidcauth.ErrAnswerUnavailable},
			{"slow", func(d *inspector) { d.takes.Store(int64(time.Hour)) }, 5*time.Minute + 5*time.Second, oidcauth.ErrAnswerUnavailable},
		} {
			t.Run(fmt.Sprint(tt.name, " after ", age), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newInspector(t, nil)
					c := authenticate(t, d.auth, opaqueToken)
					time.Sleep(age)
					tt.set(d)
					s := d.auth.NewSession(t.Context(), c)
					time.Sleep(time.Millisecond)
					d.wantAsked(t, "as it begins", 2)
					if tt.within > 0 {
						time.Sleep(max(tt.within-age, 6*time.Second))
					}
					expectEnd(t, s, tt.want)
					s.Close()
				})
			})
		}
	}
}

// An answer that is judged for so long that there is a later one does not take its place.
func TestIntrospect_LateJudgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, late := range []bool{false, true} {
			var judged atomic.Int64
			goOn := make(chan bool)
			d := newInspector(t, func(cfg *oidcauth.Config) {
				cfg.Issuers[0].Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
					if judged.Add(1) == 1 && late {
						<-goOn
					}
					return nil
				}}
			})
			first := make(chan error, 1)
			go func() {
				_, err := d.auth.Authenticate(t.Context(), opaqueToken)
				first <- err
			}()
			time.Sleep(2 * time.Second)
			want := "alice"
			if late {
				want = "mallory"
			}
			d.set(opaqueToken, d.answer(map[string]any{"sub": "mallory"}), nil)
			if c := authenticate(t, d.auth, opaqueToken); c.Subject() != want {
				t.Errorf("late: %t: subject %q, want %q", late, c.Subject(), want)
			}
			if late {
				goOn <- true
			}
			if err := <-first; err != nil {
				t.Error(err)
			}
			if c := authenticate(t, d.auth, opaqueToken); c.Subject() != want {
				t.Errorf("late: %t: subject %q by the answer of before, want %q", late, c.Subject(), want)
			}
			d.auth.Close()
		}
	})
}

// However often issuers are described anew, a session lives on by an answer for no longer
// than five times its age and a question: also one that begins by claims of long ago, and
// so with a last question.
func TestIntrospect_SetIssuersProlongsNoAnswer(t *testing.T) {
	const age, question = 10 * time.Second, 5 * time.Second
	for _, tt := range []struct {
		name   string
		old    time.Duration // the claims that the session begins by
		change func(i *oidcauth.Issuer, n int)
		most   time.Duration // it lives
	}{
		{"rules", 0, func(*oidcauth.Issuer, int) {}, 5*age + question},
		{"rules, and old claims", 6 * age, func(*oidcauth.Issuer, int) {}, question},
		{"ages", 0, func(i *oidcauth.Issuer, n int) { i.AnswerAge = age + time.Duration(n)*age }, 5*age + question},
		{"ages, and old claims", 6 * age, func(i *oidcauth.Issuer, n int) { i.AnswerAge = age + time.Duration(n)*age }, question},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = age })
				c := authenticate(t, d.auth, opaqueToken)
				time.Sleep(tt.old)
				d.takes.Store(int64(time.Hour))
				begun := time.Now()
				s := d.auth.NewSession(t.Context(), c)
				for n := 1; time.Since(begun) < 5*time.Minute && s.Context().Err() == nil; n++ {
					time.Sleep(3 * time.Second) // sooner than a question is given up
					next := d.trusted
					next.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { return nil }}
					tt.change(&next, n)
					if err := d.auth.SetIssuers(next, d.local.Issuer()); err != nil {
						t.Fatal(err)
					}
				}
				if lived := time.Since(begun); lived > tt.most+3*time.Second || lived < tt.most-3*time.Second {
					t.Errorf("lived for about %v, want %v", lived, tt.most)
				}
				expectEnd(t, s, oidcauth.ErrAnswerUnavailable)
				d.auth.Close()
			})
		})
	}
}

// An answer that is judged by a description with a longer AnswerAge is asked about again
// when it would have been without.
func TestIntrospect_LongerAgeProlongsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for answer, want := range map[string]error{`{"active":false}`: oidcauth.ErrRevoked, "": nil} {
			d := newInspector(t, nil)
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			next := d.trusted
			next.AnswerAge = time.Hour
			if err := d.auth.SetIssuers(next, d.local.Issuer()); err != nil {
				t.Fatal(err)
			}
			if answer != "" {
				d.set(opaqueToken, answer, nil)
			}
			time.Sleep(61 * time.Second)
			d.wantAsked(t, "within a minute", 2)
			expectEnd(t, s, want)
			d.auth.Close()
		}
	})
}

// A session that begins by claims of which a later answer is known to be another has
// ended, and nobody is asked for it, also where issuers were described anew meanwhile.
func TestNewSession_KnownRefused(t *testing.T) {
	for _, turn := range []struct {
		name   string
		answer func(*boundInspector) string
		want   error
	}{
		{"as before", func(b *boundInspector) string { return b.answer(nil) }, nil},
		{"not active", func(*boundInspector) string { return `{"active":false}` }, oidcauth.ErrRevoked},
		{"another caller's", func(b *boundInspector) string { return b.answer(map[string]any{"sub": "mallory"}) }, oidcauth.ErrIdentityMismatch},
		{"bound to nothing", func(b *boundInspector) string { return b.inspector.answer(nil) }, oidcauth.ErrProof},
	} {
		for _, anew := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, described anew: %t", turn.name, anew), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBoundInspector(t)
					s := b.sessions(t, 1)[0]
					c := s.Claims()
					b.set(opaqueToken, turn.answer(b), nil)
					b.nextQuestion()
					synctest.Wait()
					expectEnd(t, s, turn.want)
					if anew {
						next := b.trusted
						next.Roles = []oidcauth.Path{{"groups"}}
						if err := b.auth.SetIssuers(next, b.local.Issuer()); err != nil {
							t.Fatal(err)
						}
					}
					asked := b.asked.Load()
					later := b.auth.NewSession(t.Context(), c)
					if cause := context.Cause(later.Context()); !errors.Is(cause, turn.want) {
						t.Errorf("the session has ended with %v, want %v", cause, turn.want)
					}
					synctest.Wait()
					if turn.want != nil {
						b.wantAsked(t, "for a session that has ended", asked)
					}
					b.auth.Close()
				})
			})
		}
	}
}

// Other issuers that change while the last question is put, in vain, give no session a time
// beyond it.
func TestIntrospect_OthersChangeAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const age, question = time.Hour, 5 * time.Second
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].AnswerAge = age })
		d.set(opaqueToken, d.answer(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}), nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		d.set(opaqueToken, "", errors.New("down"))
		d.takes.Store(int64(3 * time.Second))
		time.Sleep(5*age + time.Second)
		expectEnd(t, s, nil)
		other := oidcauth.Issuer{URL: "https://other.test", Audiences: []string{testAudience}}
		if err := d.auth.SetIssuers(d.trusted, d.local.Issuer(), other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(question)
		expectEnd(t, s, oidcauth.ErrAnswerUnavailable)
		d.auth.Close()
	})
}

// An answer that an opaque token is another caller's counts, also where it cannot be judged
// to the end, because the program's rule panics about that caller: neither a session goes on by what was before, nor a request.
func TestIntrospect_AnotherCallerUnjudged(t *testing.T) {
	for _, cacheBytes := range []int64{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			d := newInspector(t, func(cfg *oidcauth.Config) {
				cfg.CacheBytes = cacheBytes
				cfg.Issuers[0].Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
					if c.Subject() == "mallory" {
						panic("mallory")
					}
					return nil
				}}
			})
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			d.set(opaqueToken, d.answer(map[string]any{"sub": "mallory"}), nil)
			began := time.Now()
			for s.Context().Err() == nil && time.Since(began) < time.Minute {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
			}
			expectEnd(t, s, oidcauth.ErrIdentityMismatch)
			wants(t, d.auth, opaqueToken, oidcauth.ErrAnswerUnavailable)
		})
	}
}

// What changes of a token's end without a renewal postpones no notice that nobody has
// given yet.
func TestSession_OnExpiring_EndMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].AnswerAge = 20 * time.Second
			cfg.Leeway = -1
		})
		end := time.Now().Add(10 * time.Minute)
		d.set(opaqueToken, d.answer(map[string]any{"exp": end.Unix()}), nil)
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		var first atomic.Int64
		s.OnExpiring(5*time.Minute, func() { first.CompareAndSwap(0, int64(time.Until(end))) })
		for n := 0; s.Context().Err() == nil; n++ {
			time.Sleep(5 * time.Second)
			if n == 30 {
				end = end.Add(-4 * time.Minute)
			}
			d.set(opaqueToken, d.answer(map[string]any{"exp": end.Add(time.Duration(n/2%2) * time.Second).Unix()}), nil)
		}
		if left := time.Duration(first.Load()); left < 3*time.Minute {
			t.Errorf("told %v before the end, want 3 minutes at least", left)
		}
	})
}

// A description by which a session ends sooner has it told at once.
func TestSession_OnExpiring_EndsSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Leeway = 5 * time.Minute
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(5 * time.Minute).Unix()})))
		var told atomic.Int32
		s.OnExpiring(6*time.Minute, func() { told.Add(1) })
		time.Sleep(time.Minute)
		trusted.Leeway = -1 // four minutes are left
		if err := a.SetIssuers(trusted); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if n := told.Load(); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
	})
}
