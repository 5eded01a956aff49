package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A caller's account is an address, of IPv6 its network.
func TestWithCallerAddr(t *testing.T) {
	tests := []struct{ name, one, other string }{
		{"an IPv4 address", "192.0.2.1", "192.0.2.1"},
		{"IPv4 as IPv6", "192.0.2.1", "::ffff:192.0.2.1"},
		{"a network of IPv6", "2001:db8::1", "2001:db8::ffff:0:0:2"},
		{"a zone", "fe80::1", "fe80::2%eth0"},
	}
	account := func(text string) netip.Addr {
		return oidcauth.CallerAccount(oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr(text)))
	}
	for _, tt := range tests {
		if account(tt.one) != account(tt.other) {
			t.Errorf("%s: accounts %v and %v, want one", tt.name, account(tt.one), account(tt.other))
		}
	}
	if account("192.0.2.1") == account("192.0.2.2") || account("2001:db8::1") == account("2001:db8:0:1::1") {
		t.Error("two callers have one account")
	}
	if got := oidcauth.CallerAccount(t.Context()); got.IsValid() {
		t.Errorf("account of nobody = %v, want none", got)
	}
}

// The middleware knows callers by their connection, or by the word of a proxy that
// is trusted, and a request's context that has an address already keeps it. While
// one caller floods, another has a turn at once; the same caller has not.
func TestMiddleware_CallerAddr(t *testing.T) {
	tests := []struct {
		name    string
		proxies []netip.Prefix
		flood   func(*http.Request) // makes a request the flooding caller's
		other   func(*http.Request)
		want    int
	}{
		{"by the connection", nil, remote("192.0.2.1:1"), remote("192.0.2.2:1"), 200},
		{"by the proxy's word", trusted, forwarded("192.0.2.1"), forwarded("192.0.2.2"), 200},
		{"by the program's word", nil, remote("192.0.2.1:1"), programs("192.0.2.2"), 200},
		{"one caller, another port", nil, remote("192.0.2.1:1"), remote("192.0.2.1:2"), 503},
		{"one proxy that is not trusted", nil, forwarded("192.0.2.1"), forwarded("192.0.2.2"), 503},
		{"one network of IPv6", nil, remote("[2001:db8::1]:1"), remote("[2001:db8::2]:1"), 503},
	}
	for _, tt := range tests {
		for _, extract := range map[string]oidcauth.Extractor{"the bearer's": nil, "another": oidcauth.FirstOf(oidcauth.BearerToken)} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuers, client := strangers(t, 1)
					cfg := open(hanging(client.Transport, 0), oidcauth.AnyIssuer{MaxFirstContacts: 1, FirstContactsPerSecond: 0.1})
					cfg.Proxies, cfg.Extract = tt.proxies, extract
					a := newAuthenticator(t, cfg)
					handler := a.Middleware(whoami)
					ask := func(token string, change func(*http.Request)) int {
						r := newRequest(t, "GET /", "Authorization: Bearer "+token)
						change(r)
						w := httptest.NewRecorder()
						handler.ServeHTTP(w, r)
						return w.Code
					}
					ctx, stop := context.WithCancel(t.Context())
					var wg sync.WaitGroup
					for n := range 100 {
						wg.Go(func() {
							time.Sleep(time.Duration(n) * 200 * time.Millisecond)
							if ctx.Err() == nil {
								ask(madeUp("https://hang-"+string(rune('a'+n%26))+string(rune('a'+n/26))+".test"), tt.flood)
							}
						})
					}
					// A second before the next turn, for which all others wait.
					time.Sleep(9*time.Second + 50*time.Millisecond)
					if got := ask(issuers[0].Token(nil), tt.other); got != tt.want {
						t.Errorf("status %d, want %d", got, tt.want)
					}
					stop()
					wg.Wait()
				})
			})
		}
	}
}

var trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

func remote(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

func forwarded(addr string) func(*http.Request) {
	return func(r *http.Request) {
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("X-Forwarded-For", addr)
	}
}

func programs(addr string) func(*http.Request) {
	return func(r *http.Request) {
		r.RemoteAddr = "192.0.2.1:1"
		*r = *r.WithContext(oidcauth.WithCallerAddr(r.Context(), netip.MustParseAddr(addr)))
	}
}

// The handler's context knows the caller, for tokens that come later on the
// connection.
func TestOptional_CallerAddr(t *testing.T) {
	_, client := strangers(t, 1)
	a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
	handler := a.Optional(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := oidcauth.CallerAccount(r.Context()).String(); got != "192.0.2.1" {
			t.Errorf("caller = %s, want 192.0.2.1", got)
		}
	}))
	r := newRequest(t, "GET /")
	r.RemoteAddr = "192.0.2.1:1"
	handler.ServeHTTP(httptest.NewRecorder(), r)
}

// A handler that takes the token out of the request itself has the caller's
// address from the Authenticator, where it matters.
func TestCallerContext(t *testing.T) {
	_, client := strangers(t, 1)
	cfg := open(client, oidcauth.AnyIssuer{})
	cfg.Proxies = trusted
	a := newAuthenticator(t, cfg)
	r := newRequest(t, "GET /")
	forwarded("192.0.2.1")(r)
	if got := oidcauth.CallerAccount(a.CallerContext(r)).String(); got != "192.0.2.1" {
		t.Errorf("caller = %s, want 192.0.2.1", got)
	}
	programs("192.0.2.2")(r)
	if got := oidcauth.CallerAccount(a.CallerContext(r)).String(); got != "192.0.2.2" {
		t.Errorf("caller = %s, want the program's word, 192.0.2.2", got)
	}
	r = newRequest(t, "GET /")
	if ctx := behindProxies(t).CallerContext(r); ctx != r.Context() {
		t.Error("another context where no address is needed")
	}
}

// Whoever leaves while the issuer's turn is still to come is not told that the
// issuer is unknown: nobody has asked it.
func TestAnyIssuer_LeavingTheLine(t *testing.T) {
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
