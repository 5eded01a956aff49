package origin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/origin"
)

// FuzzCheck: what may be an origin is, to net/url, a scheme and a host in the one
// spelling that browsers send, with no port that they leave out.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"https://app.example.com", "http://localhost:8080", "https://[::1]:8443", "https://a.test:443", "https://a.test/", "null", "*", "", "https://A.test", "https://u@a.test", "https://a.test:", "a.test",
		"https://a b", "https://ä.test", "chrome-extension://abc", "https://a.test?", "https://a.test#", "https://a.test,https://b.test", "https://a.test:0443", "https://a%41.test", `https://a".test`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if origin.Check(text) != nil {
			return
		}
		u, err := url.Parse(text)
		switch {
		case err != nil, u.Scheme+"://"+u.Host != text, u.Hostname() == "", text != strings.ToLower(text), u.User != nil, strings.ContainsAny(text, " *,\"\t\r\n"),
			u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
			t.Errorf("%q may be an origin: %v, %v", text, u, err)
		}
	})
}
