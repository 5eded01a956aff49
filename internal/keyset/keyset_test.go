package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An issuer that publishes no usable key is told of in the log, once, and is ready
// with its first key.
func TestKeySet_NoKeyYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
		token := issuer.Token(nil)
		first := issuer.Key()
		issuer.RemoveKeys()
		var log authtest.Log
		a := authtest.NewAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		for range 100 {
			if err := a.Ready(t.Context()); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
				t.Fatalf("Ready() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
			}
			time.Sleep(10 * time.Second)
		}
		if unready := a.Unready(); len(unready) != 1 {
			t.Errorf("Unready() = %q, want the issuer", unready)
		}
		if r, err := a.Keys(t.Context(), issuer.URL()); err == nil || r.State != authtrace.None || r.LastError == nil {
			t.Errorf("Keys() = %+v, error %v, want none yet and why", r, err)
		}
		issuer.Publish(first)
		authtest.Wants(t, a, token, nil)
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v", err)
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "publishes no usable key"); n != 1 || strings.Contains(log.String(), "to=gone") {
			t.Errorf("log = %s, want one line about it and no outage", log.String())
		}
	})
}

// TestKeySet_RandomKeyIDs shows what a thousand forged tokens cost an issuer.
func TestKeySet_RandomKeyIDs(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 50, 1000} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
				issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 50 * time.Millisecond})
				a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				authtest.Wants(t, a, issuer.Token(nil), nil)
				issuer.ResetFetches()
				authtest.InParallel(forged(issuer, 1000), workers, func(token string) { authtest.RefusedInFlood(t, a, token, oidcauth.ErrUnknownKey) })
				time.Sleep(5 * authtest.CoolDown)
				if f := issuer.Fetches(); f.JWKS < 1 || f.JWKS > 2 {
					t.Errorf("cost %d fetches, want 1 or 2", f.JWKS)
				}
				authtest.Wants(t, a, issuer.Token(nil), nil)
			})
		})
	}
}

// forged returns tokens by strangers, each under a key ID of its own.
func forged(issuer *oidctest.Issuer, n int) []string {
	stranger := issuer.NewKey(oidctest.KeyConfig{})
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = stranger.WithID(fmt.Sprintf("random-%d", i)).Token(nil)
	}
	return tokens
}

func TestKeySet_RotationInPeace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		authtest.Wants(t, a, issuer.Token(nil), nil)
		for range 10 {
			time.Sleep(time.Second) // rotations in a row are no flood
			issuer.Rotate()
			began := time.Now()
			authtest.Wants(t, a, issuer.Token(nil), nil)
			if waited := time.Since(began); waited != 0 {
				t.Errorf("waited %v, want 0", waited)
			}
		}
	})
}

func TestKeySet_RotationInAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Delay: 20 * time.Millisecond})
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		authtest.Wants(t, a, issuer.Token(nil), nil)
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 10 {
			tokens := forged(issuer, 50)
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					_, _ = a.Authenticate(ctx, tokens[n%50])
					time.Sleep(time.Duration(90+w) * time.Millisecond)
				}
			})
		}
		time.Sleep(33 * time.Second)
		issuer.Rotate()
		rotated := time.Now()
		token := issuer.Token(nil)
		for _, err := a.Authenticate(ctx, token); err != nil; _, err = a.Authenticate(ctx, token) {
			if !errors.Is(err, oidcauth.ErrKeysUnavailable) || time.Since(rotated) > time.Minute {
				t.Fatalf("Authenticate() error = %v after %v", err, time.Since(rotated))
			}
			time.Sleep(50 * time.Millisecond)
		}
		if took := time.Since(rotated); took > authtest.CoolDown+time.Second {
			t.Errorf("the new key's first token was accepted after %v, want within a cool-down", took)
		}
		time.Sleep(27 * time.Second)
		stop()
		wg.Wait()
		if got, most := issuer.Fetches().JWKS, 3+int(time.Since(began)/authtest.CoolDown); got > most {
			t.Errorf("cost %d fetches in %v, want at most %d", got, time.Since(began), most)
		}
	})
}

func TestKeySet_BadSignatures(t *testing.T) {
	t.Parallel()
	for _, reuses := range []bool{false, true} {
		for _, workers := range []int{1, 50, 1000} {
			t.Run(fmt.Sprintf("reuses key IDs %t, %d workers", reuses, workers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
					trusted.Keys.ReusesKeyIDs = reuses
					a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
					authtest.Wants(t, a, issuer.Token(nil), nil)
					issuer.ResetFetches()
					stranger := issuer.NewKey(oidctest.KeyConfig{ID: issuer.Key().ID()})
					tokens := make([]string, 1000)
					for i := range tokens {
						tokens[i] = stranger.Token(map[string]any{"jti": fmt.Sprint(i)})
					}
					authtest.InParallel(tokens, workers, func(token string) { authtest.RefusedInFlood(t, a, token, oidcauth.ErrSignature) })
					synctest.Wait()
					want := 0
					if reuses {
						want = 1
					}
					if got := issuer.Fetches().JWKS; got != want {
						t.Errorf("cost %d fetches, want %d", got, want)
					}
				})
			})
		}
	}
}

// While the key set's endpoint hangs, a known key answers in no time, and who
// waits for an unknown one leaves when it wants.
func TestKeySet_Hang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
		a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		authtest.Wants(t, a, issuer.Token(nil), nil)
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		known := issuer.Key()
		issuer.Rotate()
		token := issuer.Token(nil)
		var wg sync.WaitGroup
		began := time.Now()
		for n := range 100 {
			wg.Go(func() {
				patience := time.Duration(n+1) * 50 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := a.Authenticate(ctx, token)
				if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != patience {
					t.Errorf("Authenticate() error = %v after %v, want the caller's deadline after %v", err, time.Since(began), patience)
				}
			})
		}
		for n := range 50 {
			asked := time.Now()
			authtest.Wants(t, a, known.Token(map[string]any{"jti": fmt.Sprint(n)}), nil)
			if waited := time.Since(asked); waited != 0 {
				t.Errorf("a known key's token waited %v", waited)
			}
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
		if n := issuer.Fetches().JWKS; n != 2 {
			t.Errorf("%d fetches, want one more than at the start", n)
		}
		issuer.Clear()
		time.Sleep(authtest.CoolDown)
		authtest.Wants(t, a, token, nil)
	})
}

// A restart in the middle of an outage costs nobody anything.
func TestKeySet_RestartDuringOutage(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]oidctest.Fault{
		"connection refused": {Refuse: true},
		"no answer":          {Hang: true},
		"server error":       {Status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
				cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: dir}
				before := authtest.NewAuthenticator(t, cfg)
				authtest.Wants(t, before, issuer.Token(nil), nil)
				before.Close()
				time.Sleep(23 * time.Hour)
				issuer.Fail(oidctest.Discovery, fault)
				issuer.Fail(oidctest.JWKS, fault)
				after := authtest.NewAuthenticator(t, cfg)
				began := time.Now()
				authtest.Wants(t, after, issuer.Token(nil), nil)
				if waited := time.Since(began); waited != 0 {
					t.Errorf("waited %v, want 0", waited)
				}
				without := cfg
				without.KeyCacheDir = ""
				authtest.Wants(t, authtest.NewAuthenticator(t, without), issuer.Token(nil), oidcauth.ErrKeysUnavailable)
			})
		})
	}
}

// Each odd key found in the wild stands in the set beside a good one, and alone.
func TestKeySet_BrokenJWKs(t *testing.T) {
	t.Parallel()
	for _, sample := range oidctest.BrokenJWKs() {
		t.Run(sample.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
				broken := issuer.NewKey(oidctest.KeyConfig{ID: oidctest.BrokenKeyID}).Token(nil)
				issuer.AddJWK(sample.Bytes)
				a := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				authtest.Wants(t, a, issuer.Token(nil), nil)
				authtest.Wants(t, a, broken, oidcauth.ErrUnknownKey)

				token := issuer.Token(nil)
				issuer.RemoveKeys()
				issuer.AddJWK(sample.Bytes)
				authtest.Wants(t, a, token, nil)
				cold := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				authtest.Wants(t, cold, token, oidcauth.ErrKeysUnavailable)
			})
		})
	}
}

// A document that is none takes no keys away, and brings none.
func TestKeySet_BrokenDocuments(t *testing.T) {
	t.Parallel()
	for _, sample := range oidctest.BrokenDocuments() {
		for _, at := range []oidctest.Endpoint{oidctest.Discovery, oidctest.JWKS} {
			t.Run(fmt.Sprintf("%s as %s", sample.Name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
					cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
					warm := authtest.NewAuthenticator(t, cfg)
					authtest.Wants(t, warm, issuer.Token(nil), nil)
					issuer.Fail(at, oidctest.Fault{Body: sample.Bytes})
					for range 6 {
						time.Sleep(3 * time.Hour)
						authtest.Wants(t, warm, issuer.Token(nil), nil)
					}
					authtest.Wants(t, authtest.NewAuthenticator(t, cfg), issuer.Token(nil), oidcauth.ErrKeysUnavailable)
				})
			})
		}
	}
}
