package quote_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/quote"
)

func TestValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"short", "a", `"a"`},
		{"empty", "", `""`},
		{"a line break", "a\nb", `"a\nb"`},
		{"no text", "a\xff", `"a\xff"`},
		{"as long as may be", strings.Repeat("a", 128), `"` + strings.Repeat("a", 128) + `"`},
		{"longer", strings.Repeat("a", 129), `"` + strings.Repeat("a", 128) + `"… (129 bytes)`},
		{"longer, and no text", strings.Repeat("\x80", 200), `""… (200 bytes)`},
		{"cut before a character", strings.Repeat("a", 127) + "éé", `"` + strings.Repeat("a", 127) + `"… (131 bytes)`},
	} {
		if got := quote.Value(tt.in); got != tt.want {
			t.Errorf("%s: Value() = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"short", "a", "a"},
		{"empty", "", ""},
		{"not ASCII", "é", "é"},
		{"a line break", "a\nb", `a\nb`},
		{"quotes", `"a"`, `\"a\"`},
		{"no text", "a\xff", `a\xff`},
		{"longer", strings.Repeat("a", 129), strings.Repeat("a", 128) + `… (129 bytes)`},
	} {
		if got := quote.Plain(tt.in); got != tt.want {
			t.Errorf("%s: Plain() = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   []string
		want string
	}{
		{"none", nil, "[]"},
		{"two", []string{"a", "b\n"}, `["a" "b\n"]`},
		{"eight", strings.Split("a a a a a a a a", " "), `["a" "a" "a" "a" "a" "a" "a" "a"]`},
		{"ten", strings.Split("a a a a a a a a a a", " "), `["a" "a" "a" "a" "a" "a" "a" "a" … 2 more]`},
	} {
		if got := quote.List(tt.in); got != tt.want {
			t.Errorf("%s: List() = %s, want %s", tt.name, got, tt.want)
		}
	}
}
