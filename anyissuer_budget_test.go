package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
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
	t.Parallel()
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
				for n := range 500 {
					refusedForKey(t, a, next(i, other, n))
					time.Sleep(100 * time.Millisecond)
				}
				f := i.Fetches()
				t.Logf("500 refused tokens in %v cost %d fetches", time.Since(began), f.JWKS)
				if most := 2 * (1 + int(time.Since(began)/authtest.CoolDown)); f.JWKS > most {
					t.Errorf("500 refused tokens in %v cost %d fetches, want 2 in a cool-down: %d", time.Since(began), f.JWKS, most)
				}
				i.Clear()
				i.Rotate()
				time.Sleep(6 * time.Minute)                      // the longest back-off
				_, _ = a.Authenticate(t.Context(), i.Token(nil)) // may be the one that has the keys looked up
				time.Sleep(2 * authtest.CoolDown)
				wants(t, a, i.Token(nil), nil)
			})
		})
	}
}

// Lookups of many strangers' issuers at once keep to the one budget, in number
// and over time, and first contacts with them.
func TestAnyIssuer_LookupsShareTheBudget(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// An attack names issuers that nobody runs: that never answer, or fail at once.
type attack struct {
	perSecond int
	domains   int
	addresses int
	fails     bool
}

// run names issuers until ctx ends.
func (k attack) run(ctx context.Context, a *oidcauth.Authenticator) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("https://hang-%d.evil-%d.test", n, n%k.domains)
		if k.fails {
			name = strings.Replace(name, "hang", "fail", 1)
		}
		caller := calling(ctx, 0, n, k.addresses)
		wg.Go(func() { _, _ = a.Authenticate(caller, madeUp(name)) })
		time.Sleep(time.Second / time.Duration(k.perSecond))
	}
}

// hanging is a network in which only the issuers answer, after a while.
func hanging(inner http.RoundTripper, latency time.Duration) *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Host, "fail-") {
			return nil, errors.New("nobody there")
		}
		if !strings.HasPrefix(r.URL.Host, "stranger-") {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return inner.RoundTrip(r)
	})}
}

// A newcomer's first token, of an issuer that nobody knows yet, is accepted while
// others name issuers that never answer. The caller comes back when told to.
func TestAnyIssuer_Newcomers(t *testing.T) {
	t.Parallel()
	const newcomers, limit = 60, 1500 * time.Millisecond
	tests := []struct {
		name    string
		attack  attack
		callers int           // whom the newcomers come from; zero for no address
		every   time.Duration // a newcomer comes
		latency time.Duration // of their issuers, for each document
		want    int           // newcomers accepted within limit
	}{
		{"one domain, 20 a second", attack{20, 1, 1, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"one domain, 20 a second, four newcomers a caller", attack{20, 1, 1, false}, 15, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"1,000 domains, 100 a second", attack{100, 1000, 1, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"1,000 domains, 100 a second, 4 addresses", attack{100, 1000, 4, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"the same, four newcomers a caller", attack{100, 1000, 4, false}, 15, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"the same, all newcomers from one caller", attack{100, 1000, 4, false}, 1, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"the same, issuers slow to answer", attack{100, 1000, 4, false}, 60, 503 * time.Millisecond, 400 * time.Millisecond, 60},
		{"the same, newcomers as fast as the budget permits", attack{100, 1000, 4, false}, 60, 125 * time.Millisecond, 50 * time.Millisecond, 60},
		{"1,000 domains, 100 a second, 10 addresses", attack{100, 1000, 10, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"the same from 10, four newcomers a caller", attack{100, 1000, 10, false}, 15, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		{"1,000 domains, 100 a second, 10 addresses, failing at once", attack{100, 1000, 10, true}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 60},
		// What more addresses, or none, lead to is for the log, with -v.
		{"1,000 domains, 100 a second, 50 addresses", attack{100, 1000, 50, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 0},
		{"1,000 domains, 100 a second, 1,000 addresses", attack{100, 1000, 1000, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 0},
		{"one domain, 20 a second, nobody with an address", attack{20, 1, 0, false}, 0, 503 * time.Millisecond, 50 * time.Millisecond, 0},
		{"1,000 domains, 100 a second, nobody with an address", attack{100, 1000, 0, false}, 0, 503 * time.Millisecond, 50 * time.Millisecond, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == 0 && !testing.Verbose() {
				t.Skip("says something in the log alone, with -v")
			}
			synctest.Test(t, func(t *testing.T) {
				issuers, client := strangers(t, newcomers)
				a := newAuthenticator(t, open(hanging(client.Transport, tt.latency), oidcauth.AnyIssuer{}))
				ctx, stop := context.WithCancel(t.Context())
				var wg, coming sync.WaitGroup
				wg.Go(func() { tt.attack.run(ctx, a) })
				time.Sleep(10 * time.Second)
				took := make([]time.Duration, newcomers)
				for n, i := range issuers {
					caller := calling(ctx, 1, n, tt.callers)
					coming.Go(func() { took[n] = untilAccepted(caller, a, i) })
					time.Sleep(tt.every)
				}
				coming.Wait()
				stop()
				wg.Wait()
				slices.Sort(took)
				within, _ := slices.BinarySearch(took, limit+1)
				t.Logf("%d of %d within %v, median %v, slowest %v", within, newcomers, limit, took[newcomers/2], took[newcomers-1])
				if within < tt.want {
					t.Errorf("%d newcomers accepted within %v, want %d", within, limit, tt.want)
				}
			})
		})
	}
}

// calling returns the context of call n, of calls that come from so many addresses,
// or from none.
func calling(ctx context.Context, network byte, n, addresses int) context.Context {
	if addresses == 0 {
		return ctx
	}
	n %= addresses
	return oidcauth.WithCallerAddr(ctx, netip.AddrFrom4([4]byte{198, network, byte(n >> 8), byte(n)}))
}

// untilAccepted returns how long it took until a token of the issuer was accepted,
// at most half a minute.
func untilAccepted(ctx context.Context, a *oidcauth.Authenticator, i *oidctest.Issuer) time.Duration {
	began := time.Now()
	for time.Since(began) < 30*time.Second {
		_, err := a.Authenticate(ctx, i.Token(nil))
		if err == nil {
			return time.Since(began)
		}
		wait := time.Second
		if refusal, ok := errors.AsType[*oidcauth.Refusal](err); ok {
			wait = max(wait, refusal.RetryAfter())
		}
		time.Sleep(wait)
	}
	return time.Hour
}

// First contacts are bounded at once and over time; what is beyond waits two
// seconds at most, and is told when to come back. Known issuers notice nothing.
func TestAnyIssuer_Flood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		known, client := strangers(t, 1)
		var under, most, total atomic.Int32
		inner := client.Transport
		client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Host, "stranger") {
				return inner.RoundTrip(r)
			}
			total.Add(1)
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
			return nil, errors.New("nobody there")
		})
		var log logBuffer
		cfg := open(client, oidcauth.AnyIssuer{MaxFirstContacts: 5, FirstContactsPerSecond: 2})
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := newAuthenticator(t, cfg)
		good := known[0].Token(nil)
		wants(t, a, good, nil)

		start := time.Now()
		var wg sync.WaitGroup
		var waiting, mostWaiting, refused, contacted atomic.Int32
		for n := range 2000 {
			wg.Go(func() {
				began := time.Now()
				mostWaiting.Store(max(mostWaiting.Load(), waiting.Add(1)))
				defer waiting.Add(-1)
				_, err := a.Authenticate(t.Context(), madeUp(fmt.Sprintf("https://made-up-%d.test", n)))
				refusal, _ := errors.AsType[*oidcauth.Refusal](err)
				switch took := time.Since(began); {
				case errors.Is(err, oidcauth.ErrKeysUnavailable) && refusal.RetryAfter() >= time.Second && took <= 2*time.Second+3*time.Second:
					refused.Add(1)
				case errors.Is(err, oidcauth.ErrUnknownIssuer):
					contacted.Add(1)
				default:
					t.Errorf("Authenticate() error = %v after %v", err, took)
				}
			})
			time.Sleep(10 * time.Millisecond)
			wants(t, a, known[0].Token(map[string]any{"jti": strconv.Itoa(n)}), nil)
		}
		wg.Wait()
		if most.Load() > 5 || most.Load() < 2 {
			t.Errorf("%d contacts at once, want up to 5", most.Load())
		}
		if most := mostWaiting.Load(); most > 5+8+2 {
			t.Errorf("%d calls at once, want 5 contacts, and 8 that wait for one", most)
		}
		if limit := 5 + 2*int32(time.Since(start)/time.Second); total.Load() > limit || contacted.Load() > total.Load() {
			t.Errorf("%d contacts in %v, want at most %d", total.Load(), time.Since(start), limit)
		}
		if n := strings.Count(log.String(), "\n"); n > 60 {
			t.Errorf("%d log lines for 2000 tokens", n)
		}
	})
}

// Whoever leaves while the issuer's turn is still to come is not told that the
// issuer is unknown: nobody has asked it.
func TestAnyIssuer_LeavingTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		a := newAuthenticator(t, open(hanging(client.Transport, 0), oidcauth.AnyIssuer{MaxFirstContacts: 1, FirstContactsPerSecond: 0.1}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = a.Authenticate(t.Context(), madeUp("https://hang.test")) })
		synctest.Wait()
		_, err := a.Authenticate(ctx, issuers[0].Token(nil))
		refusal, ok := errors.AsType[*oidcauth.Refusal](err)
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !ok || refusal.RetryAfter() <= 0 {
			t.Errorf("Authenticate() error = %v, want %v by %v, and a time to retry after", err, oidcauth.ErrKeysUnavailable, context.DeadlineExceeded)
		}
		wg.Wait()
	})
}
