package extract_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
)

// A value goes whole where nothing of it says anything, or the token would be in it; what a
// proxy wrote beside a token stays, whatever the client wrote there.
func TestWithout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value, token string
		left               string
		kept               bool
	}{
		{"another", " a ", token, " a ", true},
		{"empty", "", token, "", true},
		{"the token", " " + token + " ", token, "", false},
		{"twice", token + token, token, "", false},
		{"a scheme", "BEARER " + token, token, "", false},
		{"an address", token + ",192.0.2.1", token, ",192.0.2.1", true},
		{"within itself", token[:2] + token + token[2:], token, token[:2] + " " + token[2:], true},
		{"thrice within itself", strings.Repeat(token[:2], 2) + token + strings.Repeat(token[2:], 2) + ", 192.0.2.1", token, strings.Repeat(token[:2], 2) + " " + strings.Repeat(token[2:], 2) + ", 192.0.2.1", true},
		{"one that the space makes", "tt tt, tt t t", "t t", "", false},
	} {
		left, kept := extract.Without(tt.value, tt.token)
		if kept != tt.kept || kept && left != tt.left {
			t.Errorf("%s: left %q, %t, want %q, %t", tt.name, left, kept, tt.left, tt.kept)
		}
	}
}
