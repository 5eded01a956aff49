package claims_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
)

// FuzzTrustDomain: a SPIFFE ID is what the grammar says (SPIFFE-ID, section 2), and
// net/url finds the trust domain in it as its host.
func FuzzTrustDomain(f *testing.F) {
	for _, seed := range []string{
		"spiffe://example.org/ns/a", "spiffe://example.org", "spiffe://example.org/", "spiffe://Example.org/a", "spiffe://example.org/a//b", "spiffe://example.org/..", "spiffe://example.org/a/.", "spiffe://example.org/...",
		"spiffe://u@example.org/a", "spiffe://example.org:1/a", "spiffe://example.org/%61", "spiffe:///a", "SPIFFE://example.org/a", "spiffe://" + strings.Repeat("a", 256) + "/b", "spiffe://1.2_3-4/A.b-_", "https://a.test/b",
	} {
		f.Add(seed)
	}
	id := regexp.MustCompile(`^(spiffe://[a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)$`)
	dots := regexp.MustCompile(`/\.\.?(/|$)`)
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := claims.TrustDomain(text)
		m := id.FindStringSubmatch(text)
		want := m != nil && !dots.MatchString(m[2]) && len(text) <= claims.MaxSubjectBytes
		if ok != want || ok && got != m[1] || !ok && got != "" || ok && !claims.IsTrustDomain(got) {
			t.Fatalf("TrustDomain(%q) = %q, %t, want %t", text, got, ok, want)
		}
		if !ok {
			return
		}
		if u, err := url.Parse(text); err != nil || "spiffe://"+u.Host != got || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("TrustDomain(%q) = %q, and net/url reads %v, %v", text, got, u, err)
		}
	})
}
