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
// at every instant so far.
func TestSession_LivesAsLongAsItsToken(t *testing.T) {
	ended := make(map[error]int)
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			first, trusted := newIssuer(t, oidctest.Config{})
			second := oidctest.NewIssuer(t, oidctest.Config{URL: "https://second.test", Claims: map[string]any{"aud": testAudience}})
			w := &schedule{
				T: t, random: rand.New(rand.NewPCG(seed, 0)), issuers: []*oidctest.Issuer{first, second},
				leeway: 30 * time.Second, ended: ended, story: []string{fmt.Sprint("seed ", seed)},
			}
			w.auth = newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted, {URL: second.URL(), Audiences: []string{testAudience}}},
				Client:  oidctest.Client(first, second), Now: w.now,
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
		if ended[want] < 5 {
			t.Errorf("%d sessions ended with %v, want enough to tell", ended[want], want)
		}
	}
}
