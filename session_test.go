package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What ends a session, each with what Authenticate says about its token then.
func TestSession_Ends(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(*testing.T, *oidctest.Issuer, *oidcauth.Authenticator, *oidcauth.Session)
		want error
	}{
		{"nothing happens", func(*testing.T, *oidctest.Issuer, *oidcauth.Authenticator, *oidcauth.Session) {}, nil},
		{"one nanosecond before expiry and leeway", func(_ *testing.T, _ *oidctest.Issuer, _ *oidcauth.Authenticator, s *oidcauth.Session) {
			time.Sleep(time.Until(s.Claims().Expiry().Add(30*time.Second - 1)))
		}, nil},
		{"expiry and leeway", func(_ *testing.T, _ *oidctest.Issuer, _ *oidcauth.Authenticator, s *oidcauth.Session) {
			time.Sleep(time.Until(s.Claims().Expiry().Add(30 * time.Second)))
		}, oidcauth.ErrExpired},
		{"token revoked", func(t *testing.T, _ *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		}, oidcauth.ErrRevoked},
		{"another token revoked", func(t *testing.T, _ *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			revoke(t, a, oidcauth.Revocation{TokenID: "token-2"})
		}, nil},
		{"key replaced", func(t *testing.T, i *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			i.Replace()
			authenticate(t, a, i.Token(nil))
		}, oidcauth.ErrUnknownKey},
		{"key joined by another", func(t *testing.T, i *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			i.Rotate()
			authenticate(t, a, i.Token(nil))
		}, nil},
		{"key described anew", func(t *testing.T, i *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			k := i.Key()
			i.RemoveKeys()
			i.AddJWK(withoutMember(t, k.JWK(), "use"))
			i.Rotate()
			authenticate(t, a, i.Token(nil))
		}, nil},
		{"issuer down for a day", func(_ *testing.T, i *oidctest.Issuer, _ *oidcauth.Authenticator, _ *oidcauth.Session) {
			i.Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusServiceUnavailable})
			time.Sleep(25 * time.Hour)
		}, oidcauth.ErrKeysUnavailable},
		{"issuer up for a day", func(_ *testing.T, _ *oidctest.Issuer, _ *oidcauth.Authenticator, _ *oidcauth.Session) {
			time.Sleep(25 * time.Hour)
		}, nil},
		{"authenticator closed", func(_ *testing.T, _ *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			a.Close()
		}, oidcauth.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				token := issuer.Token(map[string]any{"jti": "token-1", "exp": time.Now().Add(48 * time.Hour).Unix()})
				s := a.NewSession(t.Context(), authenticate(t, a, token))
				defer s.Close()
				call := s.CallContext()
				tt.do(t, issuer, a, s)
				expectEnd(t, s, tt.want)
				if err := oidcauth.Require(call); !errors.Is(err, tt.want) {
					t.Errorf("Require() error = %v in a call that runs on, the session says %v", err, tt.want)
				}
				if err := oidcauth.Require(oidcauth.NewInternalContext(call)); err != nil {
					t.Errorf("Require() error = %v in what the server does itself", err)
				}
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
					t.Errorf("Authenticate() error = %v, the session says %v", err, tt.want)
				}
			})
		})
	}
}

// The request's context ends with its handler; the session's does not, and it
// keeps the values but not the caller.
func TestSession_Context(t *testing.T) {
	t.Parallel()
	type key struct{}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c := authenticate(t, a, issuer.Token(nil))
	for _, prepare := range []func(context.Context) context.Context{
		func(ctx context.Context) context.Context { return oidcauth.NewContext(ctx, c) },
		oidcauth.NewInternalContext,
	} {
		ctx, cancel := context.WithCancel(prepare(context.WithValue(t.Context(), key{}, "value")))
		s := a.NewSession(ctx, c)
		cancel()
		if err := oidcauth.Require(ctx); err != nil {
			t.Errorf("Require() error = %v in a request whose client has left", err)
		}
		if s.Context().Err() != nil || s.Context().Value(key{}) != "value" {
			t.Errorf("the session's context has error %v and value %v", s.Context().Err(), s.Context().Value(key{}))
		}
		if err := oidcauth.Require(s.Context()); !errors.Is(err, oidcauth.ErrNoToken) {
			t.Errorf("Require() error = %v in the session's context, want %v", err, oidcauth.ErrNoToken)
		}
		call := s.CallContext()
		if got, _ := oidcauth.FromContext(call); got != c || oidcauth.IsInternal(call) {
			t.Errorf("the call's context acts for %v, want the token's bearer", got)
		}
		s.Close()
		if call.Err() == nil || !errors.Is(context.Cause(call), oidcauth.ErrClosed) {
			t.Errorf("cause of a call = %v after Close, want %v", context.Cause(call), oidcauth.ErrClosed)
		}
		if _, known := oidcauth.FromContext(s.CallContext()); known || s.CallContext().Err() == nil {
			t.Error("a call of an ended session has a caller")
		}
	}
}

func TestNewSession_RefusedClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
		a, other := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
		token := issuer.Token(map[string]any{"jti": "token-1"})
		c := authenticate(t, a, token)
		unverified, err := oidcauth.UnverifiedClaims(c.Payload(), trusted)
		if err != nil {
			t.Fatal(err)
		}
		expectEnd(t, a.NewSession(t.Context(), nil), oidcauth.ErrNoToken)
		expectEnd(t, a.NewSession(t.Context(), unverified), oidcauth.ErrSignature)
		expectEnd(t, a.NewSession(t.Context(), &oidcauth.Claims{}), oidcauth.ErrSignature)
		expectEnd(t, a.NewSession(t.Context(), authenticate(t, other, token)), oidcauth.ErrSignature)
		good := a.NewSession(t.Context(), c)
		expectEnd(t, good, nil)
		good.Close()
		good.Close()
		expectEnd(t, good, oidcauth.ErrClosed)

		revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		expectEnd(t, a.NewSession(t.Context(), c), oidcauth.ErrRevoked)
		time.Sleep(2 * time.Hour)
		expectEnd(t, a.NewSession(t.Context(), c), oidcauth.ErrExpired)
		a.Close()
		expectEnd(t, a.NewSession(t.Context(), c), oidcauth.ErrClosed)
	})
}

func TestSession_Renew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1})
		first := authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1"}))
		s := a.NewSession(t.Context(), first)
		call := s.CallContext()

		for name, refused := range map[string]struct {
			token string
			want  error
		}{
			"another identity": {issuer.Token(map[string]any{"sub": "bob"}), oidcauth.ErrIdentityMismatch},
			"expired":          {issuer.Token(map[string]any{"exp": 1}), oidcauth.ErrExpired},
			"no token":         {"", oidcauth.ErrMalformedToken},
		} {
			if _, err := s.Renew(t.Context(), refused.token); !errors.Is(err, refused.want) {
				t.Errorf("%s: Renew() error = %v, want %v", name, err, refused.want)
			}
			if s.Claims() != first {
				t.Errorf("%s: the claims changed", name)
			}
		}

		time.Sleep(30 * time.Minute)
		second, err := s.Renew(t.Context(), issuer.Token(map[string]any{"jti": "token-2"}))
		if err != nil || s.Claims() != second || second.TokenID() != "token-2" {
			t.Fatalf("Renew() = %v, %v", second, err)
		}
		if c, _ := oidcauth.FromContext(call); c != first || call.Err() != nil {
			t.Error("a call that runs while the session is renewed has changed")
		}
		if c, _ := oidcauth.FromContext(s.CallContext()); c != second {
			t.Error("the next call does not have the new claims")
		}
		revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		time.Sleep(time.Until(second.Expiry()) - 1)
		expectEnd(t, s, nil)
		time.Sleep(time.Nanosecond)
		expectEnd(t, s, oidcauth.ErrExpired)
		if _, err := s.Renew(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("Renew() error = %v of an ended session, want its cause %v", err, oidcauth.ErrExpired)
		}
	})
}

func TestSession_OnExpiring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		var early, late, always atomic.Int64
		s.OnExpiring(10*time.Minute, func() { early.Add(1) })
		s.OnExpiring(time.Minute, func() { late.Add(1) })
		s.OnExpiring(24*time.Hour, func() { always.Add(1) })
		expect := func(when string, e, l, w int64) {
			t.Helper()
			synctest.Wait()
			if early.Load() != e || late.Load() != l || always.Load() != w {
				t.Errorf("%s: calls = %d, %d, %d, want %d, %d, %d", when, early.Load(), late.Load(), always.Load(), e, l, w)
			}
		}
		expect("at first", 0, 0, 1)
		time.Sleep(50*time.Minute - 1)
		expect("just before ten minutes", 0, 0, 1)
		time.Sleep(time.Nanosecond)
		expect("at ten minutes", 1, 0, 1)
		if _, err := s.Renew(t.Context(), issuer.Token(nil)); err != nil {
			t.Fatal(err)
		}
		expect("after renewal", 1, 0, 1)
		time.Sleep(30 * time.Minute)
		expect("when half of the hour has passed", 1, 0, 2)
		time.Sleep(29 * time.Minute)
		expect("at one minute after renewal", 2, 1, 2)
		time.Sleep(time.Minute)
		expectEnd(t, s, oidcauth.ErrExpired)
		s.OnExpiring(time.Minute, func() { late.Add(1) })
		expect("after the end", 2, 1, 2)

		s = a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		s.OnExpiring(time.Minute, func() { late.Add(1) })
		s.Close()
		time.Sleep(2 * time.Hour)
		expect("after Close", 2, 1, 2)
	})
}

// Sessions of issuers that nobody has configured are sessions like any other,
// except that such an issuer logs nobody out.
func TestSession_AnyIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 30)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: 8, FirstContactsPerSecond: 1000}))
		lives := map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}
		kept, replaced, revoked := issuers[0], issuers[1], issuers[2]
		session := func(i *oidctest.Issuer) *oidcauth.Session {
			return a.NewSession(t.Context(), wants(t, a, i.Token(lives), nil))
		}
		keeps, loses, ends := session(kept), session(replaced), session(revoked)
		for _, i := range issuers[3:] {
			wants(t, a, i.Token(lives), nil)
			time.Sleep(2 * time.Minute)
		}
		if n := kept.Fetches().Discovery; n != 1 {
			t.Errorf("an issuer with a session was contacted %d times, want once", n)
		}
		expectEnd(t, loses, nil)
		replaced.Replace()
		wants(t, a, replaced.Token(nil), nil)
		expectEnd(t, loses, oidcauth.ErrUnknownKey)
		expectEnd(t, ends, nil)
		revoke(t, a, oidcauth.Revocation{Issuer: revoked.URL(), IssuedBefore: time.Now().Add(time.Second)})
		expectEnd(t, ends, oidcauth.ErrRevoked)
		if resp := postLogout(a, logoutToken(kept, nil)); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a stranger's logout: got status %d, want 400", resp.StatusCode)
		}
		expectEnd(t, keeps, nil)
		if _, err := keeps.Renew(t.Context(), kept.Token(nil)); err != nil {
			t.Errorf("Renew() error = %v", err)
		}
		other := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		expectEnd(t, other.NewSession(t.Context(), keeps.Claims()), oidcauth.ErrSignature)
		a.Close()
		expectEnd(t, keeps, oidcauth.ErrClosed)
	})
}

// A schedule is a world in which random things happen to sessions, and the
// comparison of each session with what Authenticate says about its token.
type schedule struct {
	*testing.T
	random  *rand.Rand
	auth    *oidcauth.Authenticator
	issuers []*oidctest.Issuer
	offset  atomic.Int64 // of the Authenticator's clock
	leeway  time.Duration
	tokens  int
	watched []*watched
	ended   map[error]int // how many sessions ended why
	story   []string
}

// A watched session is one beside its current token.
type watched struct {
	session *oidcauth.Session
	token   string
	id      string
	over    bool // Authenticate has refused the token once
}

func (w *schedule) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

func (w *schedule) note(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

var allRefusals = []error{
	oidcauth.ErrExpired, oidcauth.ErrRevoked, oidcauth.ErrUnknownKey, oidcauth.ErrKeysUnavailable,
	oidcauth.ErrClosed, oidcauth.ErrNotYetValid, oidcauth.ErrSignature, oidcauth.ErrIssuedInFuture,
}

func sentinelOf(err error) error {
	for _, sentinel := range allRefusals {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return err
}

// check compares all sessions with Authenticate at this instant.
func (w *schedule) check(when string) {
	w.Helper()
	synctest.Wait()
	for _, s := range w.watched {
		var err error
		if !s.over {
			_, err = w.auth.Authenticate(context.Background(), s.token)
		}
		cause := context.Cause(s.session.Context())
		if err != nil && !s.over {
			s.over = true
			w.ended[sentinelOf(err)]++
			got, want := sentinelOf(cause), sentinelOf(err)
			keys := []error{oidcauth.ErrUnknownKey, oidcauth.ErrKeysUnavailable}
			if got != want && !(slices.Contains(keys, got) && slices.Contains(keys, want)) {
				w.fail(when, s, "cause = %v, Authenticate says %v", cause, err)
			}
		}
		if alive := s.session.Context().Err() == nil; alive == s.over {
			w.fail(when, s, "alive = %v, cause %v; Authenticate says %v", alive, cause, err)
		}
		if got := s.session.Claims().TokenID(); got != s.id {
			w.fail(when, s, "claims of token %q", got)
		}
	}
}

func (w *schedule) fail(when string, s *watched, format string, args ...any) {
	w.Helper()
	w.Fatalf("%s: session under %s: %s\nstory: %q", when, s.id, fmt.Sprintf(format, args...), w.story)
}

// sleep passes time, with a look at the sessions just before and just after the
// end of each token.
func (w *schedule) sleep(d time.Duration) {
	w.Helper()
	until := time.Now().Add(d)
	for {
		var next time.Time
		for _, s := range w.watched {
			end := s.session.Claims().Expiry().Add(w.leeway - time.Duration(w.offset.Load()))
			if !s.over && end.After(time.Now()) && (next.IsZero() || end.Before(next)) {
				next = end
			}
		}
		if next.IsZero() || next.After(until) {
			break
		}
		time.Sleep(time.Until(next) - 1)
		w.check("one nanosecond before an expiry")
		time.Sleep(time.Until(next))
		w.check("at an expiry")
	}
	time.Sleep(time.Until(until))
	w.check("after a while")
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// newToken makes a token that may share anything with others but its ID.
func (w *schedule) newToken(i *oidctest.Issuer, subject string) (token, id string) {
	w.tokens++
	id = fmt.Sprintf("token-%d", w.tokens)
	life := pick(w.random, []time.Duration{time.Minute, 5 * time.Minute, time.Hour, 80 * time.Hour})
	claims := map[string]any{"jti": id, "sub": subject, "exp": time.Now().Add(life).Unix()}
	if w.random.IntN(2) == 0 {
		claims["sid"] = fmt.Sprintf("login-%d", w.random.IntN(3))
	}
	if w.random.IntN(4) == 0 {
		claims["iat"] = nil
	}
	return i.Token(claims), id
}

func (w *schedule) open() {
	token, id := w.newToken(pick(w.random, w.issuers), pick(w.random, []string{"alice", "bob", "carol"}))
	c, err := w.auth.Authenticate(context.Background(), token)
	if err != nil {
		w.note("no session under %s: %v", id, err)
		return
	}
	s := &watched{session: w.auth.NewSession(context.Background(), c), token: token, id: id}
	w.watched = append(w.watched, s)
	w.note("session under %s: key %s, expiry %v", id, c.KeyID(), c.Expiry())
}

func (w *schedule) renew() {
	if len(w.watched) == 0 {
		return
	}
	s := pick(w.random, w.watched)
	subject := s.session.Claims().Subject()
	if w.random.IntN(5) == 0 {
		subject = "mallory"
	}
	i := w.issuers[slices.IndexFunc(w.issuers, func(i *oidctest.Issuer) bool { return i.URL() == s.session.Claims().Issuer() })]
	token, id := w.newToken(i, subject)
	if _, err := s.session.Renew(context.Background(), token); err != nil {
		w.note("%s not renewed by %s: %v", s.id, id, err)
		return
	}
	w.note("%s renewed by %s", s.id, id)
	if s.over {
		w.Fatalf("a session that was over was renewed: %q", w.story)
	}
	s.token, s.id = token, id
}

func (w *schedule) revoke() {
	r := oidcauth.Revocation{}
	switch w.random.IntN(8) {
	case 0, 1, 2:
		r.TokenID = fmt.Sprintf("token-%d", 1+w.random.IntN(w.tokens+1))
	case 3, 4:
		r.SessionID = fmt.Sprintf("login-%d", w.random.IntN(3))
	case 5:
		r.Subject = pick(w.random, []string{"alice", "bob", "carol", "mallory"})
	case 6:
		r.KeyID = pick(w.random, w.issuers).Key().ID()
	case 7:
		r.Issuer = pick(w.random, w.issuers).URL()
		r.IssuedBefore = w.now().Add(-time.Duration(w.random.Int64N(int64(time.Hour))))
	}
	if w.random.IntN(2) == 0 {
		r.Issuer = pick(w.random, w.issuers).URL()
	}
	if w.random.IntN(2) == 0 {
		r.IssuedBefore = w.now().Add(-time.Duration(w.random.Int64N(int64(time.Hour))))
	}
	if w.random.IntN(2) == 0 {
		r.Until = w.now().Add(1 + time.Duration(w.random.Int64N(int64(time.Hour))))
	}
	w.note("revoke %+v", r)
	if err := w.auth.Revoke(context.Background(), r); err != nil {
		w.Fatalf("Revoke(%+v) error = %v", r, err)
	}
}

func (w *schedule) changeKeys() {
	i := pick(w.random, w.issuers)
	switch w.random.IntN(4) {
	case 0:
		i.Rotate()
	case 1:
		i.Replace()
	case 2:
		k := i.Key()
		i.RemoveKeys()
		i.AddJWK(withoutMember(w, k.JWK(), "use"))
	case 3:
		i.Rotate()
		w.auth.Authenticate(context.Background(), i.Token(nil))
	}
	w.note("keys of %s changed: %s", i.URL(), i.KeySet())
}

func (w *schedule) changeWeather() {
	i := pick(w.random, w.issuers)
	if w.random.IntN(2) == 0 {
		w.note("%s up", i.URL())
		i.Clear()
		return
	}
	w.note("%s down", i.URL())
	i.Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusServiceUnavailable})
}

// setClock moves the clock and gives the sessions the time in which they promise
// to notice.
func (w *schedule) setClock() {
	offset := time.Duration(w.random.Int64N(int64(10*time.Minute))) - 20*time.Second
	w.offset.Store(int64(offset))
	w.note("clock off by %v", offset)
	time.Sleep(10 * time.Second)
	w.check("after the clock was set")
}

func (w *schedule) run(steps int) {
	for range steps {
		step := pick(w.random, []func(){
			w.open, w.open, w.open, w.open, w.renew, w.renew, w.revoke, w.changeKeys, w.changeWeather, w.setClock,
		})
		step()
		w.check("after the last step")
		w.sleep(pick(w.random, []time.Duration{
			1, time.Second, time.Minute, 10 * time.Minute, time.Hour, 26 * time.Hour,
		}))
	}
}

// A session is alive if and only if Authenticate has accepted its current token
// at every instant so far. OIDCAUTH_SESSION_SEEDS and OIDCAUTH_SESSION_SEED choose
// the seeds.
func TestSession_LivesAsLongAsItsToken(t *testing.T) {
	t.Parallel()
	ended := make(map[error]int)
	first, seeds := seedsOf("SESSION", 8)
	for seed := first; seed < first+seeds; seed++ {
		synctest.Test(t, func(t *testing.T) {
			one, trusted := newIssuer(t, oidctest.Config{})
			second := oidctest.NewIssuer(t, oidctest.Config{URL: "https://second.test", Claims: map[string]any{"aud": testAudience}})
			w := &schedule{
				T: t, random: rand.New(rand.NewPCG(seed, 0)), issuers: []*oidctest.Issuer{one, second},
				leeway: 30 * time.Second, ended: ended, story: []string{fmt.Sprint("seed ", seed)},
			}
			w.auth = newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted, {URL: second.URL(), Audiences: []string{testAudience}}},
				Client:  oidctest.Client(one, second), Now: w.now,
			})
			w.run(60)
			w.auth.Close()
			w.check("after Close")
			if live, lists, instants := w.auth.SessionCounts(); live+lists+instants != 0 {
				t.Errorf("%d sessions, %d lists and %d instants are left", live, lists, instants)
			}
		})
	}
	t.Logf("sessions ended: %v", ended)
	for _, want := range []error{oidcauth.ErrExpired, oidcauth.ErrRevoked, oidcauth.ErrUnknownKey, oidcauth.ErrKeysUnavailable, oidcauth.ErrClosed} {
		if seeds >= 8 && ended[want] < 2 {
			t.Errorf("%d sessions ended with %v, want enough to tell", ended[want], want)
		}
	}
}
