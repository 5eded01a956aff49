package oidctest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// fetched is what a client has seen of one answer.
type fetched struct {
	status int
	header http.Header
	body   []byte
	url    string
	err    error // of the request or of reading the body
}

// try fetches a URL, whatever comes of it.
func try(ctx context.Context, c *http.Client, url string) fetched {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fetched{err: err}
	}
	resp, err := c.Do(r)
	if err != nil {
		return fetched{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fetched{resp.StatusCode, resp.Header, body, resp.Request.URL.String(), err}
}

// proper stands for the proper document in wanted bodies.
const proper = "(proper)"

func TestFault_Answers(t *testing.T) {
	t.Parallel()
	html := http.Header{"Content-Type": {"text/html"}}
	tests := []struct {
		name   string
		fault  oidctest.Fault
		status int
		ctype  string
		body   string
		url    string // path at the end, if not the endpoint's
	}{
		{"no fault", oidctest.Fault{}, 200, "application/json", proper, ""},
		{"unavailable", oidctest.Fault{Status: 503}, 503, "text/plain; charset=utf-8", "Service Unavailable\n", ""},
		{"too many requests", oidctest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, 429, "text/plain; charset=utf-8", "Too Many Requests\n", ""},
		{"not found", oidctest.Fault{Status: 404}, 404, "text/plain; charset=utf-8", "Not Found\n", ""},
		{"no content", oidctest.Fault{Status: 204}, 204, "text/plain; charset=utf-8", "", ""},
		{"not modified, though nobody asked", oidctest.Fault{Status: 304}, 304, "", "", ""},
		{"status with a body of its own", oidctest.Fault{Status: 500, Body: []byte(`{"keys":[]}`)}, 500, "application/json", `{"keys":[]}`, ""},
		{"garbage", oidctest.Fault{Body: []byte("\x00\xff{")}, 200, "application/json", "\x00\xff{", ""},
		{"empty body", oidctest.Fault{Body: []byte{}}, 200, "application/json", "", ""},
		{"wrong content type", oidctest.Fault{Header: html}, 200, "text/html", proper, ""},
		{"header in lower case", oidctest.Fault{Header: http.Header{"content-type": {"text/html"}}}, 200, "text/html", proper, ""},
		{"no content type", oidctest.Fault{Header: http.Header{"Content-Type": nil}, Body: []byte("{}")}, 200, "", "{}", ""},
		{"the document without content type", oidctest.Fault{Header: http.Header{"Content-Type": nil}}, 200, "", proper, ""},
		{"a document without length", oidctest.Fault{Header: http.Header{"Content-Length": nil}}, 200, "application/json", proper, ""},
		{"a document of no date", oidctest.Fault{Header: http.Header{"Last-Modified": nil, "Date": nil}}, 200, "application/json", proper, ""},
		{"a page without content type", oidctest.Fault{Status: 503, Header: http.Header{"content-type": nil}}, 503, "", "Service Unavailable\n", ""},
		{"page of a proxy", oidctest.HTMLPage(502), 502, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head><body>Please try again.</body></html>\n", ""},
		{"page of a proxy as 200", oidctest.HTMLPage(200), 200, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>OK</title></head><body>Please try again.</body></html>\n", ""},
		{"redirect on the host", oidctest.Fault{Redirect: "/moved/jwks.json"}, 200, "application/json", proper, "https://issuer.test/moved/jwks.json"},
		{"permanent redirect", oidctest.Fault{Redirect: "/moved/jwks.json", Status: 308}, 200, "application/json", proper, "https://issuer.test/moved/jwks.json"},
		{"redirect to plain http", oidctest.Fault{Redirect: "http://issuer.test/moved/jwks.json"}, 200, "application/json", proper, "http://issuer.test/moved/jwks.json"},
		{"white space before the body", oidctest.Fault{Pad: 100_000}, 200, "application/json", strings.Repeat(" ", 100_000) + proper, ""},
		{"compressed", oidctest.Fault{Gzip: true}, 200, "application/json", proper, ""},
		{"compressed and padded", oidctest.Fault{Gzip: true, Pad: 1000}, 200, "application/json", strings.Repeat(" ", 1000) + proper, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{})
			iss.SetCaching(oidctest.JWKS, oidctest.Caching{LastModified: true})
			iss.Fail(oidctest.JWKS, tt.fault)
			want := strings.Replace(tt.body, proper, string(iss.KeySet()), 1)
			got := try(t.Context(), iss.Client(), iss.JWKSURL())
			if got.err != nil || got.status != tt.status {
				t.Fatalf("status = %d, error = %v, want %d", got.status, got.err, tt.status)
			}
			if ctype := got.header.Get("Content-Type"); ctype != tt.ctype {
				t.Errorf("Content-Type = %q, want %q", ctype, tt.ctype)
			}
			if string(got.body) != want {
				t.Errorf("body = %.200q, want %.200q", got.body, want)
			}
			if tt.url == "" {
				tt.url = iss.JWKSURL()
			}
			if got.url != tt.url {
				t.Errorf("answered by %q, want %q", got.url, tt.url)
			}
			for name, values := range tt.fault.Header {
				if got := got.header.Values(name); !slices.Equal(got, values) {
					t.Errorf("%s = %q, want %q", name, got, values)
				}
			}
			// The other endpoint is not affected.
			if other := try(t.Context(), iss.Client(), iss.DiscoveryURL()); other.status != 200 || other.err != nil {
				t.Errorf("discovery: status = %d, error = %v, want 200", other.status, other.err)
			}
		})
	}
}

func TestFault_BrokenConnections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault oidctest.Fault
		want  error
		body  bool // some of the body arrives
	}{
		{"refused", oidctest.Fault{Refuse: true}, syscall.ECONNREFUSED, false},
		{"reset", oidctest.Fault{Reset: true}, syscall.ECONNRESET, false},
		{"cut", oidctest.Fault{Cut: true}, io.ErrUnexpectedEOF, true},
		{"cut while compressed", oidctest.Fault{Cut: true, Gzip: true}, io.ErrUnexpectedEOF, true},
		{"length that is a lie", oidctest.Fault{Header: http.Header{"Content-Length": {"1000000"}}}, io.ErrUnexpectedEOF, true},
		{"nothing", oidctest.Fault{}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := oidctest.NewIssuer(t, oidctest.Config{})
				iss.FailNext(1, oidctest.JWKS, tt.fault)
				got := try(t.Context(), iss.Client(), iss.JWKSURL())
				if !errors.Is(got.err, tt.want) {
					t.Errorf("error = %v, want %v", got.err, tt.want)
				}
				if (len(got.body) > 0) != tt.body {
					t.Errorf("body = %q", got.body)
				}
				if got := try(t.Context(), iss.Client(), iss.JWKSURL()); got.err != nil {
					t.Errorf("next request: error = %v", got.err)
				}
			})
		})
	}
}

func TestFault_BrokenConnectionsOnSockets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault oidctest.Fault
		want  error
	}{
		{"refused is reset", oidctest.Fault{Refuse: true}, syscall.ECONNRESET},
		{"reset", oidctest.Fault{Reset: true}, syscall.ECONNRESET},
		{"cut", oidctest.Fault{Cut: true}, io.ErrUnexpectedEOF},
		{"nothing", oidctest.Fault{}, nil},
	}
	for _, tt := range tests {
		for _, tls := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				iss := oidctest.NewIssuer(t, oidctest.Config{})
				start := iss.Start
				if tls {
					start = iss.StartTLS
				}
				client := start().Client()
				iss.Fail(oidctest.JWKS, tt.fault)
				if got := try(t.Context(), client, iss.JWKSURL()); !errors.Is(got.err, tt.want) {
					t.Errorf("TLS %t: error = %v, want %v", tls, got.err, tt.want)
				}
			})
		}
	}
}

// Every wait of a fault ends with the client, with Clear, and takes the time
// it says.
func TestFault_Waits(t *testing.T) {
	t.Parallel()
	const forever = 0
	tests := []struct {
		name  string
		fault oidctest.Fault
		takes time.Duration
	}{
		{"late", oidctest.Fault{Delay: time.Hour}, time.Hour},
		{"late refusal", oidctest.Fault{Delay: time.Hour, Status: 503}, time.Hour},
		{"hanging", oidctest.Fault{Hang: true}, forever},
		{"stalled in the middle", oidctest.Fault{Stall: true}, forever},
		{"stalled while compressed", oidctest.Fault{Stall: true, Gzip: true}, forever},
		{"dripping", oidctest.Fault{Drip: time.Minute, Body: make([]byte, 60)}, time.Hour},
		{"dripping faster", oidctest.Fault{Drip: time.Minute, DripBytes: 5, Body: make([]byte, 300)}, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name+", to the end", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := oidctest.NewIssuer(t, oidctest.Config{})
				iss.Fail(oidctest.JWKS, tt.fault)
				if tt.takes == forever {
					time.AfterFunc(time.Hour, func() { iss.Clear(oidctest.JWKS) })
				}
				start := time.Now()
				if got := try(t.Context(), iss.Client(), iss.JWKSURL()); got.err != nil {
					t.Errorf("error = %v", got.err)
				}
				if d := time.Since(start); d != time.Hour {
					t.Errorf("took %v, want 1h", d)
				}
			})
		})
		t.Run(tt.name+", until the client leaves", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := oidctest.NewIssuer(t, oidctest.Config{})
				iss.Fail(oidctest.JWKS, tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				got := try(ctx, iss.Client(), iss.JWKSURL())
				if !errors.Is(got.err, context.DeadlineExceeded) {
					t.Errorf("error = %v, want %v", got.err, context.DeadlineExceeded)
				}
				if d := time.Since(start); d != time.Second {
					t.Errorf("took %v, want 1s", d)
				}
				synctest.Wait()
				if v, c := iss.Visits(), iss.Conns(); v != 0 || c != 0 {
					t.Errorf("%d requests and %d connections left, want none", v, c)
				}
			})
		})
		t.Run(tt.name+", until cleared", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := oidctest.NewIssuer(t, oidctest.Config{})
				iss.Fail(oidctest.JWKS, tt.fault)
				time.AfterFunc(time.Second, func() { iss.Clear() })
				start := time.Now()
				if got := try(t.Context(), iss.Client(), iss.JWKSURL()); got.err != nil {
					t.Errorf("error = %v", got.err)
				}
				if d := time.Since(start); d != time.Second {
					t.Errorf("took %v, want 1s", d)
				}
			})
		})
	}
}

func TestFault_StallSendsHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.Fail(oidctest.JWKS, oidctest.Fault{Stall: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := try(ctx, iss.Client(), iss.JWKSURL())
		if half := iss.KeySet()[:len(iss.KeySet())/2]; string(got.body) != string(half) || got.status != 200 {
			t.Errorf("status = %d, body = %q, want 200, %q", got.status, got.body, half)
		}
	})
}

// A request that is on its way when the fault is cleared does not hang.
func TestClear_JustBeforeArrival(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{})
			iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
			go func() {
				if err := iss.AwaitFetches(t.Context(), oidctest.JWKS, 1); err != nil {
					t.Errorf("AwaitFetches() error = %v", err)
				}
				iss.Clear()
			}()
			if got := try(t.Context(), iss.Client(), iss.JWKSURL()); got.status != 200 {
				t.Errorf("status = %d, error = %v, want 200", got.status, got.err)
			}
		})
	}
}

// A key set that changes while a request hangs is served as it is then.
func TestFault_HangServesTheLatest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		time.AfterFunc(time.Second, func() { iss.Replace(); iss.Clear() })
		if got := try(t.Context(), iss.Client(), iss.JWKSURL()); string(got.body) != string(iss.KeySet()) {
			t.Errorf("body = %q, want %q", got.body, iss.KeySet())
		}
	})
}

func TestFault_RedirectElsewhere(t *testing.T) {
	t.Parallel()
	a := oidctest.NewIssuer(t, oidctest.Config{})
	b := oidctest.NewIssuer(t, oidctest.Config{URL: "https://attacker.test"})
	a.Fail(oidctest.JWKS, oidctest.Fault{Redirect: b.JWKSURL()})
	got := try(t.Context(), oidctest.Client(a, b), a.JWKSURL())
	if string(got.body) != string(b.KeySet()) || b.Fetches().JWKS != 1 {
		t.Errorf("body = %q, error = %v, want %q", got.body, got.err, b.KeySet())
	}
	// A client that knows only the first does not get there.
	if got := try(t.Context(), a.Client(), a.JWKSURL()); got.err == nil {
		t.Error("redirect to an unknown host: error = nil")
	}
	a.Fail(oidctest.JWKS, oidctest.Fault{Redirect: a.JWKSURL()})
	if got := try(t.Context(), a.Client(), a.JWKSURL()); got.err == nil || !strings.Contains(got.err.Error(), "10 redirects") {
		t.Errorf("endless redirect: error = %v", got.err)
	}
}

func TestFault_DiscoveryAndOther(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{URL: "https://a.test/realm"})
	iss.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
	iss.Fail(oidctest.Other, oidctest.Fault{Status: 501})
	for url, want := range map[string]int{
		iss.DiscoveryURL():   500,
		iss.URL() + "/token": 501,
		iss.JWKSURL():        200,
		"https://a.test/moved/.well-known/openid-configuration": 200,
		"https://a.test/moved/nothing":                          501,
	} {
		if got := try(t.Context(), iss.Client(), url); got.status != want {
			t.Errorf("%s: status = %d, error = %v, want %d", url, got.status, got.err, want)
		}
	}
}

func TestFailNext(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	iss.FailNext(2, oidctest.JWKS, oidctest.Fault{Status: 502})
	iss.FailNext(1, oidctest.JWKS, oidctest.Fault{})
	iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Status: 503})
	for n, want := range []int{502, 502, 200, 503, 500, 500} {
		if got := try(t.Context(), iss.Client(), iss.JWKSURL()); got.status != want {
			t.Errorf("request %d: status = %d, want %d", n, got.status, want)
		}
	}
	iss.FailNext(5, oidctest.JWKS, oidctest.Fault{Status: 502})
	iss.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
	iss.Clear(oidctest.JWKS)
	if got := try(t.Context(), iss.Client(), iss.JWKSURL()); got.status != 200 {
		t.Errorf("after Clear: status = %d, want 200", got.status)
	}
	if got := try(t.Context(), iss.Client(), iss.DiscoveryURL()); got.status != 500 {
		t.Errorf("discovery after Clear(JWKS): status = %d, want 500", got.status)
	}
}

// What the caller does with a fault afterwards changes nothing.
func TestFail_Copies(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	f := oidctest.Fault{Body: []byte("abc"), Header: http.Header{"X-Test": {"1"}}}
	iss.Fail(oidctest.JWKS, f)
	f.Body[0], f.Header["X-Test"][0] = 'x', "2"
	got := try(t.Context(), iss.Client(), iss.JWKSURL())
	if string(got.body) != "abc" || got.header.Get("X-Test") != "1" {
		t.Errorf("body = %q, X-Test = %q", got.body, got.header.Get("X-Test"))
	}
}

func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	for _, s := range oidctest.BrokenDocuments() {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.Fail(oidctest.Discovery, oidctest.Fault{Body: s.Bytes})
		if got := try(t.Context(), iss.Client(), iss.DiscoveryURL()); got.err != nil || !bytes.Equal(got.body, s.Bytes) {
			t.Errorf("%s: body = %.80q, error = %v", s.Name, got.body, got.err)
		}
	}
}
