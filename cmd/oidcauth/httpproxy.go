package main

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// An httpProxy is the proxy through which an issuer is reached.
type httpProxy struct{ url *url.URL }

// UnmarshalText reads it from a configuration file.
func (p *httpProxy) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme):
		return errors.New("want the URL of a proxy, such as http://proxy.example.com:3128")
	case u.User != nil:
		return errors.New("there is a secret in the proxy's URL, and this file is no place for one: have HTTPS_PROXY in the server's environment")
	}
	p.url = u
	return nil
}

// errPlainProxy is why http is not spoken through a proxy: it is allowed to this
// machine, and to named hosts, and neither is what the proxy reaches by those names.
var errPlainProxy = errors.New(`over http the proxy would say which keys are the issuer's: want https, or no "http_proxy"`)

// of returns the proxy for a request.
func (p httpProxy) of(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme != "https" {
		return nil, errPlainProxy
	}
	return p.url, nil
}

// proxyClients are the clients by their proxies. There is one for each, so that an
// issuer that is described as before is known to be, for as long as a description has it.
var proxyClients struct {
	mu sync.Mutex // guards by
	by map[string]weak.Pointer[http.Client]
}

// client returns what makes requests through the proxy; nil without one stands for
// what makes them otherwise.
func (p httpProxy) client() *http.Client {
	if p.url == nil {
		return nil
	}
	proxyClients.mu.Lock()
	defer proxyClients.mu.Unlock()
	if c := proxyClients.by[p.url.String()].Value(); c != nil {
		return c
	}
	maps.DeleteFunc(proxyClients.by, func(_ string, c weak.Pointer[http.Client]) bool { return c.Value() == nil })
	dialer := &net.Dialer{Timeout: readTimeout}
	transport := &http.Transport{
		DialContext: dialer.DialContext, Proxy: p.of, ForceAttemptHTTP2: true, MaxIdleConns: 16, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: headerTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
	fetch.NoticeDead(transport, readTimeout)
	c := &http.Client{Transport: transport}
	if proxyClients.by == nil {
		proxyClients.by = make(map[string]weak.Pointer[http.Client])
	}
	proxyClients.by[p.url.String()] = weak.Make(c)
	return c
}
