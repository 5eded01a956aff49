package jws_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A text may have so many names at all depths together, and so many with escapes,
// by its length.
func TestParseObject_TooManyNames(t *testing.T) {
	t.Parallel()
	object := func(n int, format string, length int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+`:0,`, i)
		}
		text := `{` + b.String() + `"z":"`
		return text + strings.Repeat("x", length-len(text)-2) + `"}`
	}
	short := func(n int) string { // of less than eight bytes a name
		return `{"a":[` + strings.TrimSuffix(strings.Repeat(`{"":0},`, n-1), ",") + `]}`
	}
	nested := func(n, length int) string {
		text := `{"a":[` + strings.TrimSuffix(strings.Repeat(`{"":0},`, n), ",") + `],"z":"`
		return text + strings.Repeat("x", length-len(text)-2) + `"}`
	}
	for _, tt := range []struct {
		name, text string
		at         string // whose last place is that of the name that is too many; empty for none
	}{
		{"a short text of 64 names", short(64), ""},
		{"a short text of 65 names", short(65), `"":`},
		{"one for each eight bytes", object(999, `"%d"`, 8000), ""},
		{"one more", object(1000, `"%d"`, 8000), `"z"`},
		{"nested, one for each eight bytes", nested(1006, 8064), ""},
		{"nested, too many", nested(1007, 8064), `"z"`},
		{"escaped, one for each 48 bytes", object(166, `"\u4%03x"`, 8000), ""},
		{"escaped, one more", object(167, `"\u4%03x"`, 8000), `"\u4`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := jws.ParseObject(nil, tt.text)
			if tt.at == "" {
				if err != nil {
					t.Errorf("ParseObject() of %d bytes: error = %v", len(tt.text), err)
				}
				return
			}
			where := fmt.Sprintf(", from byte %d on", strings.LastIndex(tt.text, tt.at))
			if !errors.Is(err, jws.ErrMalformed) || !strings.HasSuffix(err.Error(), where) {
				t.Errorf("ParseObject() of %d bytes: error = %v, want too many names%s", len(tt.text), err, where)
			}
		})
	}
}

// How many members a long text may still have is reckoned where an int has 32 bits, too.
func TestParseObject_LongText(t *testing.T) {
	t.Parallel()
	const size, long, names = 1 << 20, 8, 100_000
	var b strings.Builder
	for i := range names {
		value := ""
		if i < long {
			value = strings.Repeat("x", 200) // so that few more seem to come
		}
		fmt.Fprintf(&b, `"%x":%q,`, i, value)
	}
	text := `{` + b.String() + `"z":"` + strings.Repeat("x", size-b.Len()) + `"}`
	if got, err := jws.ParseObject(nil, text); err != nil || len(got) != names+1 {
		t.Errorf("ParseObject() = %d members, %v, want %d and no error", len(got), err, names+1)
	}
}

func TestToken_TooManyHeaderNames(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]error{128: nil, 129: jws.ErrMalformed} {
		var b strings.Builder
		for i := range n - 1 {
			fmt.Fprintf(&b, `,"%d":0`, i)
		}
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"` + b.String() + `}`))
		var token jws.Token
		if err := form(&token, header+".e30.AAAA", 16<<10); !errors.Is(err, want) {
			t.Errorf("%d names: Parse() error = %v, want %v", n, err, want)
		}
	}
}
