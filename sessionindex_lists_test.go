package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// uncached returns an Authenticator that has claims of its own for each use of a token.
func uncached(t *testing.T) (*oidctest.Issuer, *oidcauth.Authenticator) {
	t.Helper()
	issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: "EdDSA"})
	return issuer, newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
}

// inOneShard returns claims of each token whose sessions are in one part of the index, on
// the same lists as far as the tokens say the same.
func inOneShard(t *testing.T, a *oidcauth.Authenticator, tokens ...string) []*oidcauth.Claims {
	t.Helper()
	var shards [256][]*oidcauth.Claims
	for {
		for n, token := range tokens {
			c := authenticate(t, a, token)
			shard := &shards[oidcauth.Shard(a, c)]
			if len(*shard) == n {
				*shard = append(*shard, c)
			}
			if len(*shard) == len(tokens) {
				return *shard
			}
		}
	}
}

// Sessions under the same claims share what finds them, whoever else has the same values.
func TestSession_SharesGrant(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]map[string]any{"with a token ID": {"jti": "token-1"}, "without": nil} {
		issuer, a := uncached(t)
		token := issuer.Token(claims)
		all := inOneShard(t, a, token, token, token)
		for range 3 {
			for _, c := range all {
				defer a.NewSession(t.Context(), c).Close()
			}
		}
		if n := oidcauth.Grants(a); n != len(all) {
			t.Errorf("%s: sessions under %d claims live by %d grants", name, len(all), n)
		}
	}
}

// In whatever order sessions leave the lists that they are on, the others stay there.
func TestSession_LeavesLists(t *testing.T) {
	t.Parallel()
	issuer, a := uncached(t)
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		login := fmt.Sprint("login ", order)
		token := issuer.Token(map[string]any{"sid": login})
		var sessions []*oidcauth.Session
		for _, c := range inOneShard(t, a, token, token, token) {
			sessions = append(sessions, a.NewSession(t.Context(), c))
		}
		for left := 2; left > 0; left-- {
			sessions[order[2-left]].Close()
			if live, lists, _ := a.SessionCounts(); live != left || lists != 4 {
				t.Errorf("closed in the order %v: %d sessions are found, on %d lists, want %d, on those of login, subject, issuer and key", order, live, lists, left)
			}
		}
		revoke(t, a, oidcauth.Revocation{SessionID: login})
		if cause := context.Cause(sessions[order[2]].Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("closed in the order %v: the last ended with %v, want %v", order, cause, oidcauth.ErrRevoked)
		}
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
}

// What ends while a session is about to live by it leaves the index once: it takes no
// neighbour along, and the keys of those stay in use.
func TestSession_LeavesIndexOnce(t *testing.T) {
	t.Parallel()
	issuer, a := uncached(t)
	both := inOneShard(t, a, issuer.Token(map[string]any{"jti": "token-1"}), issuer.Token(map[string]any{"jti": "token-2"}))
	s := a.NewSession(t.Context(), both[1])
	if a.EnterAfter(both[0], func() { revoke(t, a, oidcauth.Revocation{TokenID: "token-1"}) }) {
		t.Error("a session lives by a token that was revoked as it began")
	}
	if live, _, instants := a.SessionCounts(); live != 1 || instants != 1 || !oidcauth.KeysHeld(both[1]) {
		t.Errorf("%d sessions, %d instants, keys held: %t; want those of the other token", live, instants, oidcauth.KeysHeld(both[1]))
	}
	revoke(t, a, oidcauth.Revocation{Subject: "alice"})
	if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
		t.Errorf("the session of the other token ended with %v, want %v", cause, oidcauth.ErrRevoked)
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 || oidcauth.KeysHeld(both[1]) {
		t.Errorf("%d sessions, %d lists, %d instants are left, keys held: %t", live, lists, instants, oidcauth.KeysHeld(both[1]))
	}
}

// The memory for sessions under one token is halved when less than a quarter of it is in
// use, down to a few places.
func TestSession_ListShrinks(t *testing.T) {
	t.Parallel()
	issuer, a := uncached(t)
	for _, many := range []int{64, 100} {
		c := authenticate(t, a, issuer.Token(nil))
		sessions := make([]*oidcauth.Session, many)
		for i := range sessions {
			sessions[i] = a.NewSession(t.Context(), c)
		}
		want := sessions[0].Neighbours()
		for left := many - 1; left > 0; left-- {
			sessions[left].Close()
			if want > 32 && left < want/4 {
				want /= 2
			}
			if got := sessions[0].Neighbours(); got != want {
				t.Fatalf("memory for %d sessions when %d of %d are left, want %d", got, left, many, want)
			}
		}
		if want > 64 {
			t.Errorf("memory for %d sessions is kept for one", want)
		}
	}
}

// To end sessions on several processors takes none from the program.
func TestRevoke_KeepsProcessors(t *testing.T) { // while no other test runs
	issuer, a := uncached(t)
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	revoke(t, a, oidcauth.Revocation{Subject: "alice"})
	if n := runtime.GOMAXPROCS(0); n != 3 || s.Context().Err() == nil {
		t.Errorf("the program has %d processors, of three, after a revocation", n)
	}
}

// isFreed reports whether nothing refers to it any more.
func isFreed[T any](p weak.Pointer[T]) bool {
	for range 3 {
		runtime.GC()
	}
	return p.Value() == nil
}

// Who keeps a session keeps nothing alive of others that have ended, nor what it would
// have warned of its own end with.
func TestSession_KeepsNothing(t *testing.T) {
	t.Parallel()
	issuer, a := uncached(t)
	token := issuer.Token(nil)
	t.Run("the claims of a neighbour", func(t *testing.T) {
		both := inOneShard(t, a, token, token)
		kept, other := a.NewSession(t.Context(), both[0]), a.NewSession(t.Context(), both[1])
		kept.Close()
		other.Close()
		claims := weak.Make(both[1])
		both, other = nil, nil
		if !isFreed(claims) {
			t.Error("claims are kept that nobody has")
		}
		runtime.KeepAlive(kept)
	})
	t.Run("a session of the same token", func(t *testing.T) {
		c := authenticate(t, a, token)
		kept, other := a.NewSession(t.Context(), c), a.NewSession(t.Context(), c)
		other.Close()
		session := weak.Make(other)
		other = nil
		if !isFreed(session) {
			t.Error("a session is kept that has ended and nobody has")
		}
		kept.Close()
	})
	t.Run("a warning", func(t *testing.T) {
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		warned := func() weak.Pointer[[64]byte] {
			connection := new([64]byte)
			s.OnExpiring(time.Minute, func() { connection[0]++ })
			return weak.Make(connection)
		}()
		if isFreed(warned) {
			t.Error("a warning is not kept that is to come")
		}
		s.Close()
		if !isFreed(warned) {
			t.Error("a warning is kept that nobody will get")
		}
		runtime.KeepAlive(s)
	})
}

// Once the Authenticator is closed no session begins any more, and the cause is that.
func TestClose_NoSessionAfter(t *testing.T) {
	t.Parallel()
	issuer, a := uncached(t)
	c := authenticate(t, a, issuer.Token(nil))
	if err := oidcauth.Admits(a, c); err != nil {
		t.Errorf("before: error = %v", err)
	}
	a.Close()
	if err := oidcauth.Admits(a, c); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("afterwards: error = %v, want %v", err, oidcauth.ErrClosed)
	}
}

// A session that lives by another token meanwhile neither ends with the former one, nor
// counts as one of those that do.
func TestSession_EndUnderAnother(t *testing.T) {
	t.Parallel()
	issuer, a := uncached(t)
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
	if s.EndUnderAnother(oidcauth.ErrRevoked) || s.Context().Err() != nil {
		t.Errorf("the session ended with a token that it has left: %v", context.Cause(s.Context()))
	}
}

// All whose tokens expire at one instant end with the refusal that each token gets then:
// one for all of a description.
func TestSession_ExpireTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, trusted := newIssuer(t, oidctest.Config{URL: "https://first.test"})
		second, lenient := newIssuer(t, oidctest.Config{URL: "https://second.test"})
		lenient.Leeway = time.Minute
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, lenient}, Client: oidctest.Client(first, second)})
		end := time.Now().Add(time.Hour)
		var tokens []string
		var sessions []*oidcauth.Session
		for n := range 6 {
			i, leeway := first, 30*time.Second
			if n == 2 || n == 3 {
				i, leeway = second, lenient.Leeway
			}
			tokens = append(tokens, i.Token(map[string]any{"jti": fmt.Sprint(n), "exp": end.Add(-leeway).Unix()}))
			sessions = append(sessions, a.NewSession(t.Context(), authenticate(t, a, tokens[n])))
		}
		time.Sleep(time.Until(end))
		synctest.Wait()
		causes := map[error]int{}
		for n, s := range sessions {
			cause := context.Cause(s.Context())
			if _, err := a.Authenticate(t.Context(), tokens[n]); cause == nil || err == nil || cause.Error() != err.Error() {
				t.Errorf("session %d ended with %v, its token is refused with %v", n, cause, err)
			}
			causes[cause]++
		}
		if len(causes) != 3 { // those of the first issuer were due before and after the second's
			t.Errorf("%d refusals for six sessions in three rows, want three", len(causes))
		}
	})
}

// A session goes on if somebody else has found its key described anew while it was judged
// by the key of before.
func TestSession_KeyDescribedWhileJudged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var between atomic.Pointer[func()]
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: func() time.Time {
			if do := between.Load(); do != nil && isWithin("oidcauth.(*Authenticator).judge") {
				between.Store(nil)
				(*do)()
			}
			return time.Now()
		}})
		c := authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()}))
		s := a.NewSession(t.Context(), c)
		key := issuer.Key()
		describe := func() {
			issuer.RemoveKeys()
			publishFor(t, issuer, key, issuer.URL())
			time.Sleep(2 * time.Hour)
			synctest.Wait()
		}
		between.Store(&describe)
		if err := s.CallContext().Err(); err != nil || oidcauth.Live(a, c) {
			t.Errorf("the session ended with %v; the key was described anew: %t", context.Cause(s.Context()), !oidcauth.Live(a, c))
		}
		s.Close()
	})
}

// isWithin reports whether a function is on the stack of its caller.
func isWithin(function string) bool {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if is := strings.HasSuffix(frame.Function, function); is || !more {
			return is
		}
	}
}

// A session that never ends by itself is not warned of its end, at no time, and keeps no
// alarm for it.
func TestSession_OnExpiring_Never(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		s := c.Auth.NewSession(t.Context(), authenticate(t, c.Auth, issue(t, c.Local, localissuer.Request{Subject: "alice"})))
		var warned atomic.Int32
		s.OnExpiring(time.Minute, func() { warned.Add(1) })
		if _, err := s.Renew(t.Context(), issue(t, c.Local, localissuer.Request{Subject: "alice", NoExpiry: true})); err != nil {
			t.Fatal(err)
		}
		if _, _, instants := c.Auth.SessionCounts(); instants != 0 {
			t.Errorf("alarms are set for %d instants, want none", instants)
		}
		s.Warn()
		synctest.Wait()
		if n := warned.Load(); n != 0 {
			t.Errorf("warned %d times of an end that never comes", n)
		}
		s.Close()
	})
}
