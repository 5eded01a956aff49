package oidcauth_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Of issuers that were refused nobody hears, neither a hook nor the log, whatever there
// is of their keys in a directory.
func TestSetIssuers_RefusedIsUnseen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		known, refused := oidctest.NewIssuer(t, oidctest.Config{URL: "https://known.test"}), oidctest.NewIssuer(t, oidctest.Config{URL: "https://refused.test"})
		described := func(iss *oidctest.Issuer) oidcauth.Issuer {
			return oidcauth.Issuer{URL: iss.URL(), Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{Client: iss.Client()}}
		}
		before, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{described(refused)}, KeyCacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := before.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		before.Close()

		var mu sync.Mutex
		var told []authtrace.KeyState
		var log authtest.Log
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{described(known)}, KeyCacheDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Trace: &authtrace.Hooks{KeysState: func(s authtrace.KeyState) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, s)
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		impossible := oidcauth.Issuer{URL: "https://bound.test", Audiences: []string{"my-db"}, Bound: "require"}
		for _, tt := range []struct {
			issuers []oidcauth.Issuer
			good    bool
			want    int
		}{
			{[]oidcauth.Issuer{described(known), described(refused), impossible}, false, 0},
			{[]oidcauth.Issuer{described(known), described(refused)}, true, 1},
		} {
			if err := auth.SetIssuers(tt.issuers...); (err == nil) != tt.good {
				t.Fatalf("SetIssuers() = %v, want good %t", err, tt.good)
			}
			synctest.Wait()
			mu.Lock()
			if len(told) != tt.want || strings.Count(log.String(), refused.URL()) != tt.want {
				t.Errorf("good %t: the hook is told %v, the log has\n%swant %d of %s", tt.good, told, log.String(), tt.want, refused.URL())
			}
			mu.Unlock()
		}
	})
}
