package quote_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// FuzzValue: whatever a stranger chose is one line that can be printed, is bounded, and
// says what was chosen, or how it begins.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{"", "a", `"`, "a\nb", "\x00\xff\x1b[31m", "\u2028\u202e", strings.Repeat("é", 65), strings.Repeat("\x80", 200), strings.Repeat("a", 128), strings.Repeat(`"`, 129), "\U0010ffff"} {
		f.Add(seed)
	}
	cut := regexp.MustCompile(`(?s)^(".*")… \(([0-9]+) bytes\)$`)
	f.Fuzz(func(t *testing.T, value string) {
		plain := quote.Plain(value)
		for _, text := range []string{quote.Value(value), plain, quote.List([]string{value, value})} {
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 2*(10*128+40) {
				t.Errorf("%q becomes %q", value, text)
			}
		}
		text, m := quote.Value(value), cut.FindStringSubmatch(quote.Value(value))
		if m != nil && len(value) > 128 {
			text = m[1]
		}
		said, err := strconv.Unquote(text)
		switch {
		case err != nil || !strings.HasPrefix(value, said),
			len(value) <= 128 && said != value,
			len(value) > 128 && (m == nil || m[2] != strconv.Itoa(len(value))):
			t.Errorf("Value(%q) = %s says %q, %v", value, quote.Value(value), said, err)
		}
	})
}
