package origin_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/internal/origin"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://app.example.com":                      true,
		"http://localhost:5173":                        true,
		"http://127.0.0.1":                             true,
		"http://[::1]:8080":                            true,
		"https://xn--bcher-kva.example":                true,
		"https://app.example.com:80":                   true,
		"ws://app.example.com:443":                     true,
		"wss://app.example.com:80":                     true,
		"chrome-extension://abcdefghijklmnop":          true,
		"https://az09.example":                         true,
		"moz-extension://1f9a3a6e-0000-4000-8000-0000": true,
		"capacitor://localhost":                        true,

		"":                            false,
		"*":                           false,
		"null":                        false,
		"https://*.example.com":       false,
		"app.example.com":             false,
		"https:app.example.com":       false,
		"//app.example.com":           false,
		"://app.example.com":          false,
		"https://":                    false,
		"file://":                     false,
		"https://:8080":               false,
		"https://app.example.com/":    false,
		"https://app.example.com/a":   false,
		"https://app.example.com?a":   false,
		"https://app.example.com#a":   false,
		"https://me@app.example.com":  false,
		"https://App.example.com":     false,
		"HTTPS://app.example.com":     false,
		"https://bücher.example":      false,
		" https://app.example.com":    false,
		"https://app.example.com ":    false,
		"https://app.example.com\n":   false,
		"https://a.test, https://b":   false,
		"https://app.example.com:443": false,
		"http://app.example.com:80":   false,
		"ws://app.example.com:80":     false,
		"wss://app.example.com:443":   false,
		"https://app.example.com:":    false,
		"https://app.example.com:x":   false,
		"https://[::1":                false,
		"https://a%2eb.test":          false,
	} {
		if err := origin.Check(text); (err == nil) != want {
			t.Errorf("Check(%q) = %v, want one that can be: %t", text, err, want)
		}
	}
}

// The error says what is wrong.
func TestCheck_Says(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"app.example.com":        "scheme or host is missing",
		"://app.example.com":     "scheme or host is missing",
		"https://":               "scheme or host is missing",
		"https://a b":            "it has other characters than visible ASCII; browsers send names in their xn-- form",
		"https://a\x7f.test":     "it has other characters than visible ASCII; browsers send names in their xn-- form",
		"https://b\u00fccher.de": "it has other characters than visible ASCII; browsers send names in their xn-- form",
		"https://a!b":            "it has a character that no host has",
		"https://[::1":           "it is no scheme and host",
	} {
		if err := origin.Check(text); err == nil || err.Error() != want {
			t.Errorf("Check(%q) = %v, want %s", text, err, want)
		}
	}
}
