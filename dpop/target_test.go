package dpop_test

import (
	"bufio"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/possession"
)

// Whatever a request asks for: two that one proof would be good for are for one path, as
// handlers see it.
func TestTargets_OnePath(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"/", "/", "a", "b", ".", "..", "%2e", "%2F", "%2f", "%61", "#", "%23", "?", "%3f", "%25", "%", "\\", "//", "http://", "x:", "@", ";", ":",
		"%00", "\x80", "é", `"`, "<", "*", "&", "=", "+",
	}
	v := newVerifier(t, dpop.Config{})
	random := rand.New(rand.NewPCG(1, 1))
	paths, requests := map[string]string{}, 0
	for range 20_000 {
		var b strings.Builder
		b.WriteString([]string{"/", "/", "/", "/", "http://db.example.com/", "http:/"}[random.IntN(6)])
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + b.String() + " HTTP/1.1\r\nHost: db.example.com\r\n\r\n")))
		if err != nil {
			continue
		}
		targets, err := dpop.TargetsOf(v, possession.URL(r))
		if err != nil {
			continue // no proof is good for it
		}
		requests++
		seen := r.URL.Path
		if seen == "" {
			seen = "/" // RFC 9110, section 4.2.3
		}
		if path, found := paths[targets[0]]; found && path != seen {
			t.Fatalf("a proof for %q is good for the paths %q and %q", targets[0], path, seen)
		}
		paths[targets[0]] = seen
	}
	if requests < 10_000 || len(paths) < 2000 {
		t.Errorf("%d requests for %d paths, want thousands", requests, len(paths))
	}
}

// Nothing stands in front of the path but a host and its port: not a user, an
// escape, or a letter beyond ASCII whose low bits are one of it. A query and a fragment
// end the address, as at its end.
func TestNormalize_Host(t *testing.T) {
	t.Parallel()
	for r := rune(0); r < 0x200; r++ {
		host := "db" + string(r) + "1"
		good := strings.ContainsRune("-._~:?#", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '/'
		if got, err := dpop.Normalize("https://" + host + "/a"); (err == nil) != good {
			t.Errorf("Normalize(%q) = %q, %v, want good %t", host, got, err, good)
		}
	}
}

// The one form of an address: what differs in its escapes and dots alone is the same.
func TestNormalize_Path(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"HTTPS://A.test:443":              "https://a.test/",
		"http://a.test:80/?b#c":           "http://a.test/",
		"http://a.test:443/":              "http://a.test:443/",
		"https://[::1]":                   "https://[::1]/",
		"https://[::1]:443/":              "https://[::1]/",
		"https://[::FFFF:1.2.3.4]:8443/a": "https://[::ffff:1.2.3.4]:8443/a",
		"https://a.test/!$&'()*+,;=":      "https://a.test/!$&'()*+,;=",
		"https://a.test/%21%24%40":        "https://a.test/%21%24%40",
		"https://a.test/%2f%0a%A0":        "https://a.test/%2F%0A%A0",
		"https://a.test/%2d-%7a":          "https://a.test/--z",
		"https://a.test/ä\"":              "https://a.test/%C3%A4%22",
		"https://a.test/a/../b":           "https://a.test/b",
		"https://a.test/../b":             "https://a.test/b",
		"https://a.test/a/./b/.":          "https://a.test/a/b/",
		"https://a.test/a/b/..":           "https://a.test/a/",
		"https://a.test/a/...":            "https://a.test/a/...",
	} {
		if got, err := dpop.Normalize(uri); got != want || err != nil {
			t.Errorf("Normalize(%q) = %q, %v, want %q", uri, got, err, want)
		}
	}
	for _, uri := range []string{
		"https://:443/a", "https://a.test:/a", "https://a.test:443:/a", "https:///a", "//a.test/a", "/a", "",
		"https://:443:443/a", "https://a.test:443:443/a", "https://a.test:x/a", "https://a.test:4_4/a", "https://::1/a",
		"https://[::1/a", "https://::1]/a", "https://[]/a", "https://[]:443/a", "https://[[::1]]/a", "https://[::1]x/a", "https://[::1]443/a", "https://a[::1]/a",
		"https://a.test/%", "https://a.test/%4", "https://a.test/%4z", "https://a.test/%z4",
		"https://a.test/a b", "https://a.test/\x1f", "https://a.test/\x7f",
	} {
		if got, err := dpop.Normalize(uri); err == nil || got != "" {
			t.Errorf("Normalize(%q) = %q, %v, want an error", uri, got, err)
		}
	}
}

// Which address a proof may name, whatever form a request's own has.
func TestTargets(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, dpop.Config{})
	for url, want := range map[string]string{
		"":                  public + "/",
		"?a=b":              public + "/",
		"http://10.0.0.1":   public + "/",
		"http:///a":         public + "/a",
		"/http://a.test/b":  public + "/http://a.test/b",
		"http://a.test/b?/": public + "/b",
		"*":                 "",
		"a":                 "",
		"/a b":              "",
		"/a/../b":           "",
	} {
		got, err := dpop.TargetsOf(v, url)
		if want == "" && (err == nil || got != nil) || want != "" && (err != nil || len(got) != 1 || got[0] != want) {
			t.Errorf("TargetsOf(%q) = %q, %v, want %q", url, got, err, want)
		}
	}
	anyHost := newVerifier(t, dpop.Config{InsecureAnyHost: true})
	if got, err := dpop.TargetsOf(anyHost, "http://a.test:80/b"); err != nil || len(got) != 1 || got[0] != "http://a.test/b" {
		t.Errorf("TargetsOf() = %q, %v of any host", got, err)
	}
	for _, url := range []string{"/b", "http://:80/b", "http://me@a.test/b"} {
		if got, err := dpop.TargetsOf(anyHost, url); err == nil {
			t.Errorf("TargetsOf(%q) = %q of any host, want an error", url, got)
		}
	}
}
