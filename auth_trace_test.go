package oidcauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A witness remembers the last decision it was told of, and how many there were.
type witness struct {
	mu    sync.Mutex // guards what follows
	last  authtrace.Decision
	ctx   context.Context
	count int
}

func (w *witness) decided(ctx context.Context, d authtrace.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.ctx = d, ctx
	w.count++
}

// Each decision is told once, with the issuer only where it is configured.
func TestTrace_Decided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		found, alsoTrusted := newIssuer(t, oidctest.Config{URL: "https://found.test"})
		stranger, _ := newIssuer(t, oidctest.Config{URL: "https://stranger.test"})
		var w witness
		cfg := open(oidctest.Client(issuer, found, stranger), oidcauth.AnyIssuer{})
		cfg.Issuers = []oidcauth.Issuer{trusted}
		cfg.FindIssuer = func(_ context.Context, url string) ([]oidcauth.Issuer, error) {
			if url == found.URL() {
				return []oidcauth.Issuer{alsoTrusted}, nil
			}
			return nil, nil
		}
		var d diary
		cfg.Trace = &authtrace.Hooks{
			Decided:     w.decided,
			KeysFetched: func(f authtrace.KeyFetch) { d.note("fetched " + f.Issuer) },
			KeysState:   func(s authtrace.KeyState) { d.note("state " + s.Issuer) },
		}
		a := newAuthenticator(t, cfg)
		good := issuer.Token(nil)
		for _, tt := range []struct {
			name, token            string
			outcome, check, issuer string
			remembered             bool
		}{
			{"first use", good, "accepted", "", issuer.URL(), false},
			{"second use", good, "accepted", "", issuer.URL(), true},
			{"no JWT", "x", "malformed_token", "form", "", false},
			{"expired", issuer.Token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "expired", "expiry", issuer.URL(), false},
			{"another audience", issuer.Token(map[string]any{"aud": "shop"}), "audience", "audience", issuer.URL(), false},
			{"forged", good[:len(good)-8] + "AAAAAAAA", "signature", "signature", issuer.URL(), false},
			{"an unknown key", madeUp(issuer.URL()), "unknown_key", "key", issuer.URL(), false},
			{"no address", madeUp("nobody"), "unknown_issuer", "issuer", "", false},
			{"found", found.Token(nil), "accepted", "", "", false},
			{"found, expired", found.Token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "expired", "expiry", "", false},
			{"a stranger's", stranger.Token(nil), "accepted", "", "", false},
			{"a stranger's, expired", stranger.Token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "expired", "expiry", "", false},
		} {
			before := w.count
			ctx := context.WithValue(t.Context(), key{}, tt.name)
			_, err := a.Authenticate(ctx, tt.token)
			if w.count != before+1 || w.ctx.Value(key{}) != tt.name {
				t.Errorf("%s: told %d times, context of %v", tt.name, w.count-before, w.ctx.Value(key{}))
			}
			status := 200
			if err != nil {
				status, _, _ = oidcauth.Answer(err)
			}
			want := authtrace.Decision{Outcome: tt.outcome, Check: tt.check, Status: status, Issuer: tt.issuer, Remembered: tt.remembered, Start: w.last.Start, Duration: w.last.Duration}
			if w.last != want || w.last.Start.IsZero() || w.last.Duration < 0 {
				t.Errorf("%s: told %+v, want %+v", tt.name, w.last, want)
			}
			if text := fmt.Sprint(w.last); strings.Contains(text, oidctest.DefaultSubject) || strings.Contains(text, tt.token) && len(tt.token) > 1 {
				t.Errorf("%s: told of the token or its claims: %s", tt.name, text)
			}
		}
		a.Close()
		slices.Sort(d.lines)
		want := []string{"fetched ", "fetched " + issuer.URL(), "state ", "state " + issuer.URL()}
		if got := slices.Compact(d.lines); !slices.Equal(got, want) {
			t.Errorf("told of keys: %q, want %q", got, want)
		}
	})
}

type key struct{}

// Requests are told of once, whichever way they come in, those without token included.
func TestTrace_DecidedRequest(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for name, extract := range map[string]oidcauth.Extractor{"default": nil, "extractor": oidcauth.BearerToken} {
		var w witness
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Extract: extract, Trace: &authtrace.Hooks{Decided: w.decided},
		})
		handler := a.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		good := "Authorization: Bearer " + issuer.Token(nil)
		optional := a.Optional(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		optional.ServeHTTP(httptest.NewRecorder(), newRequest(t, "GET /"))
		if want := (authtrace.Decision{Outcome: authtrace.Anonymous, Status: 200, Start: w.last.Start, Duration: w.last.Duration}); w.count != 1 || w.last != want {
			t.Errorf("%s, optional: told %d times, last of %+v, want %+v", name, w.count, w.last, want)
		}
		optional.ServeHTTP(httptest.NewRecorder(), newRequest(t, "GET /", "Authorization: Bearer x"))
		if w.count != 2 || w.last.Outcome != "malformed_token" || w.last.Status != 401 {
			t.Errorf("%s, optional, a bad token: told %d times, last of %+v", name, w.count, w.last)
		}
		w.count = 0
		for i, tt := range []struct {
			headers []string
			outcome string
		}{
			{nil, "no_token"},
			{[]string{good}, "accepted"},
			{[]string{good}, "accepted"},
			{[]string{"Authorization: Bearer a b"}, "malformed_request"},
			{[]string{"Authorization: Bearer x"}, "malformed_token"},
		} {
			handler.ServeHTTP(httptest.NewRecorder(), newRequest(t, "GET /", tt.headers...))
			if w.count != i+1 || w.last.Outcome != tt.outcome || w.last.Remembered != (i == 2) {
				t.Errorf("%s, request %d: told %d times, last of %+v, want %s", name, i, w.count, w.last, tt.outcome)
			}
		}
	}
}

// Each use of a ticket is told once.
func TestTrace_Ticket(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	local := newLocal(t, localissuer.Config{})
	var w witness
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), Trace: &authtrace.Hooks{Ticket: w.decided},
	})
	ticket, err := local.Ticket(from(), authenticate(t, a, issuer.Token(nil)), "db")
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ ticket, database, outcome, issuer string }{
		{"x", "db", "malformed_token", ""},
		{ticket, "other", "audience", ""},
		{ticket, "db", "accepted", issuer.URL()},
		{ticket, "db", "ticket_used", issuer.URL()},
	} {
		_, err := a.AuthenticateTicket(from(), tt.ticket, tt.database)
		if w.count != i+1 || w.last.Outcome != tt.outcome || w.last.Issuer != tt.issuer {
			t.Errorf("use %d: %v, told %d times, last of %+v, want %s of %q", i, err, w.count, w.last, tt.outcome, tt.issuer)
		}
	}
}

// Without hooks nothing is allocated and no clock is read for them, and the hook of a
// remembered token allocates nothing either.
func TestTrace_Cost(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	token := issuer.Token(nil)
	var told atomic.Int64
	for _, tt := range []struct {
		name  string
		trace *authtrace.Hooks
	}{
		{"no hooks", nil},
		{"other hooks", &authtrace.Hooks{KeysFetched: func(authtrace.KeyFetch) {}}},
		{"the hook of decisions", &authtrace.Hooks{Decided: func(context.Context, authtrace.Decision) { told.Add(1) }}},
	} {
		var readings int
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Trace: tt.trace,
			Now: func() time.Time { readings++; return time.Now() },
		})
		authenticate(t, a, token)
		ctx := t.Context()
		readings = 0
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := a.Authenticate(ctx, token); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 || readings != 101 {
			t.Errorf("%s: %v allocations, %d readings of Config.Now for 101 uses, want none and 101", tt.name, allocs, readings)
		}
	}
	if told.Load() != 102 {
		t.Errorf("told %d times, want 102", told.Load())
	}
}

// A hook that panics changes no answer.
func TestTrace_Panics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		fail := func() { panic("a hook") }
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Trace: &authtrace.Hooks{
				Decided:        func(context.Context, authtrace.Decision) { fail() },
				KeysFetched:    func(authtrace.KeyFetch) { fail() },
				KeysState:      func(authtrace.KeyState) { fail() },
				SessionStarted: func(authtrace.Session) { fail() }, SessionRenewed: func(authtrace.Session) { fail() },
				SessionEnded: func(authtrace.Session) { fail() }, Revoked: func(authtrace.Revocation) { fail() },
			},
		})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		if _, err := s.Renew(t.Context(), issuer.Token(map[string]any{"jti": "2"})); err != nil {
			t.Errorf("Renew() error = %v", err)
		}
		wants(t, a, "x", oidcauth.ErrMalformedToken)
		revoke(t, a, oidcauth.Revocation{TokenID: "2"})
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}

// An issuer that SetIssuers refused stays a stranger's, of whom no name is told.
func TestTrace_RefusedIssuers(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	other, refused := newIssuer(t, oidctest.Config{URL: "https://other.test"})
	broken := trusted
	broken.URL, broken.Keys.JWKS = "https://broken.test", []byte("{}")
	fetched := make(chan string, 9)
	cfg := open(oidctest.Client(issuer, other), oidcauth.AnyIssuer{})
	cfg.Issuers = []oidcauth.Issuer{trusted}
	cfg.Trace = &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { fetched <- f.Issuer }}
	a := newAuthenticator(t, cfg)
	if err := a.SetIssuers(refused, broken); err == nil {
		t.Fatal("SetIssuers() has no error")
	}
	wants(t, a, other.Token(nil), nil)
	if name := <-fetched; name != "" {
		t.Errorf("a fetch was told of issuer %q, which is not configured", name)
	}
	wants(t, a, issuer.Token(nil), nil)
	if name := <-fetched; name != issuer.URL() {
		t.Errorf("a fetch was told of issuer %q, want %q", name, issuer.URL())
	}
}

// ofKeys returns hooks that note whose keys enter which state.
func (d *diary) ofKeys() *authtrace.Hooks {
	return &authtrace.Hooks{KeysState: func(s authtrace.KeyState) { d.note(fmt.Sprint(s.Issuer, " ", s.From, " ", s.To)) }}
}

// Whoever was told of the state of an issuer's keys is told, once, that they are gone with
// their Authenticator: else a closed one would count among those that live for ever.
func TestTrace_CloseLetsGoOfKeys(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"fresh": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				var d diary
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted, {URL: "https://idle.test", Audiences: []string{"my-db"}}}, Client: issuer.Client(),
					Trace: d.ofKeys(),
				})
				if fails {
					issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
				}
				a.Authenticate(t.Context(), issuer.Token(nil))
				a.Close()
				a.Close()
				want := []string{issuer.URL() + " none " + name, issuer.URL() + " " + name + " none"}
				if !slices.Equal(d.lines, want) {
					t.Errorf("told of %q, want %q", d.lines, want)
				}
			})
		})
	}
}

// An issuer may have keys from several places, as clusters of one name: that one place has
// them does not hide that another has none.
func TestTrace_SeveralPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, one := newIssuer(t, oidctest.Config{})
		one.Name = "by discovery"
		two := one
		two.Name, two.SubjectPrefix, two.Keys.JWKSURL = "by its address", "two:", issuer.JWKSURL()
		var d diary
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{one, two}, Client: issuer.Client(),
			Trace: &authtrace.Hooks{KeysState: func(s authtrace.KeyState) { d.note(fmt.Sprint(s.From, " ", s.To, " ", s.Err != nil)) }},
		})
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		if _, err := a.Keys(t.Context(), issuer.URL()+"|"); err == nil {
			t.Fatal("there are keys without discovery")
		}
		if _, err := a.Keys(t.Context(), issuer.URL()+"|two:"); err != nil {
			t.Fatal(err)
		}
		setIssuers(t, a, two)
		a.Close()
		if want := []string{"none gone true", "gone fresh false", "fresh none false"}; !slices.Equal(d.lines, want) {
			t.Errorf("told of %q, want %q", d.lines, want)
		}
	})
}

// The keys of an issuer that Config.FindIssuer found are not those of the description that
// takes its place: whether they are gone says nothing of an issuer that is configured.
func TestTrace_FoundBeforeConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		mistaken := trusted
		mistaken.Keys.JWKSURL = issuer.URL() + "/nowhere"
		var c customers
		c.set(issuer.URL(), mistaken)
		var d diary
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: c.find, Client: issuer.Client(),
			Trace: d.ofKeys(),
		})
		refuses(t, a, issuer.Token(nil), oidcauth.ErrKeysUnavailable)
		setIssuers(t, a, trusted)
		refuses(t, a, issuer.Token(nil), nil)
		setIssuers(t, a)
		a.Close()
		if want := []string{" none gone", issuer.URL() + " none fresh", issuer.URL() + " fresh none"}; !slices.Equal(d.lines, want) {
			t.Errorf("told of %q, want %q", d.lines, want)
		}
	})
}

// Keys that a description has itself are there when those of another place are not.
func TestTrace_SeveralPlacesOneKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, one := newIssuer(t, oidctest.Config{})
		one.Name = "known"
		two := one
		one.Keys.JWKS = issuer.KeySet()
		two.Name, two.SubjectPrefix = "fetched", "two:"
		var d diary
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{one, two}, Client: issuer.Client(),
			Trace: d.ofKeys(),
		})
		if _, err := a.Keys(t.Context(), issuer.URL()+"|two:"); err != nil {
			t.Fatal(err)
		}
		setIssuers(t, a, one)
		synctest.Wait()
		if want := []string{issuer.URL() + " none fresh"}; !slices.Equal(d.lines, want) {
			t.Errorf("told of %q, want %q", d.lines, want)
		}
		a.Close()
		if want := []string{issuer.URL() + " none fresh", issuer.URL() + " fresh none"}; !slices.Equal(d.lines, want) {
			t.Errorf("told of %q, want %q", d.lines, want)
		}
	})
}

// Keys of an issuer that is configured no longer are a stranger's: hooks are told of no name,
// as nobody would be told that it has none any more.
func TestTrace_ConfiguredNoLonger(t *testing.T) {
	t.Parallel()
	for _, found := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			cfg := open(issuer.Client(), oidcauth.AnyIssuer{})
			if found {
				var c customers
				c.set(issuer.URL(), trusted)
				cfg.AnyIssuer, cfg.FindIssuer = nil, c.find
			}
			var d diary
			cfg.Issuers = []oidcauth.Issuer{trusted}
			cfg.Trace = d.ofKeys()
			a := newAuthenticator(t, cfg)
			refuses(t, a, issuer.Token(nil), nil)
			setIssuers(t, a)
			refuses(t, a, issuer.Token(nil), nil)
			a.Close()
			if want := []string{issuer.URL() + " none fresh", issuer.URL() + " fresh none", " none fresh"}; !slices.Equal(d.lines, want) {
				t.Errorf("found %t: told of %q, want %q", found, d.lines, want)
			}
		})
	}
}
