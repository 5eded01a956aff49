package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// panics reports whether f panics.
func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return
}

// requestWith returns a request with a bearer token.
func requestWith(token string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// calls are all methods of an Authenticator that return an error, or the cause of one.
func calls(a *oidcauth.Authenticator, trusted oidcauth.Issuer, c *oidcauth.Claims, token string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Authenticate": func(ctx context.Context) error { return onlyErr(a.Authenticate(ctx, token)) },
		"Explain":      func(ctx context.Context) error { return a.Explain(ctx, token).Err },
		"Keys":         func(ctx context.Context) error { return onlyErr(a.Keys(ctx, trusted.URL)) },
		"NewSession":   func(ctx context.Context) error { return context.Cause(a.NewSession(ctx, c).Context()) },
		"NewSession without claims": func(ctx context.Context) error {
			return context.Cause(a.NewSession(ctx, nil).CallContext())
		},
		"Ready":  func(ctx context.Context) error { return a.Ready(ctx) },
		"Revoke": func(ctx context.Context) error { return a.Revoke(ctx, oidcauth.Revocation{Subject: "nobody"}) },
	}
}

func onlyErr[T any](_ T, err error) error { return err }

// An Authenticator that New did not make refuses everything, and says so at set-up
// where it would refuse every request.
func TestAuthenticator_NotMade(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	good := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	c := authenticate(t, good, token)
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was let through") })
	for name, a := range map[string]*oidcauth.Authenticator{"zero": new(oidcauth.Authenticator), "nil": nil} {
		t.Run(name, func(t *testing.T) {
			methods := calls(a, trusted, c, token)
			methods["AuthenticateRequest"] = func(context.Context) error { return onlyErr(a.AuthenticateRequest(requestWith(token))) }
			methods["AuthenticateTicket"] = func(context.Context) error { return onlyErr(a.AuthenticateTicket(requestWith(""), token, "db")) }
			methods["SetIssuers"] = func(context.Context) error { return a.SetIssuers(trusted) }
			methods["UnverifiedClaims"] = func(context.Context) error { return onlyErr(a.UnverifiedClaims(c.Payload(), nil)) }
			for method, call := range methods {
				if err := call(t.Context()); !errors.Is(err, oidcauth.ErrClosed) {
					t.Errorf("%s() error = %v, want %v", method, err, oidcauth.ErrClosed)
				}
			}
			for method, set := range map[string]func(){
				"Middleware":    func() { a.Middleware(next) },
				"Optional":      func() { a.Optional(next) },
				"LogoutHandler": func() { a.LogoutHandler() },
			} {
				if !panics(set) {
					t.Errorf("%s() says nothing while the server is set up", method)
				}
			}
			w := httptest.NewRecorder()
			a.Refuse(w, requestWith(token), oidcauth.ErrExpired)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("Refuse() answers %d, want 401", w.Code)
			}
			if report := a.Explain(t.Context(), token); report.Accepted || report.Steps[0].Verdict != explain.Failed || report.Steps[0].Advice == "" {
				t.Errorf("Explain() = %+v", report)
			}
			if unready, err := a.Unready(), a.Close(); len(unready) > 0 || err != nil || a.CallerContext(requestWith("")) == nil {
				t.Errorf("Unready() = %q, Close() = %v", unready, err)
			}
		})
	}
	for _, set := range []func(){func() { good.Middleware(nil) }, func() { good.Optional(nil) }} {
		if !panics(set) {
			t.Error("nobody says that there is no handler while the server is set up")
		}
	}
}

// A nil context is an error where there can be one, and otherwise nobody's.
func TestAuthenticator_NilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
	token := issuer.Token(nil)
	known := newAuthenticator(t, cfg)
	c := authenticate(t, known, token)
	for name, a := range map[string]*oidcauth.Authenticator{"at first use": newAuthenticator(t, cfg), "later": known} {
		for method, call := range calls(a, trusted, c, token) {
			if err := call(none); !errors.Is(err, oidcauth.ErrMalformedRequest) {
				t.Errorf("%s: %s(nil) error = %v, want %v", name, method, err, oidcauth.ErrMalformedRequest)
			}
		}
	}
	if _, err := known.AuthenticateRequest(nil); !errors.Is(err, oidcauth.ErrMalformedRequest) {
		t.Errorf("AuthenticateRequest(nil) error = %v, want %v", err, oidcauth.ErrMalformedRequest)
	}
	s := known.NewSession(t.Context(), c)
	defer s.Close()
	if _, err := s.Renew(none, token); !errors.Is(err, oidcauth.ErrMalformedRequest) || s.Context().Err() != nil {
		t.Errorf("Renew(nil) error = %v; the session: %v", err, s.Context().Err())
	}
	if c, ok := oidcauth.FromContext(none); ok || c != nil || oidcauth.IsInternal(none) {
		t.Errorf("FromContext(nil) = %v, %t; internal: %t", c, ok, oidcauth.IsInternal(none))
	}
	if err := oidcauth.Require(none); !errors.Is(err, oidcauth.ErrNoToken) {
		t.Errorf("Require(nil) error = %v, want %v", err, oidcauth.ErrNoToken)
	}
	// What is derived of none is as good as what is derived of context.Background.
	for name, ctx := range map[string]context.Context{"NewContext": oidcauth.NewContext(none, c), "NewInternalContext": oidcauth.NewInternalContext(none), "WithCallerAddr": oidcauth.WithCallerAddr(none, netip.Addr{})} {
		if ctx.Err() != nil || ctx.Done() != nil || ctx.Value(name) != nil {
			t.Errorf("%s(nil) is no context", name)
		}
	}
	if err := oidcauth.Require(oidcauth.NewContext(none, c)); err != nil {
		t.Errorf("Require() error = %v", err)
	}
}

// A badLog is a RevocationLog of which one method panics.
type badLog string

func (l badLog) Append(context.Context, oidcauth.Revocation) (bool, error) {
	l.fail("Append")
	return true, nil
}

func (l badLog) FirstUse(context.Context, [32]byte, time.Time) (bool, error) {
	l.fail("FirstUse")
	return true, nil
}

func (l badLog) Follow(ctx context.Context, _ func(oidcauth.Revocation), caughtUp func(bool)) error {
	l.fail("Follow")
	caughtUp(true)
	<-ctx.Done()
	return ctx.Err()
}

func (l badLog) fail(method string) {
	if string(l) == method {
		panic("of " + method)
	}
}

// A badSource is a KeySource that fails in one way.
type badSource struct {
	trusted oidcauth.Issuer
	issuer  *oidctest.Issuer
	stops   bool
}

func (s *badSource) Follow(adopt func(oidcauth.Keys) error) (stop func(), err error) {
	err = adopt(oidcauth.Keys{Issuer: s.trusted.URL, JWKS: s.issuer.KeySet()})
	if s.stops {
		stop = func() {}
	}
	return stop, err
}

func (s *badSource) Refresh() { panic("of Refresh") }

// Whatever a function of the program does, a request gets an answer, and no claims.
func TestConfig_FunctionsPanic(t *testing.T) {
	t.Parallel()
	issuer, described := newIssuer(t, oidctest.Config{})
	token := issuer.Token(nil)
	extract := func(token string, err error) oidcauth.Extractor {
		return func(*http.Request) (string, error) { return token, err }
	}
	panicking := oidcauth.Extractor(func(r *http.Request) (string, error) {
		panic("of the extractor: " + r.Header.Get("Authorization"))
	})
	tests := []struct {
		name   string
		change func(*oidcauth.Config, *oidcauth.Issuer)
		want   int // the status; 0 if New has to say what is wrong
	}{
		{"nothing", func(*oidcauth.Config, *oidcauth.Issuer) {}, 200},
		{"a rule panics", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { panic("of the rule") }}
		}, 503},
		{"a rule is nil", func(_ *oidcauth.Config, i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{nil} }, 0},
		{"Supplement panics", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { panic("of Supplement") }
		}, 503},
		{"Supplement returns nonsense", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				return json.RawMessage(`[]`), nil
			}
		}, 503},
		{"Extract panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = panicking }, 500},
		{"one of FirstOf panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = oidcauth.FirstOf(panicking) }, 500},
		{"Extract returns a token", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract(token, nil) }, 200},
		{"Extract returns a token and an error", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract(token, errors.New("both")) }, 500},
		{"Extract returns nothing", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract("", nil) }, 401},
		{"FindIssuer panics", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.FindIssuer = func(context.Context, string) ([]oidcauth.Issuer, error) { panic("of FindIssuer") }
			i.URL = "https://other.test"
		}, 503},
		{"FindIssuer returns the zero value", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.FindIssuer = func(context.Context, string) ([]oidcauth.Issuer, error) { return make([]oidcauth.Issuer, 1), nil }
			i.URL = "https://other.test"
		}, 503},
		{"FindIssuer returns nothing", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.FindIssuer = func(context.Context, string) ([]oidcauth.Issuer, error) { return nil, nil }
			i.URL = "https://other.test"
		}, 401},
		{"Accept panics", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.AnyIssuer = &oidcauth.AnyIssuer{Audiences: []string{testAudience}, Accept: func(string) bool { panic("of Accept") }}
			c.Client, i.URL = nil, "https://other.test"
		}, 503},
		{"the transport panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { panic("of the transport") })}
		}, 503},
		{"the transport returns nothing", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, nil })}
		}, 503},
		{"the source of keys is a nil pointer", func(_ *oidcauth.Config, i *oidcauth.Issuer) { i.Keys.Source = (*badSource)(nil) }, 0},
		{"the source of keys panics at Refresh", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			other := oidctest.NewIssuer(t, oidctest.Config{})
			other.Replace()
			i.Keys.Source = &badSource{*i, other, true}
		}, 503},
		{"the source of keys has no stop", func(_ *oidcauth.Config, i *oidcauth.Issuer) { i.Keys.Source = &badSource{*i, issuer, false} }, 200},
		{"Follow of the log panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Revocations, c.RequireRevocations = badLog("Follow"), true
		}, 503},
		{"the log is a nil pointer", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Revocations, c.RequireRevocations = (*badLog)(nil), true
		}, 503},
		{"the clock stands still", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Now = func() time.Time { return time.Time{} } }, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg, trusted := oidcauth.Config{Client: issuer.Client()}, described
			tt.change(&cfg, &trusted)
			cfg.Issuers = []oidcauth.Issuer{trusted}
			a, err := oidcauth.New(cfg)
			if (err == nil) == (tt.want == 0) {
				t.Fatalf("New() error = %v", err)
			}
			if err != nil {
				return
			}
			defer a.Close()
			for _, guard := range []func(http.Handler) http.Handler{a.Middleware, a.Optional} {
				served := false
				h := guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					c, _ := oidcauth.FromContext(r.Context())
					served = c != nil
				}))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, requestWith(token))
				if w.Code != tt.want || served != (tt.want == http.StatusOK) {
					t.Errorf("status %d, want %d; claims: %t", w.Code, tt.want, served)
				}
			}
		})
	}
}

// A log that panics has not stored anything, as far as anybody knows.
func TestRevoke_LogPanics(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, log := range []oidcauth.RevocationLog{badLog("Append"), (*badLog)(nil)} {
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
		if err != nil {
			t.Fatal(err)
		}
		wants(t, a, issuer.Token(nil), nil)
		if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
			t.Errorf("Revoke() error = %v, want %v", err, oidcauth.ErrRevocationsUnavailable)
		}
		wants(t, a, issuer.Token(nil), oidcauth.ErrRevoked)
		if err := a.Close(); !errors.Is(err, oidcauth.ErrRevocationNotShared) {
			t.Errorf("Close() error = %v, want %v", err, oidcauth.ErrRevocationNotShared)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What the program does with a Config after New changes nothing, and is no data race.
func TestNew_CopiesConfig(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	trusted := oidcauth.Issuer{
		URL: hostile.URL, Aliases: []string{"https://alias.test"}, Audiences: []string{testAudience}, Algorithms: []string{"ES256", "RS256"},
		TokenTypes: []string{"JWT"}, Roles: []oidcauth.Path{{"roles"}}, Rules: []oidcauth.Rule{oidcauth.All()},
		ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"sub"}, In: []string{"alice", "bob"}}},
	}
	cfg := oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(w.Main), CacheBytes: -1,
		Proxies:   []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		AnyIssuer: nil,
	}
	a := newAuthenticator(t, cfg)
	token := w.WithClaims(hostile.Claims(hostile.URL))
	wants(t, a, token, nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			wants(t, a, token, nil)
			a.CallerContext(requestWith(token))
		}
	})
	i := &cfg.Issuers[0]
	i.Audiences[0], i.Aliases[0], i.TokenTypes[0] = "nobody", "https://evil.test", "dpop+jwt"
	i.Algorithms[0], i.Algorithms[1] = "none", "HS256"
	i.Roles[0][0], i.ClaimRules[0].Claim[0], i.ClaimRules[0].In[0], i.ClaimRules[0].In[1] = "scope", "jti", "", ""
	i.Rules[0] = func(*oidcauth.Claims) error { return errors.New("another rule") }
	i.URL, cfg.Proxies[0] = "https://evil.test", netip.Prefix{}
	cfg.Issuers[0] = oidcauth.Issuer{}
	wg.Wait()
	wants(t, a, token, nil)
	if got := fmt.Sprint(a.Unready()); got != "[]" {
		t.Errorf("Unready() = %s", got)
	}
}
