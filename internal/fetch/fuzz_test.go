package fetch_test

import (
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// What a list has between its commas, and the numbers of RFC 9111, section 1.2.2.
var (
	listMember = regexp.MustCompile(`(?s)(?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$))+`)
	seconds    = regexp.MustCompile(`^[0-9]+$`)
)

// wantLife is what Cache-Control says, in other words: negative if it says nothing,
// nonsense where its first max-age is.
func wantLife(line string) (life time.Duration, said, nonsense bool) {
	life = -1
	for _, member := range listMember.FindAllString(line, -1) {
		name, value, _ := strings.Cut(member, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "no-store", "no-cache":
			return 0, true, false
		case "max-age":
			if said {
				continue
			}
			value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), `"`))
			n, err := strconv.ParseUint(value, 10, 31)
			if said, nonsense = true, !seconds.MatchString(value); err != nil {
				n = math.MaxInt32
			}
			life = time.Duration(n) * time.Second
		}
	}
	return life, said, nonsense
}

// FuzzFreshness: how long an answer may be kept is what its headers say, read with a
// grammar, within bounds that can be added to any time; the same with how long to wait.
func FuzzFreshness(f *testing.F) {
	for _, tt := range maxAgeTests {
		h := parseHeader(tt.header)
		f.Add(h.Get("Cache-Control"), h.Get("Expires"), h.Get("Age"), h.Get("Date"), "120")
	}
	f.Add(`private="a, no-store, \"b`, "0", "1", "", "Mon, 02 Nov 2026 10:00:00 GMT")
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, control, expires, age, date, retry string) {
		h := http.Header{}
		for name, value := range map[string]string{"Cache-Control": control, "Expires": expires, "Age": age, "Date": date, "Retry-After": retry} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		life, known := fetch.Freshness(h, now)
		wait := fetch.RetryAfter(h, now)
		if life < 0 || wait < 0 || !known && life != 0 || now.Add(life).Before(now) || now.Add(wait).Before(now) {
			t.Fatalf("%q may be kept for %v, %t, and wait %v", h, life, known, wait)
		}
		want, said, nonsense := wantLife(control)
		if said && (known == nonsense || known && (life > want || age == "" && life != want)) {
			t.Errorf("%q may be kept for %v, %t, want at most %v", control, life, known, want)
		}
		if !said && known && expires == "" {
			t.Errorf("%q may be kept for %v, and says nothing", control, life)
		}
		if _, err := http.ParseTime(retry); err != nil && !strings.ContainsAny(retry, "0123456789") && wait != 0 {
			t.Errorf("Retry-After %q is %v", retry, wait)
		}
	})
}

// parseHeader makes a header of lines.
func parseHeader(lines []string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	return h
}

// FuzzRefusal: an address that is connected to is one that the standard library calls
// global, and none that stands for another.
func FuzzRefusal(f *testing.F) {
	for _, text := range []string{"127.0.0.1", "8.8.8.8", "100.64.0.1", "169.254.169.254", "::1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "2002:a00:1::", "2606:4700::1", "fd00::1", "fe80::1"} {
		f.Add(netip.MustParseAddr(text).AsSlice(), "")
	}
	f.Add(netip.MustParseAddr("2606:4700::1").AsSlice(), "eth0")
	f.Fuzz(func(t *testing.T, bytes []byte, zone string) {
		addr, ok := netip.AddrFromSlice(bytes)
		if addr = addr.WithZone(zone); fetch.Refusal(addr) != "" {
			return
		}
		if !ok || !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("%v is connected to", addr)
		}
		if again, err := netip.ParseAddr(addr.String()); err != nil || fetch.Refusal(again) != "" {
			t.Errorf("%v is connected to, and not as %q", addr, addr)
		}
	})
}

// FuzzCheckURL: a URL that is requested has, to net/url, the scheme, the host and the
// port that were permitted, and nothing else but a path and a query.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://a.test/x?y", "https://a.test:443", "https://a.test:0443", "https://a.test:444", "https://u@a.test", "https://a.test#", "https://127.0.0.1", "https://[::1]", "https://[::ffff:127.0.0.1%25x]",
		"http://a.test", "http://localhost:80", "https:a.test", "https:///x", "https://a.test:", "https://ä.test", "https://a.test:65536", "HTTPS://A.TEST", "https://127.1", "https://a.test\\@b", "https://a%2etest",
	} {
		f.Add(seed)
	}
	public, err := fetch.New(fetch.Config{PublicOnly: true})
	if err != nil {
		f.Fatal(err)
	}
	plain, err := fetch.New(fetch.Config{InsecureHTTP: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, parseErr := url.Parse(raw)
		for name, client := range map[string]*fetch.Client{"public": public, "plain": plain} {
			if client.CheckURL(raw) != nil {
				continue
			}
			if parseErr != nil || u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Hostname() == "" || strings.ContainsAny(raw, " \t\r\n#") || len(raw) > 2048 {
				t.Fatalf("%s: would request %q", name, raw)
			}
			addr, err := netip.ParseAddr(u.Hostname())
			port, _ := strconv.Atoi(u.Port())
			switch {
			case name == "public" && (u.Scheme != "https" || u.Port() != "" && port != 443 || err == nil),
				u.Scheme != "https" && u.Scheme != "http",
				u.Scheme == "http" && !strings.EqualFold(u.Hostname(), "localhost") && !(err == nil && addr.IsLoopback()):
				t.Errorf("%s: would request %q", name, raw)
			}
			if again := u.String(); client.CheckURL(again) != nil {
				t.Errorf("%s: would request %q, and not as %q", name, raw, again)
			}
		}
	})
}
