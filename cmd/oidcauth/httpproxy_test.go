package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// tunnel is a proxy that connects to one address, and counts how often it is asked.
func tunnel(t *testing.T, to string, asked *atomic.Int64) *httptest.Server {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodConnect || r.Host != to {
			t.Errorf("the proxy was asked for %s %s, want a connection to %s", r.Method, r.Host, to)
			return
		}
		out, err := new(net.Dialer).DialContext(r.Context(), "tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(http.StatusOK)
		in, read, err := w.(http.Hijacker).Hijack() // which has the 200 sent, and may have read on by then
		if err != nil {
			t.Error(err)
			return
		}
		go func() { io.Copy(out, read); out.Close() }() // ends with either connection
		go func() { io.Copy(in, out); in.Close() }()
	}))
	t.Cleanup(proxy.Close)
	return proxy
}

// TestServe_HTTPProxy: an issuer's keys come through its own proxy, and others' do not;
// a reload that changes nothing about it keeps them.
func TestServe_HTTPProxy(t *testing.T) {
	t.Parallel()
	behind, direct := oidctest.NewIssuer(t, oidctest.Config{}), startIssuer(t)
	server := behind.StartTLS()
	ca := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	var asked atomic.Int64
	proxy := tunnel(t, strings.TrimPrefix(server.URL, "https://"), &asked)
	config := func(more string) string {
		return fmt.Sprintf(`{"watch": "5ms", "issuers": [{"url": %q, "audiences": ["my-db"], "http_proxy": %q, "keys": {"ca_file": %q}}, %s]%s}`,
			behind.URL(), proxy.URL, ca, described(direct, ""), more)
	}
	file := writeFile(t, "config.json", config(""))
	s := serve(t, "--config", file)
	s.awaitLog(t, "the keys of every issuer are in hand")
	before := asked.Load()
	if before == 0 {
		t.Error("the proxy was not asked")
	}
	for _, iss := range []*oidctest.Issuer{behind, direct} {
		if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"})); got.status != http.StatusOK {
			t.Errorf("status %d, want 200", got.status)
		}
	}
	replaceFile(t, file, config(`, "ready_issuers": []`))
	s.awaitLines(t, reloaded, 1)
	if after := asked.Load(); after != before {
		t.Errorf("the reload asked for the keys again: %d times", after-before)
	}
}

// TestServe_HTTPProxyPlain: a proxy never says which keys an issuer has, which it could
// over http, whatever allows that.
func TestServe_HTTPProxyPlain(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	var asked atomic.Int64
	proxy := tunnel(t, "nowhere", &asked)
	file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %q, "audiences": ["my-db"], "http_proxy": %q}]}`, iss.URL(), proxy.URL))
	s := serve(t, "--config", file, "--allow-insecure-http")
	if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"})); got.status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", got.status)
	}
	if asked.Load() > 0 {
		t.Error("the proxy was asked")
	}
	s.awaitLog(t, "over http the proxy would say")
}

func TestServe_HTTPProxyMistakes(t *testing.T) {
	t.Parallel()
	for proxy, want := range map[string]string{
		`"proxy.example.com:3128"`:     "want the URL of a proxy",
		`"ftp://proxy.example.com"`:    "want the URL of a proxy",
		`"http://me:pw@proxy.example"`: "there is a secret",
		`7`:                            "got a number, want a text",
		`"http://proxy.example:3128", "keys": {"jwks": {"keys": []}}`:           "nothing is fetched",
		`"http://proxy.example:3128", "keys": {"insecure_http_hosts": ["idp"]}`: "over http the proxy",
		`"http://proxy.example:3128", "keys": {"insecure_http": true}`:          "over http the proxy",
		`"socks5://127.0.0.1:1080"`:                                             "",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"], "http_proxy": `+proxy+`}]}`)
		got := invoke(t, "", "serve", "--config", file, "--check")
		if (want == "") != (got.code == 0) || !strings.Contains(got.err, want) || strings.Contains(got.err, "pw@") {
			t.Errorf("%s: %+v, want %q", proxy, got, want)
		}
	}
}

// Proxies that no description has any more are let go of; one that a description has is
// the same when it is read again.
func TestHTTPProxy_LetsGo(t *testing.T) {
	client := func(n int) *http.Client {
		var p httpProxy
		if err := p.UnmarshalText(fmt.Appendf(nil, "http://proxy%d.example.com:3128", n)); err != nil {
			t.Fatal(err)
		}
		return p.client()
	}
	kept := client(0)
	for n := range 100 {
		client(n + 1)
	}
	runtime.GC()
	if client(0) != kept {
		t.Error("the proxy of a description has another client when it is read again")
	}
	last := client(101)
	proxyClients.mu.Lock()
	defer proxyClients.mu.Unlock()
	for n := range 100 {
		if _, found := proxyClients.by[fmt.Sprintf("http://proxy%d.example.com:3128", n+1)]; found {
			t.Fatalf("the client of proxy %d, which nothing has any more, is kept", n+1)
		}
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(last)
}
