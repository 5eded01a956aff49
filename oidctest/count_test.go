package oidctest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

func TestFetches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(*testing.T, *oidctest.Issuer)
		want oidctest.Fetches
	}{
		{"nothing", func(*testing.T, *oidctest.Issuer) {}, oidctest.Fetches{}},
		{"discovery", func(t *testing.T, i *oidctest.Issuer) { discover(t, i.Client(), i) }, oidctest.Fetches{Discovery: 1}},
		{"key set", func(t *testing.T, i *oidctest.Issuer) { ask(t, i) }, oidctest.Fetches{JWKS: 1}},
		{"by entity tag", func(t *testing.T, i *oidctest.Issuer) { ask(t, i, "If-None-Match", `"x"`) }, oidctest.Fetches{JWKS: 1, Conditional: 1}},
		{"no-cache", func(t *testing.T, i *oidctest.Issuer) { ask(t, i, "Cache-Control", "max-age=0, No-Cache") }, oidctest.Fetches{JWKS: 1, NoCache: 1}},
		{"no-store is something else", func(t *testing.T, i *oidctest.Issuer) { ask(t, i, "Cache-Control", "no-store") }, oidctest.Fetches{JWKS: 1}},
		{"not found", func(t *testing.T, i *oidctest.Issuer) { get(t, i.Client(), i.URL()+"/x") }, oidctest.Fetches{Other: 1}},
		{"plain http", func(t *testing.T, i *oidctest.Issuer) { get(t, i.Client(), "http://issuer.test/jwks.json") }, oidctest.Fetches{JWKS: 1, PlainHTTP: 1}},
		{"below moved", func(t *testing.T, i *oidctest.Issuer) { get(t, i.Client(), i.URL()+"/moved/jwks.json") }, oidctest.Fetches{JWKS: 1}},
		{"outage", func(t *testing.T, i *oidctest.Issuer) {
			i.Fail(oidctest.JWKS, oidctest.Fault{Status: 503})
			ask(t, i)
		}, oidctest.Fetches{JWKS: 1}},
		{"refused", func(t *testing.T, i *oidctest.Issuer) {
			i.Fail(oidctest.Discovery, oidctest.Fault{Refuse: true})
			try(t.Context(), i.Client(), i.DiscoveryURL())
		}, oidctest.Fetches{Discovery: 1, Refused: 1}},
		{"redirect", func(t *testing.T, i *oidctest.Issuer) {
			i.FailNext(1, oidctest.JWKS, oidctest.Fault{Redirect: "/moved/jwks.json"})
			ask(t, i)
		}, oidctest.Fetches{JWKS: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{})
			tt.do(t, iss)
			if got := iss.Fetches(); got != tt.want {
				t.Errorf("Fetches() = %+v, want %+v", got, tt.want)
			}
			if got := iss.ResetFetches(); got != tt.want {
				t.Errorf("ResetFetches() = %+v, want %+v", got, tt.want)
			}
			if got := iss.Fetches(); got != (oidctest.Fetches{}) {
				t.Errorf("Fetches() after a reset = %+v, want zero", got)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		start := time.Now()
		iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Delay: time.Second, Status: 503})
		iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Refuse: true})
		iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Reset: true})
		for range 4 {
			try(t.Context(), iss.Client(), iss.JWKSURL())
		}
		want := []oidctest.Fetch{
			{Endpoint: oidctest.JWKS, At: start, Status: 503},
			{Endpoint: oidctest.JWKS, At: start.Add(time.Second), Refused: true},
			{Endpoint: oidctest.JWKS, At: start.Add(time.Second)},
			{Endpoint: oidctest.JWKS, At: start.Add(time.Second), Status: 200},
		}
		if got := iss.History(); !slices.Equal(got, want) {
			t.Errorf("History() = %+v, want %+v", got, want)
		}
	})
}

func TestAwaitFetches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		go func() {
			for range 2 {
				time.Sleep(time.Second)
				get(t, iss.Client(), iss.DiscoveryURL())
				get(t, iss.Client(), iss.JWKSURL())
			}
		}()
		start := time.Now()
		if err := iss.AwaitFetches(t.Context(), oidctest.JWKS, 2); err != nil {
			t.Errorf("AwaitFetches() error = %v", err)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("took %v, want 2s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := iss.AwaitFetches(ctx, oidctest.JWKS, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AwaitFetches() error = %v, want %v", err, context.DeadlineExceeded)
		}
		if err := iss.AwaitFetches(ctx, oidctest.JWKS, 2); err != nil {
			t.Errorf("AwaitFetches() for what has come: error = %v", err)
		}
	})
}
