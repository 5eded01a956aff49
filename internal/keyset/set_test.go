package keyset_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	var many, alike []string
	for n := range 20 {
		many = append(many, key(fmt.Sprint("k", n), n))
		alike = append(alike, key("a", n))
	}
	rows := []struct {
		name  string
		body  string
		keyID string
		has   bool
		want  int
		err   error
	}{
		{"a known key ID", jwks(key("a", 0), key("b", 1)), "a", true, 1, nil},
		{"a key ID that two keys bear", jwks(key("a", 0), key("b", 1), key("a", 2)), "a", true, 2, nil},
		{"a key ID that very many keys bear", jwks(alike...), "a", true, 16, nil},
		{"the same key twice", jwks(key("a", 0), key("a", 0)), "a", true, 1, nil},
		{"no key ID", jwks(key("a", 0), key("", 1)), "", false, 2, nil},
		{"no key ID and many keys", jwks(many...), "", false, 16, nil},
		{"a known key ID among many", jwks(many...), "k19", true, 1, nil},
		{"an unknown key ID", jwks(key("a", 0)), "b", true, 0, keyset.ErrUnknownKey},
		{"an empty key ID does not mean keys without", jwks(key("", 0)), "", true, 0, keyset.ErrUnknownKey},
		{"a key ID in another case", jwks(key("a", 0)), "A", true, 0, keyset.ErrUnknownKey},
	}
	for _, row := range rows {
		bubble(t, row.name, func(t *testing.T) {
			i := newIssuer()
			i.body = row.body
			s := start(t, i.config(t))
			for range 2 { // by way of a fetch, then from the snapshot
				keys, err := s.Keys(t.Context(), jws.KeyID{Text: row.keyID, Has: row.has})
				if len(keys) != row.want || !errors.Is(err, row.err) {
					t.Fatalf("Keys() = %v, error %v, want %d, %v", ids(keys), err, row.want, row.err)
				}
			}
			wantCount(t, i, 1)
		})
	}
}

// Nobody has asked a set that is not there, and what is in hand is seen without asking.
func TestPeekAll(t *testing.T) {
	t.Parallel()
	if n := (*keyset.Set)(nil).Lookups(); n != 0 {
		t.Errorf("Lookups() = %d of no set, want 0", n)
	}
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0), key("b", 1))
		s := start(t, i.config(t))
		if keys := s.PeekAll(); len(keys) != 0 || i.count() != 0 {
			t.Errorf("PeekAll() = %v after %d fetches, want nothing and none", ids(keys), i.count())
		}
		mustKeys(t, s, "a")
		if keys := s.PeekAll(); len(keys) != 2 || i.count() != 1 {
			t.Errorf("PeekAll() = %v after %d fetches, want both keys and one", ids(keys), i.count())
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		cfg  keyset.Config
		want string
	}{
		{"no client", keyset.Config{Issuer: issuerURL}, "no fetch client"},
		{"a fixed set that is garbage", keyset.Config{Fixed: []byte("garbage")}, "not a JSON object"},
		{"a fixed set without keys", keyset.Config{Fixed: []byte(`{"keys":[]}`)}, "it is empty"},
		{"a fixed set with a secret", keyset.Config{Fixed: []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)}, "symmetric key"},
		{"an empty fixed set", keyset.Config{Fixed: []byte{}}, "not a JSON object"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, err := keyset.New(row.cfg)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("New() = %v, error %v, want %q", s, err, row.want)
			}
		})
	}
	bubble(t, "no network", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.KeepWarm = true
		s := start(t, cfg)
		time.Sleep(48 * time.Hour)
		wantCount(t, i, 0)
		if r := s.Report(); r.State != keyset.None {
			t.Errorf("State = %v, want none", r.State)
		}
	})
	bubble(t, "fixed keys live for ever", func(t *testing.T) {
		s := start(t, keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("a", 0)))})
		k := mustKeys(t, s, "a")[0]
		s.Hold()
		time.Sleep(1000 * time.Hour)
		if mustKeys(t, s, "a")[0] != k || !k.Live(time.Now()) {
			t.Error("a fixed key is gone")
		}
		s.Release()
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready() = %v", err)
		}
	})
}

func TestFirstFetch(t *testing.T) {
	t.Parallel()
	bubble(t, "is shared", func(t *testing.T) {
		i := newIssuer(key("a", 0), key("b", 1))
		i.delay = time.Second
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				if _, err := s.Keys(context.Background(), jws.Named([]string{"a", "b"}[n%2])); err != nil {
					t.Errorf("Keys() error = %v", err)
				}
			})
		}
		wg.Wait()
		wantCount(t, i, 1)
	})
	bubble(t, "fails for all, and at once in the back-off", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay, i.status = time.Second, 500
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := s.Keys(context.Background(), jws.Named("a"))
				if e := unavailable(t, err); e.Issuer != issuerURL || e.RetryAfter <= 0 {
					t.Errorf("UnavailableError = %+v", e)
				}
			})
		}
		wg.Wait()
		began := time.Now()
		_, err := s.Keys(t.Context(), jws.Named("a"))
		unavailable(t, err)
		var status *fetch.StatusError
		if !errors.As(err, &status) || status.Status != 500 {
			t.Errorf("Keys() error = %v, want the status inside", err)
		}
		if time.Since(began) != 0 {
			t.Error("waited in the back-off")
		}
		wantCount(t, i, 1)
	})
	bubble(t, "starts not for a caller that has left", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.config(t))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Keys(ctx, jws.Named("a"))
		if unavailable(t, err); !errors.Is(err, context.Canceled) {
			t.Errorf("Keys() error = %v, want canceled", err)
		}
		wantCount(t, i, 0)
	})
}

func TestFirstFetch_Recovers(t *testing.T) {
	t.Parallel()
	bubble(t, "heals without being asked for while in use", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.broken = true
		s := start(t, i.config(t))
		unavailable(t, s.Ready(t.Context()))
		time.Sleep(time.Minute)
		i.set(func(i *issuer) { i.broken = false })
		time.Sleep(2 * time.Minute)
		before := i.count()
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready() = %v", err)
		}
		wantCount(t, i, before)
	})
	bubble(t, "survives a transport that panics", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.panics = true
		s := start(t, i.config(t))
		err := s.Ready(t.Context())
		unavailable(t, err)
		if !strings.Contains(err.Error(), "fetching keys: the function panicked") {
			t.Errorf("Ready() = %v, want what was done when it panicked", err)
		}
		i.set(func(i *issuer) { i.panics = false })
		time.Sleep(2 * time.Second)
		mustKeys(t, s, "a")
	})
	bubble(t, "survives a transport that ends its goroutine", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.quits = true
		s := start(t, i.config(t))
		unavailable(t, s.Ready(within(t, time.Minute)))
		i.set(func(i *issuer) { i.quits = false })
		time.Sleep(2 * time.Second)
		mustKeys(t, s, "a")
	})
}

func TestHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, s := inHand(t)
		i.set(func(i *issuer) { i.hang = true })
		began := time.Now()
		var wg sync.WaitGroup
		for n := range 100 {
			wait := time.Duration(n+1) * 10 * time.Millisecond
			ctx := within(t, wait)
			wg.Go(func() {
				_, err := s.Keys(ctx, jws.Named("b"))
				unavailable(t, err)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != wait {
					t.Errorf("Keys() after %v, error %v, want its own deadline after %v", time.Since(began), err, wait)
				}
			})
		}
		synctest.Wait()
		mustKeys(t, s, "a")
		if time.Since(began) != 0 {
			t.Error("a known key waited for a hanging fetch")
		}
		wg.Wait()
		i.set(func(i *issuer) { i.hang, i.body = false, jwks(key("b", 1)) })
		wantCount(t, i, 2) // all hundred shared it, and none ended it
		time.Sleep(12 * time.Second)
		mustKeys(t, s, "b")
	})
}

func TestFetchOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = 3 * time.Second
		s := start(t, i.config(t))
		_, err := s.Keys(within(t, time.Second), jws.Named("a"))
		unavailable(t, err)
		time.Sleep(3 * time.Second)
		began := time.Now()
		mustKeys(t, s, "a")
		if time.Since(began) != 0 {
			t.Error("the result of the abandoned fetch was not used")
		}
		wantCount(t, i, 1)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	// The bubble fails the test if a goroutine is left when it ends.
	bubble(t, "during a hanging fetch with waiters", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.hang = true
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := s.Keys(context.Background(), jws.Named("a"))
				if unavailable(t, err); !errors.Is(err, keyset.ErrClosed) {
					t.Errorf("Keys() error = %v, want %v", err, keyset.ErrClosed)
				}
			})
		}
		synctest.Wait()
		s.Close()
		wg.Wait()
		s.Close()
	})
	bubble(t, "lets go of keys and calls no hook", func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		cfg := j.config(t, i)
		cfg.KeepWarm = true
		s := start(t, cfg)
		k := mustKeys(t, s, "a")[0]
		s.Hold()
		synctest.Wait()
		events := len(j.told().events)
		s.Close()
		if r := s.Report(); len(r.Keys) != 0 || !r.NextRefresh.IsZero() {
			t.Errorf("Report() after Close = %+v, want no keys and no refresh", r)
		}
		refused(t, s, "a", keyset.ErrClosed)
		if keys, _ := lookAgain(t, s, "", "token", time.Time{}); len(keys) > 0 || k.Live(time.Now()) {
			t.Error("a closed set has live keys")
		}
		time.Sleep(100 * time.Hour)
		if wantCount(t, i, 1); len(j.told().events) != events || len(j.told().gone) != 0 {
			t.Error("hooks were called after Close")
		}
	})
	bubble(t, "by several at once", func(t *testing.T) {
		_, s := inHand(t)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(s.Close)
			wg.Go(func() { _, _ = s.Keys(context.Background(), jws.Named("x")) })
		}
		wg.Wait()
	})
}

// What is left of a set that is taken out of use while it is fetched: nothing.
func TestRetire_Meanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = time.Second
		s := start(t, i.config(t))
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := s.Keys(within(t, time.Hour), jws.Named("a"))
			if unavailable(t, err); !errors.Is(err, keyset.ErrClosed) {
				t.Errorf("Keys() error = %v, want %v", err, keyset.ErrClosed)
			}
		})
		synctest.Wait()
		if !s.Retire() {
			t.Error("Retire() = false, want the set out of use")
		}
		wg.Wait()
		if s.InHand() {
			t.Error("keys are in hand after the set was retired")
		}
		wantCount(t, i, 1)
	})
}

// An answer that says that nothing has changed is one only where that was asked.
func TestFetch_NothingConditional(t *testing.T) {
	t.Parallel()
	const want = "got status 304, want 200"
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.status = 304
		s := start(t, i.config(t))
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ready() = %v, want %q", err, want)
		}
		i.set(func(i *issuer) { i.status = 0 })
		time.Sleep(2 * time.Second)
		mustKeys(t, s, "a")
		confirmed := s.Report().Confirmed
		i.set(func(i *issuer) { i.status = 304 })
		time.Sleep(time.Minute)
		_, err := s.Keys(t.Context(), jws.Named("b"))
		if unavailable(t, err); !strings.Contains(err.Error(), want) || !s.Report().Confirmed.Equal(confirmed) {
			t.Errorf("Keys(b) error = %v, confirmed %v, want %q and no later confirmation", err, s.Report().Confirmed, want)
		}
	})
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit int64 // added to the document's size; zero means that none is set
		want  bool
	}{{"none", 0, true}, {"one byte too low", -1, false}, {"exact", 1, true}} {
		bubble(t, tt.name, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			cfg := i.config(t)
			if tt.limit != 0 {
				cfg.MaxBytes = int64(len(i.body)) + min(tt.limit, 0)
			}
			if err := start(t, cfg).Ready(t.Context()); (err == nil) != tt.want {
				t.Errorf("Ready() = %v, want no error: %t", err, tt.want)
			}
		})
	}
}

// A report says of each key what kind it is of.
func TestReport_Type(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, public := range map[string]crypto.PublicKey{"RSA 2048": rsaKey.Public(), "OKP Ed25519": edKey, "EC P-384": ecKey.Public()} {
		jwk, err := jose.JSONWebKey{Key: public, KeyID: "a"}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: []byte(jwks(string(jwk)))})
		if err != nil {
			t.Fatal(err)
		}
		if keys := s.Report().Keys; len(keys) != 1 || keys[0].Type != want {
			t.Errorf("Keys = %+v, want one of type %s", keys, want)
		}
		s.Close()
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0), `{"kty":"oct","kid":"s","k":"AAAA"}`)
		i.etag = `"1"`
		i.header.Set("Cache-Control", "max-age=600")
		s := start(t, i.config(t))
		if r := s.Report(); r.State != keyset.None || r.JWKSURL != jwksURL || len(r.Keys) != 0 {
			t.Errorf("Report() = %+v, want nothing yet", r)
		}
		mustKeys(t, s, "a")
		refused(t, s, "b", keyset.ErrUnknownKey)
		r := s.Report()
		if r.State != keyset.Fresh || r.MaxAge != 10*time.Minute || !r.HasMaxAge || r.ETag != `"1"` || !r.InUse {
			t.Errorf("Report() = %+v", r)
		}
		if len(r.Keys) != 1 || r.Keys[0].Type != "EC P-256" || r.Keys[0].Use != "sig" || len(r.Keys[0].Thumbprint) != 43 {
			t.Errorf("Keys = %+v", r.Keys)
		}
		if len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.SymmetricKey || r.Skipped[0].ID != "s" {
			t.Errorf("Skipped = %+v", r.Skipped)
		}
		if time.Until(r.CoolDown) != keyset.CoolDownTime {
			t.Errorf("CoolDown = %v, want in %v", r.CoolDown, keyset.CoolDownTime)
		}
	})
}

// A report says where the keys come from, and fixed ones are always in use.
func TestReport_Source(t *testing.T) {
	t.Parallel()
	client := newIssuer().config(t).Fetch
	const other = "https://elsewhere.example/.well-known/openid-configuration"
	for _, tt := range []struct {
		cfg             keyset.Config
		discovery, jwks string
		inUse           bool
	}{
		{keyset.Config{Issuer: issuerURL, Fetch: client}, discoveryURL, "", false},
		{keyset.Config{Issuer: issuerURL, Fetch: client, DiscoveryURL: other}, other, "", false},
		{keyset.Config{Issuer: issuerURL, Fetch: client, DiscoveryURL: other, JWKSURL: jwksURL}, "", jwksURL, false},
		{keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("a", 0)))}, "", "", true},
	} {
		r := start(t, tt.cfg).Report()
		if r.DiscoveryURL != tt.discovery || r.JWKSURL != tt.jwks || r.InUse != tt.inUse {
			t.Errorf("Report() = %q, %q, in use %t, want %q, %q, %t", r.DiscoveryURL, r.JWKSURL, r.InUse, tt.discovery, tt.jwks, tt.inUse)
		}
	}
}
