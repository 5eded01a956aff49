package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// whoami answers with the subject that the context names.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if c, ok := oidcauth.FromContext(r.Context()); ok {
		io.WriteString(w, c.Subject())
		return
	}
	io.WriteString(w, "nobody")
})

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if said.Kept() {
		fmt.Fprintf(said.Writer{}, "answer: %v %v\n%s\n", w.Code, w.Result().Header, w.Body)
	}
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://down.test"})
	down.Fail(oidctest.JWKS, oidctest.Fault{Status: 503})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, {URL: down.URL(), Audiences: []string{testAudience}}},
		Client:  oidctest.Client(issuer, down),
	})
	good := "Authorization: Bearer " + issuer.Token(nil)
	expired := "Authorization: Bearer " + issuer.Token(map[string]any{"exp": 1})
	unreachable := "Authorization: Bearer " + down.Token(map[string]any{"sub": "bob", "aud": testAudience})
	tests := []struct {
		name      string
		handler   http.Handler
		headers   []string
		status    int
		body      string // of a good answer, or the error code
		challenge string
	}{
		{"good token", a.Middleware(whoami), []string{good}, 200, "alice", ""},
		{"no token", a.Middleware(whoami), nil, 401, "unauthorized", `Bearer realm="api"`},
		{"expired token", a.Middleware(whoami), []string{expired}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="the token has expired"`},
		{"the same token twice", a.Middleware(whoami), []string{good, good}, 200, "alice", ""},
		{"two tokens", a.Middleware(whoami), []string{good, expired}, 400, "invalid_request",
			`Bearer error="invalid_request", error_description="the request carries more than one token"`},
		{"keys unavailable", a.Middleware(whoami), []string{unreachable}, 503, "temporarily_unavailable", ""},
		{"optional, good token", a.Optional(whoami), []string{good}, 200, "alice", ""},
		{"optional, no token", a.Optional(whoami), nil, 200, "nobody", ""},
		{"optional, expired token", a.Optional(whoami), []string{expired}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="the token has expired"`},
		{"optional, malformed header", a.Optional(whoami), []string{"Authorization: Bearer"}, 400, "invalid_request",
			`Bearer error="invalid_request", error_description="the request is malformed"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := serve(tt.handler, newRequest(t, "GET /", tt.headers...))
			body := bodyOf(t, resp)
			if resp.StatusCode != tt.status {
				t.Fatalf("status = %d, want %d: %s", resp.StatusCode, tt.status, body)
			}
			if got := resp.Header.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge = %q, want %q", got, tt.challenge)
			}
			if sniffed := resp.Header.Get("X-Content-Type-Options") != "nosniff"; sniffed && tt.status != 200 {
				t.Error("a browser may take the answer for something else")
			}
			if (resp.Header.Get("Retry-After") != "") != (tt.status == 503) {
				t.Errorf("Retry-After = %q with status %d", resp.Header.Get("Retry-After"), tt.status)
			}
			if tt.status == 200 {
				if body != tt.body {
					t.Errorf("body = %q, want %q", body, tt.body)
				}
				return
			}
			var refusal map[string]string
			if err := json.Unmarshal([]byte(body), &refusal); err != nil || refusal["error"] != tt.body || refusal["error_description"] == "" {
				t.Errorf("body = %s, want the error %q and its description", body, tt.body)
			}
		})
	}
}

// A caller that an outer handler put into the context does not survive a
// request without token.
func TestOptional_ReplacesCaller(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	r := newRequest(t, "GET /")
	r = r.WithContext(oidcauth.NewInternalContext(r.Context()))
	a.Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := oidcauth.Require(r.Context()); !errors.Is(err, oidcauth.ErrNoToken) {
			t.Errorf("Require() error = %v, want %v", err, oidcauth.ErrNoToken)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// One line a refusal, which says what was got and wanted, and no token.
func TestMiddleware_Log(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var log logBuffer
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.QueryToken("access_token")),
	})
	token := issuer.Token(map[string]any{"aud": "other-db"})
	serve(a.Middleware(whoami), newRequest(t, "GET /", "Authorization: Bearer "+token))
	for _, want := range []string{"other-db", testAudience, "status=401"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log = %s, want %q in it", &log, want)
		}
	}
	if n := strings.Count(log.String(), "request refused"); n != 1 {
		t.Errorf("%d lines for one refusal", n)
	}
	serve(a.Middleware(whoami), newRequest(t, "GET /?access_token="+token))
	serve(a.Middleware(whoami), newRequest(t, "GET /?access_token="+token, "Authorization: Bearer "+token))
	serve(a.Middleware(whoami), newRequest(t, "GET /", "Authorization: Bearer "+token+"x"))
	for part := range strings.SplitSeq(token, ".") {
		if strings.Contains(log.String(), part) {
			t.Errorf("a part of the token is in the log: %s", &log)
		}
	}
}

func ExampleAuthenticator_Middleware() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{}) // your provider
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(), // only since the issuer of this example is not on the network
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()

	handler := auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := oidcauth.FromContext(r.Context())
		fmt.Fprintln(w, "hello", caller.Subject())
	}))

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": "alice", "aud": "my-db"}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output: hello alice
}

// A caller's account is an address, of IPv6 its network.
func TestWithCallerAddr(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// behindProxies is an Authenticator whose proxies are 10.0.0.0/8 and
// 2001:db8:ffff::/48.
func behindProxies(t testing.TB) *oidcauth.Authenticator {
	return newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://issuer.test", Audiences: []string{testAudience}}},
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")},
	})
}

func TestConfig_Proxies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.0/8": "", "10.1.2.3/8": "", "2001:db8::/32": "", "0.0.0.0/0": "", "": "Config.Proxies", "::ffff:10.0.0.0/104": "IPv4 form",
	} {
		prefix, _ := netip.ParsePrefix(text)
		a, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: "https://issuer.test", Audiences: []string{testAudience}}},
			Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), prefix},
		})
		if err == nil {
			a.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("New() with proxy %q error = %v, want one with %q", text, err, want)
		}
	}
}

// Only a request without token is nobody's. A token that a rule refuses is not
// taken for none, whatever error the rule found for it.
func TestOptional_RuleSaysNoToken(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
		if c.TokenID() == "" {
			return fmt.Errorf("no ticket: %w", oidcauth.ErrNoToken)
		}
		return nil
	}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
		body    string
	}{
		{"refused by the rule", []string{"Authorization: Bearer " + issuer.Token(nil)}, 401, ""},
		{"accepted by the rule", []string{"Authorization: Bearer " + issuer.Token(map[string]any{"jti": "1"})}, 200, "alice"},
		{"no token", nil, 200, "nobody"},
	} {
		resp := serve(a.Optional(whoami), newRequest(t, "GET /", tt.headers...))
		if body := bodyOf(t, resp); resp.StatusCode != tt.status || tt.status == 200 && body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, resp.StatusCode, body, tt.status, tt.body)
		}
	}
}

// A token that was seen before costs one allocation on its way through the
// middleware: the handler's request, with its context.
func TestMiddleware_Allocations(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	authorization := []string{"Bearer " + issuer.Token(nil)}
	r := newRequest(t, "GET /")
	served := 0
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := oidcauth.FromContext(r.Context()); ok {
			served++
		}
	})
	for name, handler := range map[string]http.Handler{"Middleware": a.Middleware(next), "Optional": a.Optional(next)} {
		served = 0
		if n := testing.AllocsPerRun(100, func() {
			r.Header["Authorization"] = authorization
			handler.ServeHTTP(nil, r)
		}); n != 1 {
			t.Errorf("%s: %v allocations, want 1", name, n)
		}
		if served != 101 {
			t.Errorf("%s: served %d of 101 requests", name, served)
		}
	}
}

// The handler's request is as r.WithContext makes it: it has all of the caller's,
// and what the handler changes in it is not changed in the caller's.
func TestMiddleware_CopiesTheRequest(t *testing.T) {
	t.Parallel()
	type key struct{}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	var inner *http.Request
	handler := a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner = r
		if r.Pattern != "GET /db/{name}" || r.PathValue("name") != "my-db" || r.PathValue("extra") != "set before" {
			t.Errorf("pattern %q, name %q, extra %q", r.Pattern, r.PathValue("name"), r.PathValue("extra"))
		}
		if r.Context().Value(key{}) != "value" || r.Host != "db.test" || r.RemoteAddr != "192.0.2.7:4711" || r.Header.Get("X-Other") != "kept" {
			t.Errorf("the handler's request lacks something of the caller's: %+v", r)
		}
		if c, ok := oidcauth.FromContext(r.Context()); !ok || c.Subject() != "alice" {
			t.Errorf("the request acts for %v", c)
		}
		r.Method, r.URL, r.Pattern, r.RemoteAddr = "PUT", &url.URL{Path: "/changed"}, "changed", "changed"
		r.SetPathValue("name", "changed")
	}))
	var outer, before *http.Request
	mux := http.NewServeMux()
	mux.HandleFunc("GET /db/{name}", func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("extra", "set before")
		r = r.WithContext(context.WithValue(r.Context(), key{}, "value"))
		outer, before = r, r.WithContext(r.Context())
		handler.ServeHTTP(w, r)
	})
	r := newRequest(t, "GET /db/my-db", "Authorization: Bearer "+issuer.Token(nil), "X-Other: kept")
	r.Host, r.RemoteAddr = "db.test", "192.0.2.7:4711"
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if inner == nil || inner == outer {
		t.Fatal("the handler got no request of its own")
	}
	if outer.Method != before.Method || outer.URL != before.URL || outer.Pattern != before.Pattern || outer.RemoteAddr != before.RemoteAddr {
		t.Errorf("the caller's request has changed: %+v", outer)
	}
	if c, ok := oidcauth.FromContext(outer.Context()); ok {
		t.Errorf("the caller's request acts for %v", c)
	}
}

// The request's context ends for the handler when it ends for the caller.
func TestMiddleware_ContextEnds(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	ctx, cancel := context.WithCancel(t.Context())
	served := false
	a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		served = true
		derived, stop := context.WithCancel(r.Context())
		defer stop()
		cancel()
		if r.Context().Err() == nil || derived.Err() == nil {
			t.Error("the contexts go on")
		}
	})).ServeHTTP(nil, newRequest(t, "GET /", "Authorization: Bearer "+issuer.Token(nil)).WithContext(ctx))
	if !served {
		t.Error("not served")
	}
}

// A session outlives the request that it began in, and keeps none of it.
func TestNewSession_LetsTheRequestGo(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	var s *oidcauth.Session
	var request weak.Pointer[http.Request]
	a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, _ := oidcauth.FromContext(r.Context())
		s = a.NewSession(r.Context(), c)
		request = weak.Make(r)
	})).ServeHTTP(nil, newRequest(t, "GET /", "Authorization: Bearer "+issuer.Token(nil)))
	runtime.GC()
	if request.Value() != nil {
		t.Error("the request is kept")
	}
	if s.CallContext().Err() != nil {
		t.Error("the session has ended")
	}
}
