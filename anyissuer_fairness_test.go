package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

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
		// What more addresses, or none, lead to is for the log.
		{"1,000 domains, 100 a second, 50 addresses", attack{100, 1000, 50, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 0},
		{"1,000 domains, 100 a second, 1,000 addresses", attack{100, 1000, 1000, false}, 60, 503 * time.Millisecond, 50 * time.Millisecond, 0},
		{"one domain, 20 a second, nobody with an address", attack{20, 1, 0, false}, 0, 503 * time.Millisecond, 50 * time.Millisecond, 0},
		{"1,000 domains, 100 a second, nobody with an address", attack{100, 1000, 0, false}, 0, 503 * time.Millisecond, 50 * time.Millisecond, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
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
