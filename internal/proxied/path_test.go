package proxied_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/proxied"
)

// A path that proxy and service may read differently is none, whoever asks for it.
func TestPath(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/":                      "/",
		"/admin":                 "/admin",
		"/admin/":                "/admin/",
		"/a.b/.well-known/x..y":  "/a.b/.well-known/x..y",
		"/a?path=/../b;c%2F":     "/a",
		"/caf%C3%A9/%e6%97%a5":   "/café/日",
		"/with%20space/a+b,c:@=": "/with space/a+b,c:@=",
		"/~home/%7Ehome":         "/~home/~home",
		"/%22quoted%22":          `/"quoted"`,

		"":                 "",
		"admin":            "",
		"*":                "",
		"http://a/admin":   "",
		"//admin":          "",
		"/public//admin":   "",
		"/./admin":         "",
		"/public/../admin": "",
		"/public/..":       "",
		"/public/...":      "",
		"/%2e/admin":       "",
		"/public/%2E%2e/a": "",
		"/public%2Fadmin":  "",
		"/public%5cadmin":  "",
		`/public\admin`:    "",
		"/admin;x":         "",
		"/admin%3Bx":       "",
		"/admin%3Fx":       "",
		"/admin%23x":       "",
		"/admin#x":         "",
		"/%61dmin":         "",
		"/%2561dmin":       "",
		"/admin%00":        "",
		"/admin%0d%0a":     "",
		"/admin%7f":        "",
		"/admin%":          "",
		"/admin%2":         "",
		"/admin%zz":        "",
		"/é":               "",
		"/a b":             "",
		"/a[1]":            "",
		"/a|b":             "",
		"/a%C0%AFadmin":    "", // an overlong slash
		"/%c0%ae%c0%ae/b":  "", // overlong dots
		"/caf%E9":          "", // Latin-1
		"/a%FF":            "",
		"/a%ED%A0%80":      "", // half of a pair of surrogates
	} {
		got, err := proxied.Path(target)
		if (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("proxied.Path(%q) = %q, %v, want %q", target, got, err, want)
		}
	}
}

// The error says what is wrong.
func TestPath_Says(t *testing.T) {
	t.Parallel()
	const noDigits = `there is a "%" without two hexadecimal digits`
	for target, want := range map[string]string{
		"/a%": noDigits, "/a%2": noDigits, "/a%g2": noDigits, "/a%2g": noDigits, "/a%0g": noDigits, "/a%g0": noDigits,
		"/a%00": "%00 is encoded in it", "/a%0a": "%0A is encoded in it", "/a%FF": "what is encoded in it is not UTF-8",
	} {
		if _, err := proxied.Path(target); err == nil || err.Error() != want {
			t.Errorf("proxied.Path(%q) error = %v, want %s", target, err, want)
		}
	}
}

// What never needs to be encoded is not, and stands for itself.
func TestPath_Unreserved(t *testing.T) {
	t.Parallel()
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
	if got, err := proxied.Path("/" + unreserved); err != nil || got != "/"+unreserved {
		t.Errorf("proxied.Path(%q) = %q, %v", "/"+unreserved, got, err)
	}
	for _, c := range []byte(unreserved) {
		if got, err := proxied.Path(fmt.Sprintf("/x%%%02Xy", c)); err == nil {
			t.Errorf("proxied.Path() of %q, encoded: %q, want an error", c, got)
		}
	}
}

// Whatever is agreed on is what Go's own server and a reader that cleans the path make
// of it, and comes out of a second reading as it went in, or as no path.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/admin", "/a/%2e%2e/b", "/caf%C3%A9", "/a%252e", "//x", "/a;b", "/x?y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, err := proxied.Path(target)
		if err != nil {
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		if other, err := url.PathUnescape(raw); err != nil || other != path {
			t.Errorf("proxied.Path(%q) = %q, url.PathUnescape() = %q, %v", target, path, other, err)
		}
		if again, err := url.PathUnescape(path); err == nil && again != path && strings.Contains(path, "%") {
			t.Errorf("proxied.Path(%q) = %q decodes once more, to %q", target, path, again)
		}
		mux := http.NewServeMux()
		served := ""
		mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { served = r.URL.Path })
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // nobody is served
		}
		mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u, RequestURI: target, Header: http.Header{}})
		if served != path {
			t.Errorf("proxied.Path(%q) = %q, a server is asked for %q", target, path, served)
		}
	})
}
