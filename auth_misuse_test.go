package oidcauth_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// panics reports whether f panics.
func panics(f func()) bool { return panicOf(f) != nil }

// panicOf returns what f panics with, nil for nothing.
func panicOf(f func()) (why any) {
	defer func() { why = recover() }()
	f()
	return nil
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

// A badLog is a RevocationLog of which one method panics, or fails with an error that
// panics when it is looked at.
type badLog string

func (l badLog) Append(context.Context, oidcauth.Revocation) (bool, error) {
	return true, l.fail("Append")
}

func (l badLog) FirstUse(context.Context, [32]byte, time.Time) (bool, error) {
	return true, l.fail("FirstUse")
}

func (l badLog) Follow(ctx context.Context, _ func(oidcauth.Revocation), caughtUp func(bool)) error {
	if err := l.fail("Follow"); err != nil {
		return err
	}
	caughtUp(true)
	<-ctx.Done()
	return ctx.Err()
}

func (l badLog) fail(method string) error {
	switch string(l) {
	case method:
		panic("of " + method)
	case "nil of " + method:
		return (*nilError)(nil)
	}
	return nil
}

// A badSource is a KeySource that fails in one way.
type badSource struct {
	trusted oidcauth.Issuer
	issuer  *oidctest.Issuer
	stop    func()
	begun   oidcauth.Keys // what it says first but for the issuer and its keys
	err     error
	adopt   func(oidcauth.Keys) error
}

func (s *badSource) Follow(adopt func(oidcauth.Keys) error) (stop func(), err error) {
	s.adopt = adopt
	if s.err != nil {
		return nil, s.err
	}
	keys := s.begun
	keys.Issuer, keys.JWKS = s.trusted.URL, s.issuer.KeySet()
	return s.stop, adopt(keys)
}

func (s *badSource) Refresh() { panic("of Refresh") }

// A badHandler is one of a log, of which every method panics.
type badHandler struct{}

func (badHandler) Enabled(context.Context, slog.Level) bool  { panic("of Enabled") }
func (badHandler) Handle(context.Context, slog.Record) error { panic("of Handle") }
func (badHandler) WithAttrs([]slog.Attr) slog.Handler        { panic("of WithAttrs") }
func (badHandler) WithGroup(string) slog.Handler             { panic("of WithGroup") }

// A nilError cannot be told where it is nil, nor asked what it wraps.
type nilError struct {
	text  string
	cause error
}

func (e *nilError) Error() string { return e.text }
func (e *nilError) Unwrap() error { return e.cause }

// Whatever a function of the program does, a request gets an answer, and no claims.
func TestConfig_FunctionsPanic(t *testing.T) {
	t.Parallel()
	issuer, described := newIssuer(t, oidctest.Config{})
	token, bound := issuer.Token(nil), issuer.Token(map[string]any{"cnf": map[string]any{"x5t#S256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}})
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
		{"a rule fails with a nil pointer", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { return (*nilError)(nil) }}
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
		{"Supplement fails with a nil pointer", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				return nil, (*nilError)(nil)
			}
		}, 503},
		{"Introspect panics", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			i.Introspect = func(context.Context, string) (json.RawMessage, error) { panic("of Introspect") }
			c.Extract = extract("opaque", nil)
		}, 503},
		{"Introspect fails with a nil pointer", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			i.Introspect = func(context.Context, string) (json.RawMessage, error) { return nil, (*nilError)(nil) }
			c.Extract = extract("opaque", nil)
		}, 503},
		{"Certificate panics", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.Certificate = func(*http.Request) (*x509.Certificate, error) { panic("of Certificate") }
			c.Extract = extract(bound, nil)
		}, 503},
		{"Certificate fails with a nil pointer", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.Certificate = func(*http.Request) (*x509.Certificate, error) { return nil, (*nilError)(nil) }
			c.Extract = extract(bound, nil)
		}, 503},
		{"Extract fails with a nil pointer", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract("", (*nilError)(nil)) }, 500},
		{"hooks panic", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Trace = &authtrace.Hooks{
				Decided:   func(context.Context, authtrace.Decision) { panic("of Decided") },
				KeysState: func(authtrace.KeyState) { panic("of KeysState") },
			}
		}, 200},
		{"the log panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Logger = slog.New(badHandler{}) }, 200},
		{"the log panics at a refusal", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Logger, c.Extract = slog.New(badHandler{}), extract("", nil)
		}, 401},
		{"Extract panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = panicking }, 500},
		{"one of FirstOf panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = oidcauth.FirstOf(panicking) }, 500},
		{"Extract returns a token", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract(token, nil) }, 200},
		{"Extract returns a token and an error", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract(token, errors.New("both")) }, 500},
		{"Extract returns nothing", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Extract = extract("", nil) }, 401},
		{"FindIssuer panics", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.FindIssuer = func(context.Context, string) ([]oidcauth.Issuer, error) { panic("of FindIssuer") }
			i.URL = "https://other.test"
		}, 503},
		{"FindIssuer fails with a nil pointer", func(c *oidcauth.Config, i *oidcauth.Issuer) {
			c.FindIssuer = func(context.Context, string) ([]oidcauth.Issuer, error) { return nil, (*nilError)(nil) }
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
		{"the transport to this issuer panics", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Keys.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { panic("of the transport") })}
		}, 503},
		{"the transport fails with a nil pointer", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, (*nilError)(nil) })}
		}, 503},
		{"the transport returns nothing", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, nil })}
		}, 503},
		{"the source of keys is a nil pointer", func(_ *oidcauth.Config, i *oidcauth.Issuer) { i.Keys.Source = (*badSource)(nil) }, 0},
		{"the source of keys panics at Refresh", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			other := oidctest.NewIssuer(t, oidctest.Config{})
			other.Replace()
			i.Keys.Source = &badSource{trusted: *i, issuer: other, stop: func() {}}
		}, 503},
		{"the source of keys has no stop", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Keys.Source = &badSource{trusted: *i, issuer: issuer}
		}, 200},
		{"the source of keys panics at stop", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Keys.Source = &badSource{trusted: *i, issuer: issuer, stop: func() { panic("of stop") }}
		}, 200},
		{"the source of keys ends the goroutine at stop", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Keys.Source = &badSource{trusted: *i, issuer: issuer, stop: runtime.Goexit}
		}, 200},
		{"the source of keys fails with a nil pointer", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Keys.Source = &badSource{trusted: *i, issuer: issuer, err: (*nilError)(nil)}
		}, 0},
		{"the source of keys is unavailable by a nil pointer", func(_ *oidcauth.Config, i *oidcauth.Issuer) {
			i.Keys.Source = &badSource{trusted: *i, issuer: issuer, begun: oidcauth.Keys{Unavailable: (*nilError)(nil)}}
		}, 503},
		{"Follow of the log panics", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Revocations, c.RequireRevocations = badLog("Follow"), true
		}, 503},
		{"Follow of the log fails with a nil pointer", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Revocations, c.RequireRevocations = badLog("nil of Follow"), true
		}, 503},
		{"the log is a nil pointer", func(c *oidcauth.Config, _ *oidcauth.Issuer) {
			c.Revocations, c.RequireRevocations = (*badLog)(nil), true
		}, 503},
		{"the clock stands still", func(c *oidcauth.Config, _ *oidcauth.Issuer) { c.Now = func() time.Time { return time.Time{} } }, 401},
	}
	usual := oidcauth.Config{Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))} // which looks at errors
	tested := map[string]bool{
		"Config.DPoP": true, "Config.WriteRefusal": true, // each by tests of its own
		"AnyIssuer.Rules": true, // which are asked as an issuer's
	}
	for _, tt := range tests {
		cfg, trusted := usual, described
		tt.change(&cfg, &trusted)
		for _, description := range []any{cfg, trusted} {
			eachFunction(reflect.ValueOf(description), func(name string, v reflect.Value) {
				known := name == "Config.Client" && cfg.Client == usual.Client || name == "Config.Logger" && cfg.Logger == usual.Logger
				tested[name] = tested[name] || !v.IsZero() && !known
			})
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
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
	for name, done := range tested {
		if !done {
			t.Errorf("no row has a %s that does what it should not", name)
		}
	}
}

// eachFunction calls visit with the fields of a description that may hold something of
// the program's that is called: functions, and what other packages have made.
func eachFunction(v reflect.Value, visit func(name string, v reflect.Value)) {
	typ := v.Type()
	for n := range typ.NumField() {
		f, field := typ.Field(n), v.Field(n)
		if f.Type.Kind() == reflect.Pointer && f.Type.Elem().PkgPath() == typ.PkgPath() {
			if f.Type, field = f.Type.Elem(), field.Elem(); !field.IsValid() {
				field = reflect.Zero(f.Type)
			}
		}
		switch kind := f.Type.Kind(); {
		case !f.IsExported():
		case kind == reflect.Func, kind == reflect.Interface, kind == reflect.Pointer, kind == reflect.Slice && f.Type.Elem().Kind() == reflect.Func:
			visit(typ.Name()+"."+f.Name, field)
		case kind == reflect.Struct && f.Type.PkgPath() == typ.PkgPath():
			eachFunction(field, visit)
		}
	}
}

// A source of keys that panics when it is let go of keeps no other from that, and no
// change of the issuers.
func TestKeySource_StopPanics(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	second, third := trusted, trusted
	second.URL, third.URL = "https://second.test", "https://third.test"
	stopped := 0
	for _, i := range []*oidcauth.Issuer{&trusted, &second, &third} {
		bad := i == &second
		i.Keys.Source = &badSource{trusted: *i, issuer: issuer, stop: func() {
			if stopped++; bad {
				panic("of stop")
			}
		}}
	}
	var log logBuffer
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, second, third}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err := a.SetIssuers(trusted); err != nil || stopped != 2 {
		t.Errorf("SetIssuers() error = %v, %d sources stopped, want 2", err, stopped)
	}
	if text := log.String(); strings.Count(text, "a source of keys could not be stopped") != 1 || !strings.Contains(text, "issuer="+second.URL) || !strings.Contains(text, "at auth_misuse_test.go:") {
		t.Errorf("the log has %s, want a line about %s", text, second.URL)
	}
	wants(t, a, issuer.Token(nil), nil)
	payload := []byte(`{"iss":"https://second.test","sub":"alice","exp":4e9}`)
	if _, err := oidcauth.UnverifiedClaims(payload, second); err == nil {
		t.Error("UnverifiedClaims() error = nil with a source that panics when it is let go of")
	}
	if err := a.Close(); err != nil || stopped != 4 {
		t.Errorf("Close() error = %v, %d sources stopped, want all", err, stopped)
	}
}

// A log that panics, or whose error does, has not stored anything, as far as anybody knows.
func TestRevoke_LogPanics(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, log := range []oidcauth.RevocationLog{badLog("Append"), badLog("nil of Append"), (*badLog)(nil)} {
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

// Such a log does not know either whether a ticket was used before: it is refused, and
// stays good.
func TestTicket_LogPanics(t *testing.T) {
	t.Parallel()
	for _, bad := range []badLog{"", "FirstUse", "nil of FirstUse"} {
		local := newLocal(t, localissuer.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Revocations: bad})
		ticket, err := local.Ticket(from(), authenticate(t, a, issue(t, local, localissuer.Request{})), "chat")
		if err != nil {
			t.Fatal(err)
		}
		want := []error{oidcauth.ErrRevocationsUnavailable, oidcauth.ErrRevocationsUnavailable}
		if bad == "" {
			want = []error{nil, oidcauth.ErrTicketUsed}
		}
		for _, want := range want {
			c, err := a.AuthenticateTicket(from(), ticket, "chat")
			if !errors.Is(err, want) || (c != nil) != (want == nil) || err != nil && err.Error() == "" {
				t.Errorf("%q: AuthenticateTicket() = %v, %v, want %v", bad, c, err, want)
			}
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

// A session that NewSession did not make has ended, and one whose Authenticator is
// closed stays so.
func TestSession_NotMade(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	c := authenticate(t, a, token)
	live, closed := a.NewSession(t.Context(), c), a.NewSession(t.Context(), c)
	closed.Close()
	if !panics(func() { live.OnExpiring(time.Second, nil) }) {
		t.Error("nobody says at once that there is nothing to call")
	}
	a.Close()
	for name, s := range map[string]*oidcauth.Session{
		"zero": new(oidcauth.Session), "nil": nil, "closed": closed, "of a closed Authenticator": live, "begun after Close": a.NewSession(t.Context(), c),
		"of an Authenticator that New did not make": new(oidcauth.Authenticator).NewSession(t.Context(), c),
	} {
		s.OnExpiring(time.Hour, func() { t.Errorf("%s: OnExpiring calls", name) })
		_, err := s.Renew(t.Context(), token)
		for _, err := range []error{err, context.Cause(s.Context()), context.Cause(s.CallContext())} {
			if !errors.Is(err, oidcauth.ErrClosed) {
				t.Errorf("%s: error = %v, want %v", name, err, oidcauth.ErrClosed)
			}
		}
		if _, ok := oidcauth.FromContext(s.CallContext()); ok || s.Nonce() != "" {
			t.Errorf("%s: somebody is known", name)
		}
		if made := name != "zero" && name != "nil"; (s.Claims() != nil) != made {
			t.Errorf("%s: Claims() = %v", name, s.Claims())
		}
		s.Close()
	}
}
