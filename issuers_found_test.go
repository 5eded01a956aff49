package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A customers is a program's own table of issuers.
type customers struct {
	mu      sync.Mutex
	table   map[string][]oidcauth.Issuer
	fail    error
	delay   time.Duration
	asked   map[string]int
	running atomic.Int32
	most    atomic.Int32
}

func (c *customers) find(ctx context.Context, name string) ([]oidcauth.Issuer, error) {
	if n := c.running.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	defer c.running.Add(-1)
	c.mu.Lock()
	delay := c.delay
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[name]++
	c.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table[name], c.fail
}

func (c *customers) set(name string, issuers ...oidcauth.Issuer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.table == nil {
		c.table = map[string][]oidcauth.Issuer{}
	}
	c.table[name] = issuers
}

func (c *customers) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

func (c *customers) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[name]
}

func TestFindIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.Roles, described.LogoutAudiences = []oidcauth.Path{{"groups"}}, []string{"app"}
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"groups": "admin", "sid": "login"})

		// A thousand who come at once have one question asked.
		c.change(func() { c.delay = time.Second })
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { refuses(t, a, token, nil) })
		}
		wg.Wait()
		if n := c.count(described.URL); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
		claims := authenticate(t, a, token)
		if !claims.HasRole("admin") {
			t.Error("the description does not count as a whole")
		}
		refuses(t, a, issuer.Token(map[string]any{"aud": "x"}), oidcauth.ErrAudience)

		// None is remembered for a minute.
		stranger := oidctest.NewIssuer(t, oidctest.Config{URL: "https://stranger.test"})
		for range 5 {
			refuses(t, a, stranger.Token(nil), oidcauth.ErrUnknownIssuer)
		}
		if n := c.count(stranger.URL()); n != 1 {
			t.Errorf("asked %d times for one that is not known, want once", n)
		}
		time.Sleep(time.Minute)
		refuses(t, a, stranger.Token(nil), oidcauth.ErrUnknownIssuer)
		if n := c.count(stranger.URL()); n != 2 {
			t.Errorf("asked %d times after a minute, want twice", n)
		}

		// A name that no issuer can have is not asked for.
		const impossible = "https://customer.test|x"
		refuses(t, a, issuer.Token(map[string]any{"iss": impossible}), oidcauth.ErrUnknownIssuer)
		if n := c.count(impossible); n != 0 {
			t.Errorf("asked %d times for %q", n, impossible)
		}

		// A logout finds the issuer, too.
		s := a.NewSession(t.Context(), claims)
		form := url.Values{"logout_token": {issuer.Token(map[string]any{
			"aud": "app", "jti": "1", "sub": nil, "sid": "login",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		})}}
		r := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		a.LogoutHandler().ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			t.Errorf("the logout was answered with %d: %s", answer.Code, answer.Body)
		}
		expectEnd(t, s, oidcauth.ErrRevoked)
		if report := a.Explain(t.Context(), issuer.Token(map[string]any{"aud": "x"})); !errors.Is(report.Err, oidcauth.ErrAudience) {
			t.Errorf("Explain() error = %v", report.Err)
		}
		if keys, err := a.Keys(t.Context(), described.URL); err != nil || len(keys.Keys) != 1 {
			t.Errorf("Keys() = %v, error %v", keys, err)
		}
		if again, err := a.UnverifiedClaims(claims.Payload(), nil); err != nil || !again.HasRole("admin") {
			t.Errorf("UnverifiedClaims() error = %v", err)
		}
	})
}

// The program's table that cannot be read says nothing of a token, and of an issuer
// that it named before for ten minutes no more than it said then.
func TestFindIssuer_Fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		c := customers{fail: errors.New("table is locked")}
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour)})
		_, err := a.Authenticate(t.Context(), token)
		refused, ok := errors.AsType[*oidcauth.Refusal](err)
		if !ok || !errors.Is(err, oidcauth.ErrKeysUnavailable) || refused.RetryAfter() <= 0 || !errors.Is(err, c.fail) {
			t.Errorf("Authenticate() error = %v", err)
		}
		c.change(func() { c.fail = nil })
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		c.change(func() { c.fail = errors.New("table is locked") })
		for range 9 {
			time.Sleep(time.Minute)
			refuses(t, a, token, nil)
		}
		expectEnd(t, s, nil)
		time.Sleep(2 * time.Minute)
		refuses(t, a, token, oidcauth.ErrKeysUnavailable)
		expectEnd(t, s, oidcauth.ErrKeysUnavailable)
		c.change(func() { c.fail = nil })
		refuses(t, a, token, nil)
	})
}

// So it is of a customer from whom nobody came for some minutes.
func TestFindIssuer_FailsAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(nil)
		refuses(t, a, token, nil)
		c.change(func() { c.fail = errors.New("table is locked") })
		time.Sleep(5 * time.Minute)
		refuses(t, a, token, nil)
		refuses(t, a, issuer.Token(map[string]any{"jti": "another"}), nil)
		time.Sleep(4 * time.Minute)
		refuses(t, a, token, nil)
		time.Sleep(2 * time.Minute)
		refuses(t, a, token, oidcauth.ErrKeysUnavailable)
	})
}

// What becomes of a customer is noticed, whether or not anybody calls meanwhile.
func TestFindIssuer_Changes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		now     func(oidcauth.Issuer) []oidcauth.Issuer
		want    error // of the token
		session error
	}{
		{"nothing", func(i oidcauth.Issuer) []oidcauth.Issuer { return []oidcauth.Issuer{i} }, nil, nil},
		{"other roles", func(i oidcauth.Issuer) []oidcauth.Issuer {
			i.Roles = []oidcauth.Path{{"groups"}}
			return []oidcauth.Issuer{i}
		}, nil, nil},
		{"another audience", func(i oidcauth.Issuer) []oidcauth.Issuer {
			i.Audiences = []string{"x"}
			return []oidcauth.Issuer{i}
		}, oidcauth.ErrAudience, oidcauth.ErrAudience},
		{"removed", func(oidcauth.Issuer) []oidcauth.Issuer { return nil }, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
	} {
		for _, use := range []string{"used", "used by a session alone", "left alone"} {
			t.Run(tt.name+", "+use, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
					var c customers
					c.set(described.URL, described)
					a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
					token := issuer.Token(map[string]any{"roles": "r", "groups": "g"})
					claims := authenticate(t, a, token)
					var s *oidcauth.Session
					if use != "left alone" {
						s = a.NewSession(t.Context(), claims)
					}
					time.Sleep(4 * time.Minute)
					if use == "used" {
						refuses(t, a, token, nil)
					}
					changed := tt.now(described)
					c.set(described.URL, changed...)
					time.Sleep(90 * time.Second)
					if s != nil {
						expectEnd(t, s, tt.session)
					}
					refuses(t, a, token, tt.want)
					if len(changed) == 1 && len(changed[0].Roles) > 0 {
						if !authenticate(t, a, token).HasRole("g") || s != nil && !s.Claims().HasRole("g") {
							t.Error("the roles are the former ones")
						}
					}
					if n := issuer.Fetches().JWKS; n != 1 {
						t.Errorf("%d fetches of the keys, want 1", n)
					}
				})
			})
		}
	}
}

// How many are asked for, remembered and let go of is bounded.
func TestFindIssuer_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c customers
		var issuers []*oidctest.Issuer
		var tokens []string
		for n := range 12 {
			i, described := newIssuer(t, oidctest.Config{URL: fmt.Sprintf("https://customer-%d.test", n)})
			c.set(described.URL, described)
			issuers, tokens = append(issuers, i), append(tokens, i.Token(map[string]any{"exp": time.Now().Add(time.Hour)}))
		}
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, MaxFoundIssuers: 10, Client: oidctest.Client(issuers...)})
		for n := range 10 {
			refuses(t, a, tokens[n], nil)
		}
		s := a.NewSession(t.Context(), authenticate(t, a, tokens[3]))
		refuses(t, a, tokens[10], oidcauth.ErrKeysUnavailable)
		time.Sleep(8 * time.Minute)
		refuses(t, a, tokens[0], nil)
		refuses(t, a, tokens[10], oidcauth.ErrKeysUnavailable)
		time.Sleep(8 * time.Minute)
		refuses(t, a, tokens[10], nil)
		expectEnd(t, s, nil)
		if n := c.count(issuers[3].URL()); n < 16 {
			t.Errorf("the issuer of a session was asked for %d times in 16 minutes", n)
		}
		before := c.count(issuers[5].URL())
		time.Sleep(time.Hour / 3)
		if n := c.count(issuers[5].URL()); n != before {
			t.Errorf("an issuer that nobody uses was asked for %d times", n-before)
		}

		// A flood of names: no more than so many at once and a second, and each caller
		// has a turn.
		c.change(func() { c.delay = 100 * time.Millisecond })
		c.most.Store(0)
		flood := oidctest.NewIssuer(t, oidctest.Config{URL: "https://flood.test"})
		var wg sync.WaitGroup
		ctx := oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr("192.0.2.1"))
		var unknown, postponed atomic.Int32
		for n := range 2000 {
			wg.Go(func() {
				_, err := a.Authenticate(ctx, flood.Token(map[string]any{"iss": fmt.Sprintf("https://flood-%d.test", n)}))
				switch {
				case errors.Is(err, oidcauth.ErrUnknownIssuer):
					unknown.Add(1)
				case errors.Is(err, oidcauth.ErrKeysUnavailable):
					postponed.Add(1)
				default:
					t.Errorf("Authenticate() error = %v", err)
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		honest := oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr("198.51.100.7"))
		if _, err := a.Authenticate(honest, tokens[11]); err != nil {
			t.Errorf("beside the flood: error = %v", err)
		}
		wg.Wait()
		if n := c.most.Load(); n > 16+4 {
			t.Errorf("%d questions at once, want 16 at most, and 4 for issuers in use", n)
		}
		if unknown.Load() == 0 || postponed.Load() == 0 {
			t.Errorf("%d asked for, %d put off", unknown.Load(), postponed.Load())
		}
	})
}

// A request is accounted to its address where issuers are looked up, too.
func TestFindIssuer_CallerContext(t *testing.T) {
	a := newAuthenticator(t, oidcauth.Config{FindIssuer: new(customers).find})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	if got := oidcauth.CallerAccount(a.CallerContext(r)); got != netip.MustParseAddr("192.0.2.7") {
		t.Errorf("accounted to %v", got)
	}
}

// What the program says is checked like any configuration, and takes no name that is
// configured.
func TestFindIssuer_Refuses(t *testing.T) {
	configured, own := newIssuer(t, oidctest.Config{URL: "https://own.test"})
	issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
	with := func(change func(*oidcauth.Issuer)) []oidcauth.Issuer {
		i := described
		change(&i)
		return []oidcauth.Issuer{i}
	}
	const place = "a template and a KeySource have their place in Config.Issuers and SetIssuers"
	for _, row := range []struct {
		name   string
		answer []oidcauth.Issuer
		says   string
	}{
		{"a description that is not valid", with(func(i *oidcauth.Issuer) { i.Audiences = nil }), "Audiences is empty"},
		{"another issuer", with(func(i *oidcauth.Issuer) { i.URL = "https://other.test" }), "want that as URL or among Aliases"},
		{"two issuers", append(with(func(*oidcauth.Issuer) {}), with(func(i *oidcauth.Issuer) { i.URL, i.Aliases = "https://x.test", []string{described.URL} })...), `descriptions of issuers "https://customer.test" and "https://x.test", want those of one`},
		{"a configured issuer under its name", with(func(i *oidcauth.Issuer) { i.URL, i.Aliases = own.URL, []string{described.URL} }), "is configured by one of its names"},
		{"with the alias of a configured issuer", with(func(i *oidcauth.Issuer) { i.Aliases = []string{own.URL} }), "is configured by one of its names"},
		{"a template", with(func(i *oidcauth.Issuer) {
			i.URL, i.TenantClaim, i.Aliases = "https://customer.test/{id}", "tid", []string{described.URL}
		}), place},
		{"a source of keys", with(func(i *oidcauth.Issuer) { i.Keys.Source = brokenSource{} }), place},
	} {
		var c customers
		c.set(described.URL, row.answer...)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{own}, FindIssuer: c.find, Client: oidctest.Client(configured, issuer)})
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrKeysUnavailable) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: error = %v, want %v that says %q", row.name, err, oidcauth.ErrKeysUnavailable, row.says)
		}
		refuses(t, a, configured.Token(nil), nil)
	}
	if _, err := oidcauth.New(oidcauth.Config{FindIssuer: new(customers).find, MaxFoundIssuers: -1}); err == nil {
		t.Error("New() takes a negative MaxFoundIssuers")
	}
}

// An issuer goes from one list to the other, and its tokens are judged by where it is.
func TestFindIssuer_AndOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		own := described
		own.Roles = []oidcauth.Path{{"own"}}
		described.Roles = []oidcauth.Path{{"found"}}
		anybody := oidcauth.AnyIssuer{Audiences: []string{testAudience}, Roles: []oidcauth.Path{{"strange"}}}
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: c.find, Client: issuer.Client(),
			AnyIssuer: oidcauth.WithNetwork(anybody, nil, func(netip.AddrPort) bool { return true }),
		})
		token := issuer.Token(map[string]any{"own": "own", "found": "found", "strange": "strange", "exp": time.Now().Add(24 * time.Hour)})
		var s *oidcauth.Session
		for _, step := range []struct {
			name string
			do   func()
			role string
			live string // whether the session of before goes on: not where nobody knows at once who is asked
		}{
			{"a stranger", func() {}, "strange", "no"},
			{"found", func() {
				c.set(described.URL, described)
				time.Sleep(61 * time.Second)
				authenticate(t, a, issuer.Token(map[string]any{"found": "found"}))
			}, "found", "no"},
			{"configured", func() { setIssuers(t, a, own) }, "own", "no"},
			{"found again", func() { setIssuers(t, a) }, "found", "yes"},
			{"a stranger again", func() { c.set(described.URL); time.Sleep(2 * time.Minute) }, "strange", "either"},
			{"configured at once", func() { setIssuers(t, a, own) }, "own", "no"},
			{"a stranger at last", func() { setIssuers(t, a) }, "strange", "either"},
		} {
			step.do()
			synctest.Wait()
			if s != nil && step.live != "either" && (s.Context().Err() == nil) != (step.live == "yes") {
				t.Errorf("%s: the session of before ended with %v", step.name, context.Cause(s.Context()))
			}
			for range 2 {
				if c := authenticate(t, a, token); !c.HasRole(step.role) {
					t.Errorf("%s: without the role %q", step.name, step.role)
				}
			}
			if s == nil || s.Context().Err() != nil {
				s = a.NewSession(t.Context(), authenticate(t, a, token))
			}
			if !s.Claims().HasRole(step.role) {
				t.Errorf("%s: the session has the roles of before", step.name)
			}
		}
	})
}

// Who cannot wait for the program's table is told that, and when to come back, and who
// comes when all is over is told so.
func TestFindIssuer_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		c := customers{delay: 3 * time.Second}
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the call's time is up"))
		defer cancel()
		_, err := a.Authenticate(ctx, token)
		checkSole(t, err, oidcauth.ErrKeysUnavailable)
		if r, is := errors.AsType[*oidcauth.Refusal](err); !is || !strings.HasSuffix(r.Error(), "the call's time is up") || strings.Contains(r.Error(), "looked up") || r.RetryAfter() != time.Second {
			t.Errorf("Authenticate() error = %v, want that the call's time is up, and a second", err)
		}
		refuses(t, a, token, nil)
		a.Close()
		_, err = a.Authenticate(t.Context(), token)
		checkSole(t, err, oidcauth.ErrClosed)
	})
}

// An issuer all of whose tokens are in the cache is in use: it is asked for again before
// anybody would wait for that.
func TestFindIssuer_UseThroughTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		token := issuer.Token(nil)
		refuses(t, a, token, nil)
		c.change(func() { c.delay = time.Second })
		for range 60 {
			time.Sleep(20 * time.Second)
			began := time.Now()
			if refuses(t, a, token, nil); time.Since(began) != 0 {
				t.Fatalf("waited %v for an issuer in use", time.Since(began))
			}
		}
	})
}

// Keys that are kept, because a description that was found says where they are as the
// former did, count by the description of now.
func TestFindIssuer_KeptKeys(t *testing.T) {
	for _, reused := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
			var c customers
			c.set(described.URL, described)
			a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
			refuses(t, a, issuer.Token(nil), nil)
			described.Keys.ReusesKeyIDs = reused
			c.set(described.URL, described)
			issuer.ReuseKeyID()
			time.Sleep(2 * time.Minute)
			want := oidcauth.ErrSignature
			if reused {
				want = nil
			}
			refuses(t, a, issuer.Token(nil), want)
		})
	}
}

// The log is told of keys that were kept from before, once their issuer is found.
func TestFindIssuer_KeyCacheDir(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		token := issuer.Token(nil)
		for _, state := range []string{"to=fresh", "to=stale"} {
			var log authtest.Log
			a := newAuthenticator(t, oidcauth.Config{
				FindIssuer: c.find, Client: issuer.Client(), KeyCacheDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			refuses(t, a, token, nil)
			a.Close()
			if !strings.Contains(log.String(), state) {
				t.Errorf("the log has %s, want a line with %s", log.String(), state)
			}
		}
	})
}

// A function that does not return when it is told to holds Close up for five seconds, and
// what it says later is let go of.
func TestFindIssuer_CloseWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: func(context.Context, string) ([]oidcauth.Issuer, error) {
				time.Sleep(time.Hour)
				return []oidcauth.Issuer{trusted}, nil
			},
			Client: issuer.Client(), KeepWarm: true,
			Trace: &authtrace.Hooks{KeysFetched: func(authtrace.KeyFetch) { t.Error("keys are fetched after Close") }},
		})
		token := issuer.Token(nil)
		go func() { _, _ = a.Authenticate(context.Background(), token) }()
		synctest.Wait()
		began := time.Now()
		a.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close() took %v, want five seconds", took)
		}
		time.Sleep(2 * time.Hour)
		wants(t, a, token, oidcauth.ErrClosed)
	})
}
