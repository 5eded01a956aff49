package oidcauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A meter counts the requests to strangers' issuers.
type meter struct {
	inner   http.RoundTripper
	latency time.Duration

	mu      sync.Mutex // guards all below
	under   int
	most    int
	total   int
	byHost  map[string]int
	noCache int
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.total++
	m.byHost[r.URL.Hostname()]++
	if r.Header.Get("Cache-Control") == "no-cache" {
		m.noCache++
	}
	m.under++
	m.most = max(m.most, m.under)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.under--
		m.mu.Unlock()
	}()
	select {
	case <-time.After(m.latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return m.inner.RoundTrip(r)
}

// reset returns what was counted so far and begins anew.
func (m *meter) reset() (total, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total, most = m.total, m.most
	m.total, m.most, m.noCache, m.byHost = 0, m.under, 0, map[string]int{}
	return total, most
}

func metered(client *http.Client, latency time.Duration) *meter {
	m := &meter{inner: client.Transport, latency: latency, byHost: map[string]int{}}
	client.Transport = m
	return m
}

// refusal returns why the token is refused, which must be for one of two reasons.
func refusedForKey(t *testing.T, a *oidcauth.Authenticator, token string) error {
	_, err := a.Authenticate(t.Context(), token)
	if !errors.Is(err, oidcauth.ErrUnknownKey) && !errors.Is(err, oidcauth.ErrKeysUnavailable) && !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("Authenticate() error = %v, want a refusal for the key", err)
	}
	return err
}

// An issuer that does all it can to be asked for each token, and whose tokens are
// all refused, is asked as seldom as any.
func TestAnyIssuer_ObedientIssuer(t *testing.T) {
	for name, next := range map[string]func(i *oidctest.Issuer, other *oidctest.Key, n int) string{
		"just the key ID of the next token, under another key": func(i *oidctest.Issuer, other *oidctest.Key, n int) string {
			id := fmt.Sprint("next-", n)
			i.RemoveKeys()
			i.Publish(other.WithID(id))
			return i.NewKey(oidctest.KeyConfig{ID: id}).Token(nil)
		},
		"another key each time, and tokens without key ID": func(i *oidctest.Issuer, other *oidctest.Key, n int) string {
			i.RemoveKeys()
			i.Publish(other.WithID(fmt.Sprint("next-", n)))
			return i.NewKey(oidctest.KeyConfig{}).WithID("").Token(map[string]any{"jti": fmt.Sprint(n), "iat": time.Now()})
		},
		"no key at all each other time": func(i *oidctest.Issuer, other *oidctest.Key, n int) string {
			i.RemoveKeys()
			if n%2 == 0 {
				i.Publish(other.WithID(fmt.Sprint("next-", n)))
			}
			return i.NewKey(oidctest.KeyConfig{ID: fmt.Sprint("next-", n)}).Token(nil)
		},
		"failure each other time": func(i *oidctest.Issuer, other *oidctest.Key, n int) string {
			i.Clear()
			i.RemoveKeys()
			if n%2 == 0 {
				i.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
			}
			i.Publish(other.WithID(fmt.Sprint("next-", n)))
			return i.NewKey(oidctest.KeyConfig{ID: fmt.Sprint("next-", n)}).Token(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuers, client := strangers(t, 1)
				i := issuers[0]
				a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
				wants(t, a, i.Token(nil), nil)
				i.ResetFetches()
				began := time.Now()
				other := i.NewKey(oidctest.KeyConfig{})
				for n := range 2000 {
					refusedForKey(t, a, next(i, other, n))
					time.Sleep(25 * time.Millisecond)
				}
				f := i.Fetches()
				t.Logf("2000 refused tokens in %v cost %d fetches", time.Since(began), f.JWKS)
				if most := 2 * (1 + int(time.Since(began)/coolDown)); f.JWKS > most {
					t.Errorf("2000 refused tokens in %v cost %d fetches, want 2 in a cool-down: %d", time.Since(began), f.JWKS, most)
				}
				i.Clear()
				i.Rotate()
				time.Sleep(6 * time.Minute)                      // the longest back-off
				_, _ = a.Authenticate(t.Context(), i.Token(nil)) // may be the one that has the keys looked up
				time.Sleep(2 * coolDown)
				wants(t, a, i.Token(nil), nil)
			})
		})
	}
}

// Lookups of many strangers' issuers at once keep to the one budget, in number
// and over time, and first contacts with them.
func TestAnyIssuer_LookupsShareTheBudget(t *testing.T) {
	const number, places, rate = 400, 16, 10
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, number)
		m := metered(client, 200*time.Millisecond)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		for _, i := range issuers {
			wants(t, a, i.Token(nil), nil)
		}
		m.reset()
		began := time.Now()
		for range 5 {
			var wg sync.WaitGroup
			for _, i := range issuers {
				token := i.NewKey(oidctest.KeyConfig{ID: fmt.Sprint(time.Now().UnixNano())}).Token(nil)
				wg.Go(func() { refusedForKey(t, a, token) })
			}
			wg.Go(func() { _, _ = a.Authenticate(t.Context(), madeUp("https://made-up.test")) })
			wg.Wait()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		took := time.Since(began)
		total, most := m.reset()
		t.Logf("%d lookups of %d issuers: %d requests in %v, up to %d at once", 5*number, number, total, took, most)
		if most > places {
			t.Errorf("%d requests at once, want at most %d", most, places)
		}
		if limit := places + int(rate*took.Seconds()) + 1; total > limit || total < 10 {
			t.Errorf("%d requests in %v, want at most %d", total, took, limit)
		}
		// Who pays is the caller who caused it; tokens of known keys notice nothing.
		for _, i := range issuers[:20] {
			before := time.Now()
			wants(t, a, i.Token(map[string]any{"jti": "again"}), nil)
			if waited := time.Since(before); waited != 0 {
				t.Errorf("a known key's token waited %v", waited)
			}
		}
	})
}

// A stranger's key set at a third party is fetched seldom, however many
// strangers' issuers point there and however they are named.
func TestAnyIssuer_KeysAtAThirdParty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 101)
		victim, issuers := issuers[0], issuers[1:]
		m := metered(client, 20*time.Millisecond)
		for n, i := range issuers {
			spelling := []string{"https://stranger-0.test/jwks.json", "https://STRANGER-0.test:443/jwks.json", "https://stranger-0.test/jwks.json?a=" + fmt.Sprint(n)}
			i.SetDiscovery(map[string]any{"jwks_uri": spelling[n%3]})
		}
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{FirstContactsPerSecond: 1000, MaxFirstContacts: 100}))
		began := time.Now()
		var working atomic.Int32
		for time.Since(began) < 30*time.Second {
			var wg sync.WaitGroup
			for _, i := range issuers {
				forged := victim.NewKey(oidctest.KeyConfig{ID: fmt.Sprint(time.Now().UnixNano())})
				wg.Go(func() {
					_, err := a.Authenticate(t.Context(), forged.Token(map[string]any{"iss": i.URL()}))
					if errors.Is(err, oidcauth.ErrUnknownKey) {
						working.Add(1)
					} else if !errors.Is(err, oidcauth.ErrKeysUnavailable) {
						t.Errorf("Authenticate() error = %v", err)
					}
				})
			}
			wg.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		to := m.byHost["stranger-0.test"] + m.byHost["STRANGER-0.test"]
		t.Logf("%d requests to the third party in %v, %d with no-cache in all", to, time.Since(began), m.noCache)
		if limit := 8 + int(time.Since(began).Seconds()) + 1; to > limit || to < 8 {
			t.Errorf("%d requests to the third party in %v, want at most %d", to, time.Since(began), limit)
		}
		if working.Load() == 0 {
			t.Error("no issuer came to work")
		}
	})
}

// Issuers that share the host of their keys, as a provider's tenants do, do not
// take each other's turns; nor does it matter that there are thousands.
func TestAnyIssuer_ManyIssuersOnOneHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const number = 200
		issuers := make([]*oidctest.Issuer, number)
		for i := range issuers {
			issuers[i], _ = newIssuer(t, oidctest.Config{URL: fmt.Sprintf("https://pools.test/pool-%d", i)})
		}
		client := oidctest.Client(issuers...)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		began := time.Now()
		for n, i := range issuers {
			if n%2 == 0 { // the default port, spelled out
				i.SetDiscovery(map[string]any{"jwks_uri": strings.Replace(i.JWKSURL(), "pools.test", "pools.test:443", 1)})
			}
			wants(t, a, i.Token(nil), nil)
		}
		if took, most := time.Since(began), (number-16)*time.Second/10; took > most {
			t.Errorf("%d issuers on one host took %v, want %v", number, took, most)
		}
	})
}

// A caller whose own issuer hangs at every lookup keeps no other caller's issuer
// calling being asked.
func TestAnyIssuer_HangingLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 101)
		honest, evil := issuers[0], issuers[1:]
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{FirstContactsPerSecond: 20}))
		for _, i := range issuers {
			wants(t, a, i.Token(nil), nil)
		}
		for _, i := range evil {
			i.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		}
		var wg sync.WaitGroup
		for n, i := range evil {
			token := i.NewKey(oidctest.KeyConfig{ID: "none"}).Token(nil)
			wg.Go(func() { _, _ = a.Authenticate(calling(t.Context(), 0, n, 4), token) })
		}
		time.Sleep(time.Second)
		honest.Rotate()
		began := time.Now()
		if _, err := a.Authenticate(calling(t.Context(), 1, 0, 1), honest.Token(nil)); err != nil || time.Since(began) > time.Second {
			t.Errorf("Authenticate() error = %v after %v, want none within 1s", err, time.Since(began))
		}
		wg.Wait()
	})
}
