package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/sigcheck"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(map[string]any{
		"jti": "token-1", "sid": "login-1", "scope": "read write", "roles": []string{"writer"},
	})

	for _, use := range []string{"first use", "second use"} {
		c, err := a.Authenticate(context.Background(), token)
		if err != nil {
			t.Fatalf("%s: Authenticate() error = %v", use, err)
		}
		if want := identity.New(issuer.URL(), "alice"); c.Identity() != want {
			t.Errorf("%s: Identity() = %v, want %v", use, c.Identity(), want)
		}
		if c.Issuer() != issuer.URL() || c.Subject() != "alice" || c.TokenID() != "token-1" || c.SessionID() != "login-1" {
			t.Errorf("%s: got issuer %q, subject %q, token ID %q, session ID %q", use, c.Issuer(), c.Subject(), c.TokenID(), c.SessionID())
		}
		if !c.HasRole("writer") || c.HasRole("admin") || !c.HasScope("write") || c.HasScope("read write") {
			t.Errorf("%s: got roles %q, scopes %q", use, slices.Collect(c.Roles()), slices.Collect(c.Scopes()))
		}
		if !c.HasAudience(testAudience) || time.Until(c.Expiry()) <= 0 || c.IssuedAt().IsZero() || !c.NotBefore().IsZero() {
			t.Errorf("%s: got audience %q, expiry %v, issued at %v, not before %v", use, slices.Collect(c.Audience()), c.Expiry(), c.IssuedAt(), c.NotBefore())
		}
	}
}

func TestAuthenticate_ForgedAfterGood(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	if _, err := a.Authenticate(context.Background(), token); err != nil {
		t.Fatal(err)
	}
	forged := []byte(token)
	forged[len(forged)-10] = 'A' + (forged[len(forged)-10]+1)%26
	if _, err := a.Authenticate(context.Background(), string(forged)); !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("Authenticate(forged) error = %v, want %v", err, oidcauth.ErrSignature)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up, trusted := newIssuer(t, oidctest.Config{})
		down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://down.test"})
		down.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, {URL: down.URL(), Audiences: []string{"x"}}},
			Client:  oidctest.Client(up, down),
		})
		if n := up.Fetches().Discovery; n != 0 {
			t.Errorf("New made %d requests, want none", n)
		}
		err := a.Ready(t.Context())
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !strings.Contains(err.Error(), "down.test") || strings.Contains(err.Error(), up.URL()) {
			t.Errorf("Ready() error = %v, want %v about the issuer that is down", err, oidcauth.ErrKeysUnavailable)
		}
		if got := a.Unready(); !slices.Equal(got, []string{down.URL()}) {
			t.Errorf("Unready() = %q, want %q", got, down.URL())
		}
		if _, err := a.Authenticate(t.Context(), up.Token(nil)); err != nil {
			t.Errorf("Authenticate() with the other issuer's token: %v", err)
		}

		down.Clear()
		time.Sleep(time.Minute)
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v, want none once the issuer is up", err)
		}
		if got := a.Unready(); len(got) != 0 {
			t.Errorf("Unready() = %q, want none", got)
		}
	})
}

// Unready looks at no key of issuers whose keys are in hand: a server may ask it at each
// request of whoever asks whether it is ready.
func TestUnready_Cost(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	answer := httptest.NewRecorder()
	issuer.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, issuer.JWKSURL(), nil))
	trusted.Keys = oidcauth.KeysFrom{JWKS: answer.Body.Bytes()}
	var many []oidcauth.Issuer
	for n := range 100 {
		trusted.URL = fmt.Sprintf("https://issuer%d.test", n)
		many = append(many, trusted)
	}
	a := newAuthenticator(t, oidcauth.Config{Issuers: many})
	if got := testing.AllocsPerRun(10, func() { a.Unready() }); got > 20 {
		t.Errorf("Unready() of 100 issuers makes %v allocations, want no one for each", got)
	}
}

func TestAuthenticate_CallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := a.Authenticate(ctx, issuer.Token(nil))
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Authenticate() error = %v, want %v by the caller's deadline", err, oidcauth.ErrKeysUnavailable)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
	})
}

// The accepted instants of a token, to the nanosecond, at its first use and
// from the cache.
func TestAuthenticate_Times(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		leeway time.Duration
		actual time.Duration
	}{
		{"default leeway", 0, 30 * time.Second},
		{"none", -1, 0},
		{"one minute", time.Minute, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cacheBytes := range []int64{0, -1} {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					a := newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
						Leeway: tt.leeway, CacheBytes: cacheBytes,
					})
					now := time.Now()
					token := issuer.Token(map[string]any{
						"iat": now.Unix(), "nbf": now.Add(5 * time.Minute).Unix(), "exp": now.Add(10 * time.Minute).Unix(),
					})
					starts, ends := now.Add(5*time.Minute-tt.actual), now.Add(10*time.Minute+tt.actual)
					expect := func(at time.Time, want error) {
						t.Helper()
						time.Sleep(time.Until(at))
						if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
							t.Errorf("at %v: Authenticate() error = %v, want %v", at.Sub(now), err, want)
						}
					}
					expect(starts.Add(-1), oidcauth.ErrNotYetValid)
					expect(starts, nil)
					expect(ends.Add(-1), nil)
					expect(ends, oidcauth.ErrExpired)
				})
			}
		})
	}
}

// A token that expires while its issuer's keys are waited for is refused, and so is a
// ticket, or one for such a token.
func TestAuthenticate_ExpiresMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		lives time.Duration // the token, when its keys are asked for
		want  error
	}{
		{"after the keys came", 6 * time.Second, nil},
		{"before", 4 * time.Second, oidcauth.ErrExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				trusted.Leeway = -1
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 5 * time.Second})
				wants(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(tt.lives).Unix()}), tt.want)
			})
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	if _, err := a.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	before := oidcauth.CacheLen(a)
	for range 2 {
		if err := a.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	}
	if after := oidcauth.CacheLen(a); before != 1 || after != 0 {
		t.Errorf("%d tokens are remembered, and %d after Close, want 1 and none", before, after)
	}
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Authenticate() error = %v after Close, want %v", err, oidcauth.ErrClosed)
	}
	// Nor is anybody told what is wrong with a token, or with keys, that were not looked at.
	for name, call := range map[string]func() error{
		"Authenticate":       func() error { _, err := a.Authenticate(t.Context(), "garbage"); return err },
		"AuthenticateTicket": func() error { _, err := a.AuthenticateTicket(from(), "garbage", "db"); return err },
		"Ready":              func() error { return a.Ready(t.Context()) },
		"Keys":               func() error { _, err := a.Keys(t.Context(), trusted.URL); return err },
	} {
		if err := call(); !errors.Is(err, oidcauth.ErrClosed) || errors.Is(err, oidcauth.ErrKeysUnavailable) {
			t.Errorf("%s: error = %v after Close, want %v", name, err, oidcauth.ErrClosed)
		}
	}
	if resp := postLogout(a, "garbage"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a logout after Close: status %d, want 503", resp.StatusCode)
	}
}

// Who waits for keys as the Authenticator is closed is told that.
func TestClose_WhileWaiting(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, a *oidcauth.Authenticator, url, token string) error{
		"Ready": func(ctx context.Context, a *oidcauth.Authenticator, _, _ string) error { return a.Ready(ctx) },
		"Keys": func(ctx context.Context, a *oidcauth.Authenticator, url, _ string) error {
			_, err := a.Keys(ctx, url)
			return err
		},
		"Authenticate": func(ctx context.Context, a *oidcauth.Authenticator, _, token string) error {
			_, err := a.Authenticate(ctx, token)
			return err
		},
		"Explain": func(ctx context.Context, a *oidcauth.Authenticator, _, token string) error {
			return a.Explain(ctx, token).Err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 5 * time.Second})
			got := make(chan error, 1)
			go func() { got <- call(t.Context(), a, trusted.URL, issuer.Token(nil)) }()
			time.Sleep(time.Second)
			a.Close()
			if err := <-got; !errors.Is(err, oidcauth.ErrClosed) {
				t.Errorf("%s: error = %v, want %v", name, err, oidcauth.ErrClosed)
			}
		})
	}
}

// A token is verified once, whether it expires or not, and is not kept in the way of
// others once it has.
func TestAuthenticate_Remembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		local := newLocal(t, localissuer.Config{NoExpiry: true})
		a := trusting(t, local)
		for name, r := range map[string]localissuer.Request{
			"one that expires": {Subject: "alice", Lifetime: time.Hour}, "one that never does": {Subject: "alice", NoExpiry: true},
		} {
			token := issue(t, local, r)
			if first := authenticate(t, a, token); authenticate(t, a, token) != first {
				t.Errorf("%s was verified twice", name)
			}
		}
	})
}

// A handClock shows the time that it was set to.
type handClock struct{ shown atomic.Pointer[time.Time] }

func (c *handClock) set(t time.Time) { c.shown.Store(&t) }

func (c *handClock) now() time.Time { return *c.shown.Load() }

// numericTimes are times as tokens write them, in digits and as they are.
var numericTimes = []struct {
	text      string
	sec, nsec int64
}{
	{"1700000000", 1700000000, 0},
	{"1700000000.5", 1700000000, 5e8},
	{"1700000000.000001", 1700000000, 1000},
	{"1.700000000999999e9", 1700000000, 999999000},
	{"0", 0, 0},
	{"-1.25", -2, 75e7},
	{"-2208988800", -2208988800, 0},
	{"253402300799", 253402300799, 0},
}

var leeways = []struct{ configured, effective time.Duration }{
	{-time.Hour, 0},
	{time.Millisecond, time.Millisecond},
	{time.Millisecond + 999, time.Millisecond}, // finer than a time is kept
	{0, 30 * time.Second},
	{time.Second + 999, time.Second},
	{5 * time.Minute, 5 * time.Minute},
}

// A token is accepted from its not-before time minus leeway on until the instant
// of its expiry plus leeway, to the nanosecond, whatever year it is, whether it
// was seen before or not.
func TestAuthenticate_Instants(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	const beginning, end = "-100000000000", "253402300799"
	claims := `{"iss":"` + issuer.URL() + `","sub":"alice","aud":"` + testAudience + `","exp":%s,"nbf":%s,"iat":%s}`
	for _, leeway := range leeways {
		for _, cache := range []int64{0, -1} {
			clock := new(handClock)
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now, Leeway: leeway.configured, CacheBytes: cache,
			})
			for _, at := range numericTimes {
				instant := time.Unix(at.sec, at.nsec)
				for _, tt := range []struct {
					name, token   string
					limit         time.Time
					before, after error
				}{
					{"exp", fmt.Sprintf(claims, at.text, beginning, beginning), instant.Add(leeway.effective), nil, oidcauth.ErrExpired},
					{"nbf", fmt.Sprintf(claims, end+".9", at.text, beginning), instant.Add(-leeway.effective), oidcauth.ErrNotYetValid, nil},
					{"iat", fmt.Sprintf(claims, end+".9", beginning, at.text), instant.Add(-leeway.effective), oidcauth.ErrIssuedInFuture, nil},
				} {
					token := issuer.Sign(nil, tt.token)
					name := fmt.Sprintf("%s %s, leeway %v", tt.name, at.text, leeway.configured)
					for _, step := range []struct {
						at   time.Time
						want error
					}{{tt.limit.Add(-1), tt.before}, {tt.limit, tt.after}, {tt.limit.Add(1), tt.after}} {
						clock.set(step.at)
						if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, step.want) {
							t.Errorf("%s, at the limit%+d ns: error = %v, want %v", name, step.at.Sub(tt.limit), err, step.want)
						}
					}
				}
			}
		}
	}
}

// Nothing is young again because a clock is beyond all reason.
func TestAuthenticate_AbsurdClock(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	clock := new(handClock)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now})
	token := issuer.Token(map[string]any{"exp": 1700000000, "iat": 1690000000, "nbf": 1690000000})
	good := time.Unix(1695000000, 0)
	for _, tt := range []struct {
		name string
		now  time.Time
		want error
	}{
		{"a good one", good, nil},
		{"year 100,000", time.Date(100_000, 1, 1, 0, 0, 0, 0, time.UTC), oidcauth.ErrExpired},
		{"year 300,000", time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), oidcauth.ErrExpired},
		{"year 584,554", time.Unix(18446744073709+1695000000-62135596800, 0), oidcauth.ErrExpired},
		{"the last second", time.Unix(math.MaxInt64-62135596800, 0), oidcauth.ErrExpired},
		{"year -300,000", time.Date(-300_000, 1, 1, 0, 0, 0, 0, time.UTC), oidcauth.ErrNotYetValid},
		{"the first second", time.Unix(math.MinInt64, 0), oidcauth.ErrNotYetValid},
	} {
		clock.set(good)
		wants(t, a, token, nil) // so that it is remembered
		clock.set(tt.now)
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A rule that panics refuses the token, and it alone; the Authenticator goes on
// working.
func TestAuthenticate_RulePanics(t *testing.T) {
	t.Parallel()
	issuer, _ := newIssuer(t, oidctest.Config{})
	fail := true
	a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{{
		URL: issuer.URL(), Audiences: []string{testAudience},
		Rules: []oidcauth.Rule{func(*oidcauth.Claims) error {
			if fail {
				panic("rule")
			}
			return nil
		}},
	}}})
	tok := issuer.Token(map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Hour)})
	for range 3 {
		refuses(t, a, tok, oidcauth.ErrAnswerUnavailable)
		fail = false
		refuses(t, a, tok, nil)
		fail = true
	}
}

// The context of a call on a session ends with the refusal of the session's
// token. That is no verdict on a token that was waiting for its key meanwhile:
// least of all may ErrExpired stand for a signature that nobody has checked.
func TestAuthenticate_CauseIsNoVerdict(t *testing.T) {
	t.Parallel()
	causes := []error{oidcauth.ErrExpired, oidcauth.ErrRevoked, oidcauth.ErrForbidden, oidcauth.ErrNoToken}
	silent := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	for _, tt := range []struct {
		name string
		cfg  oidcauth.Config
		want error
	}{
		{"configured issuer", oidcauth.Config{Client: silent, Issuers: []oidcauth.Issuer{
			{URL: "https://slow.test", Audiences: []string{testAudience}},
		}}, oidcauth.ErrKeysUnavailable},
		{"any issuer", open(silent, oidcauth.AnyIssuer{}), oidcauth.ErrUnknownIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthenticator(t, tt.cfg)
				for _, cause := range causes {
					ctx, end := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { end(&oidcauth.Refusal{Err: cause}) })
					_, err := a.Authenticate(ctx, madeUp("https://slow.test"))
					checkSole(t, err, tt.want)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Authenticate() error = %v, want %v too", err, context.Canceled)
					}
					end(nil)
				}
			})
		})
	}
}

// A caller that has gone already is not made to wait, and no fetch is begun.
func TestAuthenticate_CallerGone(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tok := issuer.Token(nil)
	if _, err := a.Authenticate(gone, tok); !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Authenticate() error = %v, want %v by %v", err, oidcauth.ErrKeysUnavailable, context.Canceled)
	}
	if n := issuer.Fetches(); n != (oidctest.Fetches{}) {
		t.Errorf("fetches = %+v, want none", n)
	}
	if _, err := a.Authenticate(t.Context(), tok); err != nil {
		t.Errorf("Authenticate() error = %v for another caller", err)
	}
	if _, err := a.Authenticate(gone, tok); err != nil {
		t.Errorf("Authenticate() error = %v with the key in hand", err)
	}
}

// TestAuthenticate_FirstUseAllocations bounds what the first use of a token allocates
// once its key has verified another: nothing for the signature, where keys are prepared.
func TestAuthenticate_FirstUseAllocations(t *testing.T) {
	for _, alg := range []string{"RS256", "RS512", "PS256", "EdDSA", "ES256"} {
		limit := 5.0
		if !sigcheck.Enabled() || alg == "ES256" {
			limit = 20
		}
		issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: alg, Claims: benchmarkClaims})
		trusted.Algorithms = []string{alg}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
		tok := issuer.Token(nil)
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		// What one use keeps for the next may be lost between the two, and is now and
		// then with the race detector: the least counts.
		least := useCost(t, a, tok)
		for range 20 {
			least = min(least, testing.AllocsPerRun(1, func() {
				if _, err := a.Authenticate(t.Context(), tok); err != nil {
					t.Fatal(err)
				}
			}))
		}
		if least > limit {
			t.Errorf("%s: got %v allocations, want %v at most", alg, least, limit)
		}
	}
}
