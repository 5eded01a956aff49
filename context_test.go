package oidcauth_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/asked"
)

// unverified makes claims for tests of what happens after authentication.
func unverified(t testing.TB, payload string) *oidcauth.Claims {
	t.Helper()
	c, err := oidcauth.UnverifiedClaims([]byte(payload), oidcauth.Issuer{
		URL: "https://issuer.test", Audiences: []string{testAudience},
	})
	if err != nil {
		t.Fatalf("UnverifiedClaims(%s) error = %v", payload, err)
	}
	return c
}

func TestFromContext(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	alice := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1}`)
	tests := []struct {
		name     string
		ctx      context.Context
		claims   *oidcauth.Claims
		internal bool
	}{
		{"nobody prepared it", ctx, nil, false},
		{"bearer", oidcauth.NewContext(ctx, alice), alice, false},
		{"nobody", oidcauth.NewContext(ctx, nil), nil, false},
		{"internal", oidcauth.NewInternalContext(ctx), nil, true},
		{"bearer inside internal", oidcauth.NewContext(oidcauth.NewInternalContext(ctx), alice), alice, false},
		{"nobody inside internal", oidcauth.NewContext(oidcauth.NewInternalContext(ctx), nil), nil, false},
		{"internal inside bearer", oidcauth.NewInternalContext(oidcauth.NewContext(ctx, alice)), nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims, ok := oidcauth.FromContext(tt.ctx)
			if claims != tt.claims || ok != (tt.claims != nil) {
				t.Errorf("FromContext() = %v, %v, want %v", claims, ok, tt.claims)
			}
			if got := oidcauth.IsInternal(tt.ctx); got != tt.internal {
				t.Errorf("IsInternal() = %v, want %v", got, tt.internal)
			}
		})
	}
}

// A context that acts for somebody is in all else the context it was made of.
func TestNewContext_IsTransparent(t *testing.T) {
	type key struct{}
	alice := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1}`)
	cause := errors.New("cause")
	for name, prepare := range map[string]func(context.Context) context.Context{
		"bearer":   func(ctx context.Context) context.Context { return oidcauth.NewContext(ctx, alice) },
		"nobody":   func(ctx context.Context) context.Context { return oidcauth.NewContext(ctx, nil) },
		"internal": oidcauth.NewInternalContext,
		"twice": func(ctx context.Context) context.Context {
			return oidcauth.NewInternalContext(oidcauth.NewContext(ctx, alice))
		},
	} {
		t.Run(name, func(t *testing.T) {
			until := time.Now().Add(time.Hour)
			parent, stop := context.WithDeadline(context.WithValue(t.Context(), key{}, "value"), until)
			defer stop()
			parent, cancel := context.WithCancelCause(parent)
			ctx := prepare(parent)
			if at, ok := ctx.Deadline(); !ok || !at.Equal(until) || ctx.Value(key{}) != "value" || ctx.Value("other") != nil {
				t.Errorf("got deadline %v, value %v", at, ctx.Value(key{}))
			}
			before := runtime.NumGoroutine()
			for range 100 { // a context that hides its parent costs a goroutine for each child
				_, stop := context.WithCancel(ctx)
				defer stop()
			}
			if n := runtime.NumGoroutine() - before; n >= 100 {
				t.Errorf("100 children cost %d goroutines", n)
			}
			child := context.WithValue(ctx, key{}, "inner")
			detached := oidcauth.NewContext(context.WithoutCancel(child), alice)
			called := make(chan struct{})
			context.AfterFunc(child, func() { close(called) })

			cancel(cause)
			<-called
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.Canceled) || context.Cause(ctx) != cause || context.Cause(child) != cause {
				t.Errorf("got error %v, cause %v, the child's %v", ctx.Err(), context.Cause(ctx), context.Cause(child))
			}
			if detached.Err() != nil || detached.Done() != nil || context.Cause(detached) != nil || detached.Value(key{}) != "inner" {
				t.Errorf("WithoutCancel: error %v, value %v", detached.Err(), detached.Value(key{}))
			}
			if got, _ := oidcauth.FromContext(detached); got != alice || oidcauth.IsInternal(detached) {
				t.Errorf("WithoutCancel: acts for %v", got)
			}
			got, _ := oidcauth.FromContext(child)
			if want, _ := oidcauth.FromContext(ctx); got != want || oidcauth.IsInternal(child) != oidcauth.IsInternal(ctx) {
				t.Errorf("the child acts for %v", got)
			}
		})
	}
}

// A generous context has a value for every key.
type generous struct {
	context.Context
	value any
}

func (g generous) Value(any) any { return g.value }

// Whoever writes a context of their own makes nobody of it, let alone the server.
func TestFromContext_Foreign(t *testing.T) {
	t.Parallel()
	alice := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1}`)
	for _, value := range []any{nil, true, "internal", struct{}{}, alice, (*oidcauth.Claims)(nil), oidcauth.NewInternalContext(t.Context())} {
		ctx, cancel := context.WithCancel(generous{oidcauth.NewContext(t.Context(), alice), value})
		defer cancel()
		if c, ok := oidcauth.FromContext(ctx); c != nil || ok || oidcauth.IsInternal(ctx) {
			t.Errorf("%T: FromContext() = %v, %v, IsInternal() = %v", value, c, ok, oidcauth.IsInternal(ctx))
		}
		if err := oidcauth.Require(ctx); !errors.Is(err, oidcauth.ErrNoToken) {
			t.Errorf("%T: Require() error = %v, want %v", value, err, oidcauth.ErrNoToken)
		}
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	nobody := context.Background()
	bearer := oidcauth.NewContext(nobody, unverified(t, `{
		"iss":"https://issuer.test","sub":"alice","exp":1,"aud":["a","my-db"],
		"roles":["writer"],"scope":"read write"}`))
	internal := oidcauth.NewInternalContext(nobody)
	role, scope := oidcauth.HasRole, oidcauth.HasScope
	tests := []struct {
		name  string
		ctx   context.Context
		rules []oidcauth.Rule
		want  error
	}{
		{"nobody, no rules", nobody, nil, oidcauth.ErrNoToken},
		{"nobody, any role", nobody, []oidcauth.Rule{role("writer")}, oidcauth.ErrNoToken},
		{"internal, no rules", internal, nil, nil},
		{"internal, a role it cannot have", internal, []oidcauth.Rule{role("writer")}, nil},
		{"bearer, no rules", bearer, nil, nil},
		{"role", bearer, []oidcauth.Rule{role("writer")}, nil},
		{"role missing", bearer, []oidcauth.Rule{role("admin")}, oidcauth.ErrForbidden},
		{"role in another case", bearer, []oidcauth.Rule{role("Writer")}, oidcauth.ErrForbidden},
		{"scope", bearer, []oidcauth.Rule{scope("read")}, nil},
		{"scope missing", bearer, []oidcauth.Rule{scope("delete")}, oidcauth.ErrForbidden},
		{"scope is a part of one", bearer, []oidcauth.Rule{scope("rea")}, oidcauth.ErrForbidden},
		{"issuer", bearer, []oidcauth.Rule{oidcauth.HasIssuer("https://b.test", "https://issuer.test")}, nil},
		{"another issuer", bearer, []oidcauth.Rule{oidcauth.HasIssuer("https://b.test")}, oidcauth.ErrForbidden},
		{"issuer with a slash", bearer, []oidcauth.Rule{oidcauth.HasIssuer("https://issuer.test/")}, oidcauth.ErrForbidden},
		{"from no issuer", bearer, []oidcauth.Rule{oidcauth.HasIssuer()}, oidcauth.ErrForbidden},
		{"audience", bearer, []oidcauth.Rule{oidcauth.HasAudience("my-db")}, nil},
		{"another audience", bearer, []oidcauth.Rule{oidcauth.HasAudience("b")}, oidcauth.ErrForbidden},
		{"two rules", bearer, []oidcauth.Rule{role("writer"), scope("read")}, nil},
		{"two rules, one broken", bearer, []oidcauth.Rule{role("writer"), scope("delete")}, oidcauth.ErrForbidden},
		{"all of none", bearer, []oidcauth.Rule{oidcauth.All()}, nil},
		{"all", bearer, []oidcauth.Rule{oidcauth.All(role("writer"), scope("read"))}, nil},
		{"all, one broken", bearer, []oidcauth.Rule{oidcauth.All(role("writer"), role("admin"))}, oidcauth.ErrForbidden},
		{"any", bearer, []oidcauth.Rule{oidcauth.Any(role("admin"), role("writer"))}, nil},
		{"any, all broken", bearer, []oidcauth.Rule{oidcauth.Any(role("admin"), scope("delete"))}, oidcauth.ErrForbidden},
		{"a nil rule", bearer, []oidcauth.Rule{nil}, oidcauth.ErrForbidden},
		{"a nil rule beside a good one", bearer, []oidcauth.Rule{role("writer"), nil}, oidcauth.ErrForbidden},
		{"any, one nil", bearer, []oidcauth.Rule{oidcauth.Any(nil, role("writer"))}, nil},
		{"any of nil", bearer, []oidcauth.Rule{oidcauth.Any(nil)}, oidcauth.ErrForbidden},
		{"any of none", bearer, []oidcauth.Rule{oidcauth.Any()}, oidcauth.ErrForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var note asked.Note
			if err := oidcauth.Require(asked.NewContext(tt.ctx, &note), tt.rules...); !errors.Is(err, tt.want) {
				t.Errorf("Require() error = %v, want %v", err, tt.want)
			}
			if note.Granted() != (tt.want == nil) || note.Refused() != (tt.want != nil) {
				t.Errorf("noted for package guard: granted %t, refused %t", note.Granted(), note.Refused())
			}
		})
	}
}

// The text of one rule that is not satisfied stands for itself; of several it is a list.
func TestAny_Text(t *testing.T) {
	t.Parallel()
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","roles":["reader"],"exp":1}`)
	writer, admin := oidcauth.HasRole("writer"), oidcauth.HasRole("admin")
	if one, alone := oidcauth.Any(writer)(c).Error(), writer(c).Error(); one != alone {
		t.Errorf("Any() of one rule says %q, want %q", one, alone)
	}
	if both, want := oidcauth.Any(writer, admin)(c).Error(), "none of: "+writer(c).Error()+"; "+admin(c).Error(); both != want {
		t.Errorf("Any() of two rules says %q, want %q", both, want)
	}
}

// A server may build its rules' arguments in a slice that it uses again.
func TestRule_CopiesArguments(t *testing.T) {
	t.Parallel()
	issuers, audiences := []string{"https://issuer.test"}, []string{testAudience}
	rule := oidcauth.All(oidcauth.HasIssuer(issuers...), oidcauth.HasAudience(audiences...))
	issuers[0], audiences[0] = "https://b.test", "b"
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1,"aud":"my-db"}`)
	if err := rule(c); err != nil {
		t.Errorf("rule() error = %v, want none", err)
	}
}
