package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"testing"
)

// TestServe_HTTPProxy: an issuer's keys come through its own proxy, and others' do not;
// a reload that changes nothing about it keeps them.
func TestServe_HTTPProxy(t *testing.T) {
	t.Parallel()
	behind, direct := startIssuer(t), startIssuer(t)
	var asked atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		if !strings.HasPrefix(behind.URL(), "http://"+r.In.URL.Host) {
			t.Errorf("the proxy was asked for %s", r.In.URL)
		}
		asked.Add(1)
	}})
	defer proxy.Close()
	config := func(more string) string {
		return fmt.Sprintf(`{"watch": "5ms", "issuers": [%s, %s]%s}`, described(behind, fmt.Sprintf(`, "http_proxy": %q`, proxy.URL)), described(direct, ""), more)
	}
	file := writeFile(t, "config.json", config(""))
	s := serve(t, "--config", file)
	s.awaitLog(t, "the keys of every issuer are in hand")
	before := asked.Load()
	if before == 0 {
		t.Error("the proxy was not asked")
	}
	for _, iss := range []interface{ Token(map[string]any) string }{behind, direct} {
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

func TestServe_HTTPProxyMistakes(t *testing.T) {
	t.Parallel()
	for proxy, want := range map[string]string{
		`"proxy.example.com:3128"`:     "want the URL of a proxy",
		`"ftp://proxy.example.com"`:    "want the URL of a proxy",
		`"http://me:pw@proxy.example"`: "there is a secret",
		`7`:                            "got a number, want a text",
		`"http://proxy.example:3128", "keys": {"jwks": {"keys": []}}`: "nothing is fetched",
		`"socks5://127.0.0.1:1080"`:                                   "",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"], "http_proxy": `+proxy+`}]}`)
		got := invoke(t, "", "serve", "--config", file, "--check")
		if (want == "") != (got.code == 0) || !strings.Contains(got.err, want) || strings.Contains(got.err, "pw@") {
			t.Errorf("%s: %+v, want %q", proxy, got, want)
		}
	}
}
