package fetch_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// redirecting answers each URL in hops with a redirect, others with a document,
// and counts the requests.
func redirecting(status int, hops map[string]string, requests *int) answer {
	return func(r *http.Request) (*http.Response, error) {
		*requests++
		if to, ok := hops[r.URL.String()]; ok {
			return respond(status, strings.NewReader(""), "Location: "+to), nil
		}
		return respond(200, strings.NewReader("{}")), nil
	}
}

func TestGet_Redirect(t *testing.T) {
	t.Parallel()
	const from = "https://issuer.example/a"
	tests := []struct {
		name   string
		status int
		to     string
		want   error
	}{
		{"same host", 302, "https://issuer.example/b", nil},
		{"same host, relative", 301, "/b", nil},
		{"same host in capitals", 307, "https://ISSUER.example/b", nil},
		{"same host, default port written", 308, "https://issuer.example:443/b", nil},
		{"another host", 302, "https://evil.example/b", fetch.ErrRedirect},
		{"another host by a relative reference", 302, "//evil.example/b", fetch.ErrRedirect},
		{"host below", 302, "https://a.issuer.example/b", fetch.ErrRedirect},
		{"host above", 302, "https://example/b", fetch.ErrRedirect},
		{"same host, rooted", 302, "https://issuer.example./b", fetch.ErrRedirect},
		{"another port", 302, "https://issuer.example:8443/b", fetch.ErrRedirect},
		{"plain http", 302, "http://issuer.example/b", fetch.ErrRedirect},
		{"plain http on port 443", 302, "http://issuer.example:443/b", fetch.ErrRedirect},
		{"plain http to loopback", 302, "http://127.0.0.1/b", fetch.ErrRedirect},
		{"a file", 302, "file:///etc/passwd", fetch.ErrRedirect},
		{"with a password", 302, "https://user:hunter2@issuer.example/b", fetch.ErrRedirect},
		{"by 303", 303, "https://evil.example/b", fetch.ErrRedirect},
		{"by 307", 307, "https://evil.example/b", fetch.ErrRedirect},
		{"by 308", 308, "https://evil.example/b", fetch.ErrRedirect},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			c := newClient(t, fetch.Config{InsecureHTTP: true, HTTP: &http.Client{
				Transport:     redirecting(tt.status, map[string]string{from: tt.to}, &requests),
				CheckRedirect: func(*http.Request, []*http.Request) error { return nil }, // does not loosen ours
			}})
			_, err := c.Get(t.Context(), from, fetch.Request{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Get() error = %v, want %v", err, tt.want)
			}
			want := 2
			if tt.want != nil {
				want = 1
			}
			if requests != want {
				t.Errorf("%d requests were made, want %d", requests, want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error repeats the password: %v", err)
			}
		})
	}
}

func TestGet_RedirectChain(t *testing.T) {
	t.Parallel()
	const host = "https://issuer.example"
	hops := map[string]string{
		host + "/4": "/3", host + "/3": "/2", host + "/2": "/1", host + "/1": "/0",
		host + "/loop": "/loop",
		host + "/turn": "/out", host + "/out": "https://evil.example/",
	}
	tests := []struct {
		path     string
		requests int
		want     error
	}{
		{"/3", 4, nil},
		{"/4", 4, fetch.ErrRedirect},
		{"/loop", 4, fetch.ErrRedirect},
		{"/turn", 2, fetch.ErrRedirect},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			requests := 0
			c := memoryClient(t, redirecting(302, hops, &requests))
			if _, err := c.Get(t.Context(), host+tt.path, fetch.Request{}); !errors.Is(err, tt.want) {
				t.Fatalf("Get() error = %v, want %v", err, tt.want)
			}
			if requests != tt.requests {
				t.Errorf("%d requests were made, want %d", requests, tt.requests)
			}
		})
	}
}

// TestGet_RedirectOnLoopback holds where plain http is allowed, too.
func TestGet_RedirectOnLoopback(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, from, to string
		want           error
	}{
		{"http to http", "http://127.0.0.1:8443/a", "http://127.0.0.1:8443/b", nil},
		{"https to https", "https://127.0.0.1:8443/a", "https://127.0.0.1:8443/b", nil},
		{"https to http on the same port", "https://127.0.0.1:8443/a", "http://127.0.0.1:8443/b", fetch.ErrRedirect},
		{"http to https on the same port", "http://127.0.0.1:8443/a", "https://127.0.0.1:8443/b", fetch.ErrRedirect},
		{"to another port", "http://127.0.0.1:8080/a", "http://127.0.0.1:8081/b", fetch.ErrRedirect},
		{"to the default port, by its number", "http://127.0.0.1/a", "http://127.0.0.1:80/b", nil},
		{"to the port of https", "http://127.0.0.1/a", "http://127.0.0.1:443/b", fetch.ErrRedirect},
		{"to the default port", "http://127.0.0.1:8080/a", "http://127.0.0.1/b", fetch.ErrRedirect},
		{"to another loopback address", "http://127.0.0.1/a", "http://127.0.0.2/b", fetch.ErrRedirect},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			c := newClient(t, fetch.Config{InsecureHTTP: true, HTTP: &http.Client{
				Transport: redirecting(302, map[string]string{tt.from: tt.to}, &requests),
			}})
			if _, err := c.Get(t.Context(), tt.from, fetch.Request{}); !errors.Is(err, tt.want) {
				t.Errorf("Get() error = %v, want %v", err, tt.want)
			}
		})
	}
}
