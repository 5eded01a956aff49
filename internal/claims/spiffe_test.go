package claims_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
)

// The bytes of trust domains and of paths are those of SPIFFE-ID, sections 2.1 and 2.2,
// and no others.
func TestTrustDomain_Bytes(t *testing.T) {
	t.Parallel()
	const (
		domain = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
		path   = domain + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	for c := range 256 {
		text := string([]byte{byte(c)})
		name := claims.SPIFFE + "a" + text
		if _, got := claims.TrustDomain(name + "/x"); c != '/' && got != strings.Contains(domain, text) {
			t.Errorf("TrustDomain(%q): %v", name+"/x", got)
		}
		id := claims.SPIFFE + "a/x" + text + "y"
		if _, got := claims.TrustDomain(id); got != (c == '/' || strings.Contains(path, text)) {
			t.Errorf("TrustDomain(%q): %v", id, got)
		}
	}
}

func TestTrustDomain_Bounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path string
		want       bool
	}{
		{"a", "x", true},
		{strings.Repeat("a", 255), "x", true},
		{strings.Repeat("a", 256), "x", false},
		{"a", strings.Repeat("x", claims.MaxSubjectBytes-len(claims.SPIFFE+"a/")), true},
		{"a", strings.Repeat("x", claims.MaxSubjectBytes-len(claims.SPIFFE+"a/")+1), false},
		{"", "x", false}, {"a", "", false}, {"a", "x/", false}, {"a", "x//y", false},
		{"a", ".", false}, {"a", "x/..", false}, {"a", "...", true},
	} {
		got, ok := claims.TrustDomain(claims.SPIFFE + tt.name + "/" + tt.path)
		if ok != tt.want || ok && got != claims.SPIFFE+tt.name {
			t.Errorf("a name of %d bytes, the path %.20q of %d: %q, %v", len(tt.name), tt.path, len(tt.path), got, ok)
		}
	}
	for _, id := range []string{claims.SPIFFE + "a", "a", "a/x", "", "/", "/x", claims.SPIFFE, claims.SPIFFE + "/", "spiffe:/a/x"} {
		if got, ok := claims.TrustDomain(id); ok || got != "" {
			t.Errorf("TrustDomain(%q) = %q, %t, want none", id, got, ok)
		}
	}
}
