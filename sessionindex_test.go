package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Whoever looks at a session while it is renewed sees one token or another, and
// never parts of two.
func TestSession_RenewRace(t *testing.T) {
	t.Parallel()
	const renewals = 1000
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	tokens := make([]string, renewals)
	for i := range tokens {
		n := strconv.Itoa(i)
		tokens[i] = issuer.Token(map[string]any{"jti": n, "sid": n, "scope": n, "exp": time.Now().Add(time.Hour + time.Duration(i)*time.Second).Unix()})
	}
	s := a.NewSession(t.Context(), authenticate(t, a, tokens[0]))
	consistent := func(c *oidcauth.Claims) bool {
		i, err := strconv.Atoi(c.TokenID())
		return err == nil && c.SessionID() == c.TokenID() && c.HasScope(c.TokenID()) &&
			string(c.Payload()) != "" && c.Expiry().Sub(c.IssuedAt()) >= time.Duration(i)*time.Second
	}
	var wg sync.WaitGroup
	for i := range renewals {
		wg.Go(func() {
			if c, err := s.Renew(t.Context(), tokens[i]); err != nil || c.TokenID() != strconv.Itoa(i) {
				t.Errorf("Renew() = %v, %v", c, err)
			}
		})
		wg.Go(func() {
			ctx := s.CallContext()
			c, ok := oidcauth.FromContext(ctx)
			again, _ := oidcauth.FromContext(ctx)
			if !ok || c != again || !consistent(c) || !consistent(s.Claims()) {
				t.Errorf("a call acts for %v", c)
			}
		})
	}
	wg.Wait()
	if live, _, instants := a.SessionCounts(); live != 1 || instants != 1 || s.Context().Err() != nil {
		t.Errorf("%d sessions and %d instants after all renewals, want one", live, instants)
	}
	revoke(t, a, oidcauth.Revocation{TokenID: s.Claims().TokenID()})
	if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) {
		t.Errorf("cause = %v after the current token was revoked, want %v", context.Cause(s.Context()), oidcauth.ErrRevoked)
	}
}

// However sessions begin, are renewed and end at once, none is missed: after a
// revocation has returned no session under what it revokes is alive.
func TestSession_RevokeRace(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for round := range 100 {
		login := fmt.Sprintf("login-%d", round)
		c := authenticate(t, a, issuer.Token(map[string]any{"sid": login}))
		plain := authenticate(t, a, issuer.Token(nil))
		token := issuer.Token(map[string]any{"sid": login, "jti": login})
		var wg sync.WaitGroup
		var mu sync.Mutex // guards sessions
		var sessions []*oidcauth.Session
		for range 4 {
			wg.Go(func() {
				fresh, renewed := a.NewSession(t.Context(), c), a.NewSession(t.Context(), plain)
				_, err := renewed.Renew(t.Context(), token)
				mu.Lock()
				defer mu.Unlock()
				sessions = append(sessions, fresh)
				if err == nil {
					sessions = append(sessions, renewed)
				} else {
					renewed.Close()
				}
			})
		}
		wg.Go(func() { revoke(t, a, oidcauth.Revocation{SessionID: login}) })
		wg.Wait()
		for _, s := range sessions {
			if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) {
				t.Fatalf("round %d: cause = %v, want %v", round, context.Cause(s.Context()), oidcauth.ErrRevoked)
			}
		}
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
}

// Sessions need no goroutine, and leave nothing behind.
func TestSession_Leak(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c := authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1", "sid": "login-1"}))
	before := runtime.NumGoroutine()
	sessions := make([]*oidcauth.Session, 10_000)
	for i := range sessions {
		sessions[i] = a.NewSession(t.Context(), c)
		sessions[i].OnExpiring(time.Minute, func() {})
	}
	if after := runtime.NumGoroutine(); after > before+10 {
		t.Errorf("%d goroutines for %d sessions", after-before, len(sessions))
	}
	for _, s := range sessions[:len(sessions)/2] {
		s.Close()
	}
	revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
	for i, s := range sessions {
		if s.Context().Err() == nil {
			t.Fatalf("session %d is alive", i)
		}
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
}

// Every sentinel has a close code, with a reason short enough for a WebSocket.
func TestCloseCode(t *testing.T) {
	t.Parallel()
	const unauthorized, forbidden, goingAway, tryAgain, internal = 3000, 3003, 1001, 1013, 1011
	want := map[error]int{
		oidcauth.ErrNoToken: unauthorized, oidcauth.ErrMalformedRequest: unauthorized,
		oidcauth.ErrMalformedToken: unauthorized, oidcauth.ErrUnknownIssuer: unauthorized,
		oidcauth.ErrAlgorithm: unauthorized, oidcauth.ErrUnknownKey: unauthorized,
		oidcauth.ErrSignature: unauthorized, oidcauth.ErrExpired: unauthorized,
		oidcauth.ErrNotYetValid: unauthorized, oidcauth.ErrIssuedInFuture: unauthorized,
		oidcauth.ErrClaim: unauthorized, oidcauth.ErrAudience: unauthorized,
		oidcauth.ErrTokenType: unauthorized, oidcauth.ErrRule: unauthorized,
		oidcauth.ErrRevoked: unauthorized, oidcauth.ErrForbidden: forbidden,
		oidcauth.ErrOrigin: forbidden, oidcauth.ErrIdentityMismatch: forbidden,
		oidcauth.ErrKeysUnavailable: tryAgain, oidcauth.ErrRevocationsUnavailable: tryAgain,
		oidcauth.ErrClosed: goingAway, errors.New("of the program"): internal,
	}
	for err, code := range want {
		refusal := &oidcauth.Refusal{Check: "a check", Got: "something long and secret", Err: fmt.Errorf("%w: for a reason", err)}
		got, reason := oidcauth.CloseCode(refusal)
		if got != code || reason == "" || len(reason) > 123 || len(reason) > 60 {
			t.Errorf("CloseCode(%v) = %d %q, want %d and a short reason", err, got, reason, code)
		}
		status, _, description := oidcauth.Answer(refusal)
		if reason != description || (status == http.StatusInternalServerError) != (code == internal) {
			t.Errorf("CloseCode(%v) says %q, Answer %d %q", err, reason, status, description)
		}
	}
}

// A session takes less than 1 KiB beside its claims, which the cache shares.
func TestSession_Memory(t *testing.T) {
	const many, limit = 2000, 1 << 10
	issuer, trusted := newIssuer(t, oidctest.Config{})
	auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	claims := make([]*oidcauth.Claims, many)
	for i := range claims {
		claims[i] = authenticate(t, auth, issuer.Token(map[string]any{
			"sub": fmt.Sprintf("user-%d", i), "jti": fmt.Sprintf("token-%d", i), "sid": "login",
		}))
	}
	sessions := make([]*oidcauth.Session, many)
	before := heapInUse()
	for i, c := range claims {
		sessions[i] = auth.NewSession(t.Context(), c)
		sessions[i].Context().Done() // what waits for the end makes a channel
	}
	got := (int64(heapInUse()) - int64(before)) / many
	if got <= 0 || got > limit {
		t.Errorf("%d bytes for each session, want at most %d", got, limit)
	}
	t.Logf("%d bytes for each session", got)
	runtime.KeepAlive(sessions)
}

// A session lives on while its key may vouch for its tenant's tokens, whatever
// else is said of the key, and no longer.
func TestSession_KeyDescribedAnew(t *testing.T) {
	t.Parallel()
	const other = "https://issuer.test/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0"
	for _, tt := range []struct {
		name   string
		before string
		change func(jwk map[string]any)
		want   error
	}{
		{"nothing but a name added", template, func(jwk map[string]any) { jwk["x5t"] = "AAAA" }, nil},
		{"use left out", template, func(jwk map[string]any) { delete(jwk, "use") }, nil},
		{"algorithm left out", template, func(jwk map[string]any) { delete(jwk, "alg") }, nil},
		{"operations added", template, func(jwk map[string]any) { jwk["key_ops"] = []string{"verify"} }, nil},
		{"given to its own tenant", template, func(jwk map[string]any) { jwk["issuer"] = tenantURL(tenantA) }, nil},
		{"given to all tenants", tenantURL(tenantA), func(jwk map[string]any) { jwk["issuer"] = template }, nil},
		{"given to another tenant", template, func(jwk map[string]any) { jwk["issuer"] = other }, oidcauth.ErrUnknownKey},
		{"moved to another tenant", tenantURL(tenantA), func(jwk map[string]any) { jwk["issuer"] = other }, oidcauth.ErrUnknownKey},
		{"of no tenant", template, func(jwk map[string]any) { delete(jwk, "issuer") }, oidcauth.ErrUnknownKey},
		{"for encryption now", template, func(jwk map[string]any) { jwk["use"] = "enc" }, oidcauth.ErrUnknownKey},
		{"for signing alone now", template, func(jwk map[string]any) { jwk["key_ops"] = []string{"sign"} }, oidcauth.ErrUnknownKey},
		{"for another algorithm now", template, func(jwk map[string]any) { jwk["alg"] = "ES384" }, oidcauth.ErrUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := discoveredTenants(t, template)
				key, spare := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}), issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"})
				publish := func(change func(jwk map[string]any)) {
					jwk := map[string]any{}
					if err := json.Unmarshal(key.JWK(), &jwk); err != nil {
						t.Fatal(err)
					}
					jwk["issuer"] = tt.before
					change(jwk)
					issuer.RemoveKeys()
					issuer.AddJWK(jwk)
					publishFor(t, issuer, spare, template)
				}
				publish(func(map[string]any) {})
				a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
				claims, err := a.Authenticate(t.Context(), key.Token(map[string]any{
					"iss": tenantURL(tenantA), "tid": tenantA, "aud": testAudience, "exp": time.Now().Add(100 * time.Hour).Unix(),
				}))
				if err != nil {
					t.Fatal(err)
				}
				s := a.NewSession(t.Context(), claims)
				defer s.Close()
				publish(tt.change)
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if cause := context.Cause(s.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("the session's cause is %v, want %v", cause, tt.want)
				}
				late := a.NewSession(t.Context(), claims)
				defer late.Close()
				if cause := context.Cause(late.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("a session begun after that: its cause is %v, want %v", cause, tt.want)
				}
			})
		})
	}
}

// An issuer of one tenant may say whose its keys are, or not, as it likes.
func TestSession_KeyNamesItsIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
		key := issuer.Key()
		claims, err := a.Authenticate(t.Context(), key.Token(map[string]any{"exp": time.Now().Add(100 * time.Hour).Unix()}))
		if err != nil {
			t.Fatal(err)
		}
		s := a.NewSession(t.Context(), claims)
		defer s.Close()
		issuer.RemoveKeys()
		publishFor(t, issuer, key, issuer.URL())
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if err := s.Context().Err(); err != nil {
			t.Errorf("the session has ended: %v", context.Cause(s.Context()))
		}
	})
}

// A session ends at the very nanosecond at which Authenticate begins to refuse
// its token, and with its refusal.
func TestSession_EndsAtTheInstant(t *testing.T) {
	t.Parallel()
	for _, leeway := range leeways {
		for _, fraction := range []string{"", ".5", ".000001", ".0000019", ".9999999"} {
			t.Run(fmt.Sprintf("%v%s", leeway.configured, fraction), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: leeway.configured})
					payload := fmt.Sprintf(`{"iss":%q,"sub":"alice","aud":%q,"exp":%d%s}`, issuer.URL(), testAudience, time.Now().Add(time.Hour).Unix(), fraction)
					token := issuer.Sign(nil, payload)
					s := a.NewSession(t.Context(), authenticate(t, a, token))
					end := s.Claims().Expiry().Add(leeway.effective)
					time.Sleep(time.Until(end) - 1)
					expectEnd(t, s, nil)
					wants(t, a, token, nil)
					time.Sleep(time.Nanosecond)
					expectEnd(t, s, oidcauth.ErrExpired)
					wants(t, a, token, oidcauth.ErrExpired)
					if err := s.CallContext().Err(); !errors.Is(err, context.Canceled) {
						t.Errorf("the call's context has error %v", err)
					}
				})
			})
		}
	}
}

const manySessions = 100_000

// A crowd is the claims of many tokens that have nothing but the login session
// and the expiry in common, at an Authenticator whose clock can be set.
type crowd struct {
	auth   *oidcauth.Authenticator
	claims []*oidcauth.Claims
	others []*oidcauth.Claims // their expiries follow at intervals of a millisecond
	expiry time.Time
	offset atomic.Int64
}

func newCrowd(b *testing.B) *crowd {
	b.Helper()
	const others = 1000
	c := &crowd{expiry: time.Now().Add(24 * time.Hour).Truncate(time.Second)}
	issuer, trusted := newIssuer(b, oidctest.Config{})
	c.auth = newAuthenticator(b, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1,
		Now: func() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) },
	})
	for i := range manySessions {
		c.claims = append(c.claims, authenticate(b, c.auth, issuer.Token(map[string]any{
			"sub": fmt.Sprintf("user-%d", i), "jti": fmt.Sprintf("token-%d", i), "sid": "login", "exp": c.expiry.Unix(),
		})))
	}
	for i := range others {
		at := c.expiry.Add(time.Duration(i+1) * time.Millisecond)
		c.others = append(c.others, authenticate(b, c.auth, issuer.Token(map[string]any{"exp": float64(at.UnixMilli()) / 1000})))
	}
	return c
}

func (c *crowd) setClock(t time.Time) { c.offset.Store(int64(time.Until(t))) }

func (c *crowd) open(claims []*oidcauth.Claims) []*oidcauth.Session {
	sessions := make([]*oidcauth.Session, len(claims))
	for i, c1 := range claims {
		sessions[i] = c.auth.NewSession(context.Background(), c1)
	}
	return sessions
}

// BenchmarkSessions measures 100,000 sessions: what memory they take, how long
// they take to end by one revocation, and how long by expiry at one instant.
func BenchmarkSessions(b *testing.B) {
	c := newCrowd(b)
	b.Run("memory", func(b *testing.B) { benchmarkMemory(b, c) })
	b.Run("revoke", func(b *testing.B) { benchmarkRevokeAll(b, c) })
	b.Run("expire", func(b *testing.B) { benchmarkExpireAll(b, c) })
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// benchmarkMemory counts the sessions' contexts and alarms and not their claims,
// which the cache of tokens shares.
func benchmarkMemory(b *testing.B, c *crowd) {
	for b.Loop() {
		before := heapInUse()
		sessions := c.open(c.claims)
		idle := heapInUse()
		for _, s := range sessions {
			s.Context().Done() // what waits for the end makes a channel
		}
		watched := heapInUse()
		b.ReportMetric(float64(idle-before)/manySessions, "B/session")
		b.ReportMetric(float64(watched-before)/manySessions, "B/watched-session")
		for _, s := range sessions {
			s.Close()
		}
	}
	runtime.KeepAlive(c)
}

func benchmarkRevokeAll(b *testing.B, c *crowd) {
	for b.Loop() {
		b.StopTimer()
		sessions := c.open(c.claims)
		until := c.auth.Now().Add(time.Minute)
		b.StartTimer()
		if err := c.auth.Revoke(b.Context(), oidcauth.Revocation{SessionID: "login", Until: until}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for _, s := range sessions {
			if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) {
				b.Fatalf("cause = %v", context.Cause(s.Context()))
			}
		}
		c.setClock(until)
		b.StartTimer()
	}
}

// benchmarkExpireAll also measures how late other sessions end meanwhile.
func benchmarkExpireAll(b *testing.B, c *crowd) {
	for b.Loop() {
		b.StopTimer()
		sessions, others, delays := c.openBeforeExpiry()
		time.Sleep(c.expiry.Sub(c.auth.Now()))
		b.StartTimer()
		for live := manySessions; live > len(c.others); live, _, _ = c.auth.SessionCounts() {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		b.ReportMetric(float64(c.auth.Now().Sub(c.expiry).Milliseconds()), "ms/all")
		var late []time.Duration
		for range others {
			late = append(late, <-delays)
		}
		slices.Sort(late)
		b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "ms-late-median")
		b.ReportMetric(float64(late[len(late)-1].Microseconds())/1000, "ms-late-worst")
		runtime.KeepAlive(sessions)
		b.StartTimer()
	}
}

// openBeforeExpiry opens all sessions, of which the others say how late they end.
// A machine that is too slow to do so before they end gets twice the time.
func (c *crowd) openBeforeExpiry() (sessions, others []*oidcauth.Session, delays chan time.Duration) {
	for lead := 5 * time.Second; ; lead *= 2 {
		c.setClock(c.expiry.Add(-lead))
		delays = make(chan time.Duration, len(c.others))
		others = c.open(c.others)
		for _, s := range others {
			end := s.Claims().Expiry()
			context.AfterFunc(s.Context(), func() { delays <- c.auth.Now().Sub(end) })
		}
		sessions = c.open(c.claims)
		if c.auth.Now().Before(c.expiry) {
			return sessions, others, delays
		}
		for _, s := range slices.Concat(sessions, others) {
			s.Close()
		}
	}
}

// BenchmarkSession_CallContext measures what each call on a connection pays.
func BenchmarkSession_CallContext(b *testing.B) {
	issuer, trusted := newIssuer(b, oidctest.Config{})
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	s := a.NewSession(context.Background(), authenticate(b, a, issuer.Token(nil)))
	b.ReportAllocs()
	for b.Loop() {
		if s.CallContext().Err() != nil {
			b.Fatal("session ended")
		}
	}
}

// BenchmarkRevoke_Lookup measures Authenticate while every token has to be looked
// up among 100,000 revocations, because each call comes after a new one.
func BenchmarkRevoke_Lookup(b *testing.B) {
	issuer, trusted := newIssuer(b, oidctest.Config{})
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(map[string]any{"jti": "token", "sid": "login"})
	for i := range 100_000 {
		if err := a.Revoke(b.Context(), oidcauth.Revocation{TokenID: fmt.Sprint(i)}); err != nil {
			b.Fatal(err)
		}
	}
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		next++
		if err := a.Revoke(b.Context(), oidcauth.Revocation{SessionID: fmt.Sprint(next)}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := a.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// A session keeps its issuer's keys in use, and with each renewal those of the token
// that it lives by then: none that it has left is held, whatever became of the renewal.
func TestSession_RenewReleases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		token := func(n int) string { return issuers[0].Token(map[string]any{"jti": fmt.Sprint("token-", n)}) }
		c := wants(t, a, token(1), nil)
		s, other := a.NewSession(t.Context(), c), a.NewSession(t.Context(), c)
		held := func(when string, want bool, live int) {
			t.Helper()
			got, _, _ := a.SessionCounts()
			if oidcauth.KeysHeld(c) != want || got != live {
				t.Errorf("%s: keys held = %t, %d sessions, want %t, %d", when, oidcauth.KeysHeld(c), got, want, live)
			}
		}
		held("at first", true, 2)
		for _, n := range []int{2, 3, 3, 1} {
			if _, err := s.Renew(t.Context(), token(n)); err != nil {
				t.Fatal(err)
			}
			held(fmt.Sprint("renewed with token ", n), true, 2)
		}
		for name, token := range map[string]string{
			"another caller's": issuers[0].Token(map[string]any{"sub": "mallory"}), "another issuer's": issuers[1].Token(nil), "no token": "x",
		} {
			if _, err := s.Renew(t.Context(), token); err == nil {
				t.Errorf("%s: Renew() error = nil", name)
			}
		}
		held("renewals that were refused", true, 2)
		other.Close()
		held("one closed", true, 1)
		s.Close()
		held("both closed", false, 0)
		if _, err := s.Renew(t.Context(), token(4)); !errors.Is(err, oidcauth.ErrClosed) {
			t.Errorf("Renew() of a closed one: error = %v, want %v", err, oidcauth.ErrClosed)
		}
		held("renewed once closed", false, 0)
	})
}
