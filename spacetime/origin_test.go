package spacetime_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/spacetime"
)

// What the program does with its list after New changes nothing.
func TestNew_CopiesOrigins(t *testing.T) {
	t.Parallel()
	origins := []string{"https://db.example.com"}
	w := newWorld(t, spacetime.Config{Anonymous: true, Origins: origins})
	origins[0] = "https://evil.test"
	for origin, want := range map[string]bool{"https://db.example.com": true, "https://evil.test": false} {
		r := httptest.NewRequest("POST", "/v1/identity", nil)
		r.Header.Set("Origin", origin)
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		if got := rec.Code != http.StatusForbidden; got != want {
			t.Errorf("%s: status = %d, want leave: %t", origin, rec.Code, want)
		}
	}
}

// A page has the name of the server that it talks to, too, when an attacker's name
// server has changed its mind. So only names that no name server can give count
// as the server's own, unless they are configured.
func TestOrigins_ReboundName(t *testing.T) {
	t.Parallel()
	closed := newWorld(t, spacetime.Config{Anonymous: true})
	named := newWorld(t, spacetime.Config{Anonymous: true, Origins: []string{"https://db.example.com"}})
	all := newWorld(t, spacetime.Config{Anonymous: true, Origins: []string{"*"}})
	const plain, secure = false, true
	for _, tt := range []struct {
		name   string
		w      *world
		origin string
		host   string
		tls    bool
		want   bool
	}{
		{"no page", closed, "", "rebound.example.com:8080", plain, true},
		{"a name, page over http", closed, "http://rebound.example.com:8080", "rebound.example.com:8080", plain, false},
		{"a name, page over https", closed, "https://rebound.example.com", "rebound.example.com", secure, false},
		{"a name in the local network", closed, "http://printer.local", "printer.local", plain, false},
		{"a name that begins like an address", closed, "http://127.0.0.1.example.com", "127.0.0.1.example.com", plain, false},
		{"a name below localhost", closed, "http://evil.localhost", "evil.localhost", plain, false},
		{"localhost with a dot", closed, "http://localhost.", "localhost.", plain, false},
		{"an address in one number", closed, "http://2130706433", "2130706433", plain, false},
		{"an address", closed, "http://192.0.2.7:8080", "192.0.2.7:8080", plain, true},
		{"an address over https", closed, "https://192.0.2.7", "192.0.2.7", secure, true},
		{"an address of version 6", closed, "http://[2001:db8::7]:8080", "[2001:db8::7]:8080", plain, true},
		{"localhost", closed, "http://localhost:8080", "localhost:8080", plain, true},
		{"localhost over https", closed, "https://localhost", "localhost", secure, true},
		{"localhost, another port", closed, "http://localhost:5173", "localhost:8080", plain, false},
		{"another address", closed, "http://192.0.2.8", "192.0.2.7", plain, false},
		{"an address, page over http and server over https", closed, "http://192.0.2.7", "192.0.2.7", secure, false},
		{"an address, page over https and server behind a proxy", closed, "https://192.0.2.7", "192.0.2.7", plain, false},
		{"an address, another scheme", closed, "chrome-extension://192.0.2.7", "192.0.2.7", plain, false},
		{"an address with a user", closed, "http://me@192.0.2.7", "192.0.2.7", plain, false},
		{"an address with a path", closed, "http://192.0.2.7/", "192.0.2.7", plain, false},
		{"a configured name", named, "https://db.example.com", "db.example.com", secure, true},
		{"a configured name behind a proxy", named, "https://db.example.com", "db.example.com", plain, true},
		{"a configured name over http", named, "http://db.example.com", "db.example.com", plain, false},
		{"another name beside the configured", named, "https://rebound.example.com", "rebound.example.com", secure, false},
		{"an address beside a configured name", named, "http://192.0.2.7", "192.0.2.7", plain, true},
		{"any name, when all may", all, "https://rebound.example.com", "rebound.example.com", secure, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, route := range []string{"POST /v1/identity", "OPTIONS /v1/identity", "GET /v1/database/chat/subscribe"} {
				method, path, _ := strings.Cut(route, " ")
				r := httptest.NewRequest(method, path, nil)
				r.Host = tt.host
				if tt.tls {
					r.TLS = new(tls.ConnectionState)
				}
				if tt.origin != "" {
					r.Header.Set("Origin", tt.origin)
				}
				rec := httptest.NewRecorder()
				tt.w.server.ServeHTTP(rec, r)
				// What is no handshake gets 426 once its origin is accepted.
				if got := rec.Code != http.StatusForbidden; got != tt.want {
					t.Errorf("%s: status = %d, want leave: %t", route, rec.Code, tt.want)
				}
				if token := rec.Header().Get("Spacetime-Identity-Token"); token != "" && !tt.want {
					t.Errorf("%s: the page got an identity", route)
				}
			}
		})
	}
}

// A refused page's operator reads in the log what to configure.
func TestOrigins_Log(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true})
	r := httptest.NewRequest("POST", "/v1/identity", nil)
	r.Host = "db.example.com"
	r.Header.Set("Origin", "https://db.example.com")
	w.server.ServeHTTP(httptest.NewRecorder(), r)
	if log := w.log.String(); !strings.Contains(log, "https://db.example.com") || !strings.Contains(log, "Config.Origins") {
		t.Errorf("logged %q, want the origin and where to name it", log)
	}
}

// What a stranger sends is no longer in the log than in other refusals, however much
// that is.
func TestOrigins_LogBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true})
	for name, origins := range map[string][]string{
		"one":         {strings.Repeat("\xff", 100_000)},
		"one in text": {"https://" + strings.Repeat("a", 100_000)},
		"many":        slices.Repeat([]string{"https://" + strings.Repeat("\xff", 200)}, 1000),
	} {
		before := len(w.log.String())
		for _, route := range []string{"POST /v1/identity", "OPTIONS /v1/identity", "GET /v1/database/chat/subscribe"} {
			method, path, _ := strings.Cut(route, " ")
			r := httptest.NewRequest(method, path, nil)
			r.Header["Origin"] = origins
			rec := httptest.NewRecorder()
			w.server.ServeHTTP(rec, r)
			if rec.Code != http.StatusForbidden {
				t.Errorf("%s: %s: status = %d, want %d", name, route, rec.Code, http.StatusForbidden)
			}
		}
		if got := len(w.log.String()) - before; got == 0 || got > 3*8_000 {
			t.Errorf("%s: logged %d bytes about three requests, want some, and not more than 8,000 each", name, got)
		}
	}
}
