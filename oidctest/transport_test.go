package oidctest_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

func TestClient_Hosts(t *testing.T) {
	t.Parallel()
	a := oidctest.NewIssuer(t, oidctest.Config{URL: "https://a.test"})
	b := oidctest.NewIssuer(t, oidctest.Config{URL: "https://b.test:8443/"})
	red := oidctest.NewIssuer(t, oidctest.Config{URL: "https://realms.test/red"})
	reddish := oidctest.NewIssuer(t, oidctest.Config{URL: "https://realms.test/reddish"})
	tests := []struct {
		name string
		url  string
		want *oidctest.Issuer // nil: nobody
	}{
		{"first", "https://a.test/jwks.json", a},
		{"second", "https://b.test:8443/jwks.json", b},
		{"host in capitals", "https://A.TEST/jwks.json", a},
		{"default port spelt out", "https://a.test:443/jwks.json", a},
		{"plain http", "http://a.test/jwks.json", a},
		{"one host, by path", "https://realms.test/red/jwks.json", red},
		{"one host, by longer path", "https://realms.test/reddish/jwks.json", reddish},
		{"other port", "https://a.test:8443/jwks.json", nil},
		{"other host", "https://c.test/jwks.json", nil},
		{"host that begins alike", "https://a.test.evil/jwks.json", nil},
	}
	client := oidctest.Client(a, b, red, reddish)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := try(t.Context(), client, tt.url)
			if tt.want == nil {
				var dns *net.DNSError
				if !errors.As(got.err, &dns) || !dns.IsNotFound {
					t.Errorf("error = %v, want no such host", got.err)
				}
				return
			}
			if got.err != nil || string(got.body) != string(tt.want.KeySet()) {
				t.Errorf("body = %q, error = %v, want the key set of %s", got.body, got.err, tt.want.URL())
			}
		})
	}
}

func TestClient_PathsEndAtSlash(t *testing.T) {
	t.Parallel()
	red := oidctest.NewIssuer(t, oidctest.Config{URL: "https://realms.test/red"})
	root := oidctest.NewIssuer(t, oidctest.Config{URL: "https://realms.test"})
	try(t.Context(), oidctest.Client(red, root), "https://realms.test/reddish")
	if got := root.Fetches().Other; got != 1 {
		t.Errorf("%d requests reached the issuer without path, want 1", got)
	}
}

func TestClient_Timeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		client := iss.Client()
		client.Timeout = 10 * time.Second
		start := time.Now()
		_, err := client.Get(iss.JWKSURL())
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("error = %v, want a timeout", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("took %v, want 10s", d)
		}
	})
}

func TestIssuer_CloseEndsUnreadBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.Fail(oidctest.JWKS, oidctest.Fault{Pad: 1 << 30})
		resp, err := iss.Client().Get(iss.JWKSURL())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		synctest.Wait()
		iss.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Error("the whole body arrived after Close")
		}
	})
}

func TestIssuer_Start(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		iss := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test/realm/"})
		start, scheme := iss.Start, "http://127.0.0.1:"
		if tls {
			start, scheme = iss.StartTLS, "https://127.0.0.1:"
		}
		server := start()
		if !strings.HasPrefix(iss.URL(), scheme) || !strings.HasSuffix(iss.URL(), "/realm/") {
			t.Errorf("URL() = %q", iss.URL())
		}
		for _, client := range []*http.Client{server.Client(), iss.Client()} {
			if got := discover(t, client, iss)["issuer"]; got != iss.URL() {
				t.Errorf("issuer = %q, want %q", got, iss.URL())
			}
		}
		if got := iss.Fetches().PlainHTTP; (got == 0) != tls {
			t.Errorf("TLS %t: PlainHTTP = %d", tls, got)
		}
		url := iss.DiscoveryURL()
		iss.Close()
		if got := try(t.Context(), server.Client(), url); got.err == nil {
			t.Error("Get() after Close: error = nil")
		}
	}
}

func TestIssuer_CloseEndsHangOnSocket(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := iss.Start().Client()
	iss.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
	done := make(chan fetched)
	url := iss.JWKSURL()
	go func() { done <- try(context.Background(), client, url) }()
	if err := iss.AwaitFetches(t.Context(), oidctest.JWKS, 1); err != nil {
		t.Fatal(err)
	}
	iss.Close()
	if got := <-done; got.err == nil {
		t.Errorf("status = %d, want an error", got.status)
	}
}

// A client that reads nothing must not keep the server from closing.
func TestIssuer_CloseEndsUnreadBodyOnSocket(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := iss.Start().Client()
	iss.Fail(oidctest.JWKS, oidctest.Fault{Pad: 1 << 30})
	resp, err := client.Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	iss.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the whole body arrived after Close")
	}
}

// ownServer serves an issuer without its knowing of the server.
func ownServer(t *testing.T, iss *oidctest.Issuer, h2 bool) (*http.Client, string) {
	server := httptest.NewUnstartedServer(iss.Handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = h2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Client(), server.URL + "/jwks.json"
}

func TestIssuer_HandlerOfYourOwn(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		client, url := ownServer(t, iss, h2)
		if got := try(t.Context(), client, url); string(got.body) != string(iss.KeySet()) {
			t.Errorf("HTTP/2 %t: body = %q, error = %v", h2, got.body, got.err)
		}
		for _, f := range []oidctest.Fault{{Reset: true}, {Cut: true}} {
			iss.Fail(oidctest.JWKS, f)
			if got := try(t.Context(), client, url); got.err == nil {
				t.Errorf("HTTP/2 %t, fault %+v: status = %d, want an error", h2, f, got.status)
			}
		}
	}
}

func TestIssuer_CloseEndsHandlerOfYourOwn(t *testing.T) {
	t.Parallel()
	for _, f := range []oidctest.Fault{{Hang: true}, {Delay: time.Hour}} {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		client, url := ownServer(t, iss, false)
		iss.Fail(oidctest.JWKS, f)
		done := make(chan fetched)
		go func() { done <- try(context.Background(), client, url) }()
		if err := iss.AwaitFetches(t.Context(), oidctest.JWKS, 1); err != nil {
			t.Fatal(err)
		}
		iss.Close()
		if got := <-done; got.err == nil {
			t.Errorf("fault %+v: status = %d during Close, want an error", f, got.status)
		}
		iss.Clear()
		if got := try(t.Context(), client, url); got.err == nil {
			t.Errorf("status = %d after Close, want an error", got.status)
		}
	}
}

// Everything may be called while requests run.
func TestIssuer_Concurrent(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	client := iss.Client()
	iss.SetCaching(oidctest.JWKS, oidctest.Caching{Shared: true, MaxAge: time.Hour, ETag: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 20 {
				switch n {
				case 0:
					iss.RemoveKey(iss.Key().ID())
					iss.Rotate()
				case 1:
					iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Hang: true})
					iss.FailNext(1, oidctest.JWKS, oidctest.Fault{Refuse: true})
					iss.Clear()
				case 2:
					iss.SetDiscovery(map[string]any{"n": n})
					iss.SetURL("https://issuer.test")
					iss.Token(nil)
				case 3:
					iss.Fetches()
					iss.ResetFetches()
				default:
					if got := try(ctx, client, "https://issuer.test/jwks.json"); errors.Is(got.err, context.DeadlineExceeded) {
						t.Error("a request hangs")
					}
					try(ctx, client, "https://issuer.test/.well-known/openid-configuration")
				}
			}
		})
	}
	wg.Wait()
}
