package jws_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// member returns the member "m" with that JSON text as its value.
func member(t *testing.T, value string) jws.Member {
	t.Helper()
	members, err := jws.ParseObject(nil, `{"m":`+value+`}`)
	if err != nil {
		t.Fatal(err)
	}
	return members[0]
}

func TestMember_Seconds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		sec, nsec   int64
		want        error
	}{
		{"integer", "1924992000", 1924992000, 0, nil},
		{"zero", "0", 0, 0, nil},
		{"minus zero", "-0", 0, 0, nil},
		{"float zero", "0.000e99", 0, 0, nil},
		{"float without a fraction", "1924992000.0", 1924992000, 0, nil},
		{"fraction", "1924992000.25", 1924992000, 250000000, nil},
		{"finer than a nanosecond", "1.0000000019", 1, 1, nil},
		{"fraction of nines", "1.99999999999999999999", 1, 999999999, nil},
		{"exponent", "1.924992e9", 1924992000, 0, nil},
		{"capital exponent with a sign", "1.924992E+9", 1924992000, 0, nil},
		{"negative exponent", "1924992000123e-3", 1924992000, 123000000, nil},
		{"exponent within the fraction", "1.9249920005e9", 1924992000, 500000000, nil},
		{"leading zeros after the point", "0.001924992e12", 1924992000, 0, nil},
		{"many digits and a negative exponent", "1" + strings.Repeat("0", 40) + "e-40", 1, 0, nil},
		{"far too small to matter", "1e-400", 0, 0, nil},
		{"exponent beyond any integer", "1e-99999999999999999999999", 0, 0, nil},
		{"negative", "-1", -1, 0, nil},
		{"negative fraction", "-1.25", -2, 750000000, nil},
		{"a nanosecond before 1970", "-0.000000001", -1, 999999999, nil},
		{"less than that", "-0.0000000001", 0, 0, nil},
		{"beyond what a double holds exactly", "100000000000.123456789", 100000000000, 123456789, nil},
		{"end of the year 9999", "253402300799", 253402300799, 0, nil},
		{"last nanosecond of the year 9999", "253402300799.999999999", 253402300799, 999999999, nil},
		{"begin of the year 10000", "253402300800", 0, 0, jws.ErrKind},
		{"lowest", "-253402300799", -253402300799, 0, nil},
		{"below the lowest", "-253402300799.5", 0, 0, jws.ErrKind},
		{"milliseconds taken for seconds", "1924992000000", 0, 0, jws.ErrKind},
		{"largest int64", "9223372036854775807", 0, 0, jws.ErrKind},
		{"beyond int64", "18446744073709551617", 0, 0, jws.ErrKind},
		{"large exponent", "1e300", 0, 0, jws.ErrKind},
		{"string", `"1924992000"`, 0, 0, jws.ErrKind},
		{"null", "null", 0, 0, jws.ErrKind},
		{"true", "true", 0, 0, jws.ErrKind},
		{"array", "[1]", 0, 0, jws.ErrKind},
		{"object", "{}", 0, 0, jws.ErrKind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sec, nsec, err := member(t, tt.value).Seconds()
			if sec != tt.sec || nsec != tt.nsec || !errors.Is(err, tt.want) {
				t.Errorf("Seconds() = %d, %d, %v, want %d, %d, %v", sec, nsec, err, tt.sec, tt.nsec, tt.want)
			}
		})
	}
	// Members made by hand, not by ParseObject, must not panic either.
	for _, value := range []string{"", "-", ":", "1:", "0:", "1e", "1e400", "NaN", "1 ", "1.", "0x1", "1e99999999999999999999"} {
		if _, _, err := (jws.Member{Value: value, Kind: jws.Number}).Seconds(); !errors.Is(err, jws.ErrKind) {
			t.Errorf("Seconds() of %q: error = %v, want %v", value, err, jws.ErrKind)
		}
	}
}

// TestMember_SecondsOfTime requires times to come back exactly.
func TestMember_SecondsOfTime(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2031-01-01T00:00:00.123456789Z", "9999-12-31T23:59:59.999999999Z"} {
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		sec, nsec, err := member(t, numericDate(want)).Seconds()
		if got := time.Unix(sec, nsec).UTC(); err != nil || !got.Equal(want) {
			t.Errorf("Seconds() of %s = %v, %v", numericDate(want), got, err)
		}
	}
}

func numericDate(at time.Time) string {
	sec, nsec, sign := at.Unix(), int64(at.Nanosecond()), ""
	if sec < 0 {
		sign = "-"
		sec = -sec
		if nsec > 0 {
			sec, nsec = sec-1, 1e9-nsec
		}
	}
	return sign + digitsOf(sec, 1) + "." + digitsOf(nsec, 9)
}

func digitsOf(n int64, width int) string {
	text := ""
	for n > 0 || len(text) < width {
		text = string(rune('0'+n%10)) + text
		n /= 10
	}
	return text
}

func TestMember_Text(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value, text string
		want              error
	}{
		{"plain", `"alice"`, "alice", nil},
		{"empty", `""`, "", nil},
		{"every short escape", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", nil},
		{"unicode escapes", `"\u0041\u00e9\u20ac\ud83d\ude00\u0000"`, "Aé€😀\x00", nil},
		{"text around escapes", `"a\u0041b\\c"`, `aAb\c`, nil},
		{"replacement character as written", `"\ufffd"`, "\uFFFD", nil},
		{"number", "1", "", jws.ErrKind},
		{"null", "null", "", jws.ErrKind},
		{"array of one string", `["alice"]`, "", jws.ErrKind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := member(t, tt.value).Text()
			if text != tt.text || !errors.Is(err, tt.want) {
				t.Errorf("Text() = %q, %v, want %q, %v", text, err, tt.text, tt.want)
			}
		})
	}
	for _, value := range []string{"", `"`, `"a`, `a"`, `"a"b`, `"\`} {
		if _, err := (jws.Member{Value: value, Kind: jws.String}).Text(); err == nil {
			t.Errorf("Text() of %q: error = nil", value)
		}
	}
}

// An offset at which no name ends must not do harm, nor must a text that breaks
// off.
func TestValueAt(t *testing.T) {
	t.Parallel()
	text := `{"a":"b\u0063", "d" : {"e":[1,{"f":2}]},"g":"h`
	want := make(map[int]string)
	for name, value := range map[string]string{
		`"a"`: `"b\u0063"`, `"d"`: `{"e":[1,{"f":2}]}`, `"d" `: `{"e":[1,{"f":2}]}`, `"e"`: `[1,{"f":2}]`, `"f"`: `2`,
	} {
		want[strings.Index(text, name)+len(name)] = value
	}
	for offset := -1; offset <= len(text)+1; offset++ {
		m, err := jws.ValueAt(text, offset)
		value, found := want[offset]
		if m.Value != value || found != (err == nil) || err != nil && !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("ValueAt(%d) = %+v, %v, want %q", offset, m, err, value)
		}
		isText := found && value[0] == '"'
		if got, err := jws.TextAt(text, offset); isText != (err == nil) || isText != (got == "bc") {
			t.Errorf("TextAt(%d) = %q, %v, want that of %q", offset, got, err, value)
		}
	}
}

// A text may break off anywhere: what is found in it is what the whole text has,
// or, of a number, its beginning.
func TestValueAt_BrokenOff(t *testing.T) {
	t.Parallel()
	text := `{"a" : "b\u0063","d":[1, "x"],"e":{"f":null},"g":true,"h":-12.5}`
	whole, err := jws.ParseObject(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	for end := range len(text) {
		for _, m := range whole {
			got, err := jws.ValueAt(text[:end], m.Offset)
			if err == nil && got.Value != m.Value && !(m.Kind == jws.Number && strings.HasPrefix(m.Value, got.Value)) {
				t.Errorf("ValueAt(%s, %d) = %q, want %q", text[:end], m.Offset, got.Value, m.Value)
			}
			ends := end >= strings.Index(text, m.Value)+len(m.Value)
			if ends != (err == nil) && m.Kind != jws.Number {
				t.Errorf("ValueAt(%s, %d) error = %v", text[:end], m.Offset, err)
			}
			if _, err := jws.TextAt(text[:end], m.Offset); (err == nil) != (ends && m.Kind == jws.String) {
				t.Errorf("TextAt(%s, %d) error = %v", text[:end], m.Offset, err)
			}
		}
	}
}

func TestMember_AppendStrings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		list        []string
		want        error
	}{
		{"two", `["a","b\u0063"]`, []string{"a", "bc"}, nil},
		{"spaced", `[ "a" , "b" ]`, []string{"a", "b"}, nil},
		{"empty", `[]`, nil, nil},
		{"brackets and commas in strings", `["],","["]`, []string{"],", "["}, nil},
		{"null among them", `["a",null]`, nil, jws.ErrKind},
		{"number among them", `["a",1]`, nil, jws.ErrKind},
		{"array among them", `["a",["b"]]`, nil, jws.ErrKind},
		{"one string", `"a"`, nil, jws.ErrKind},
		{"null", `null`, nil, jws.ErrKind},
		{"object", `{"a":"b"}`, nil, jws.ErrKind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := member(t, tt.value).AppendStrings([]string{"first"})
			if want := append([]string{"first"}, tt.list...); !slices.Equal(list, want) || !errors.Is(err, tt.want) {
				t.Errorf("AppendStrings() = %q, %v, want %q, %v", list, err, want, tt.want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	const text = `{"realm_access":{"roles":["a"]},"https://example.com/roles":["b"],"a.b":"c","n":null,"r\u006fles":["d"]}`
	tests := []struct {
		name  string
		path  []string
		value string
		found bool
		want  error
	}{
		{"top level", []string{"a.b"}, `"c"`, true, nil},
		{"nested", []string{"realm_access", "roles"}, `["a"]`, true, nil},
		{"name that is a URL", []string{"https://example.com/roles"}, `["b"]`, true, nil},
		{"name written with an escape", []string{"roles"}, `["d"]`, true, nil},
		{"dots separate nothing", []string{"realm_access.roles"}, "", false, nil},
		{"case counts", []string{"Realm_access", "roles"}, "", false, nil},
		{"missing below", []string{"realm_access", "groups"}, "", false, nil},
		{"null is there", []string{"n"}, "null", true, nil},
		{"below null", []string{"n", "x"}, "", false, jws.ErrKind},
		{"below an array", []string{"realm_access", "roles", "0"}, "", false, jws.ErrKind},
		{"no path", nil, text, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, found, err := jws.Lookup(text, tt.path...)
			if m.Value != tt.value || found != tt.found || !errors.Is(err, tt.want) {
				t.Errorf("Lookup() = %q, %v, %v, want %q, %v, %v", m.Value, found, err, tt.value, tt.found, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "[]", `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`} {
		if _, _, err := jws.Lookup(bad, "a", "b"); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("Lookup() in %q: error = %v, want %v", bad, err, jws.ErrMalformed)
		}
	}
}

// TestParseObject_Bytes puts every byte at every place of a string, and requires
// the verdict of encoding/json on it, except that a byte that is not UTF-8 is
// refused. Longer characters must pass at every place.
func TestParseObject_Bytes(t *testing.T) {
	t.Parallel()
	plain := strings.Repeat("x", 24)
	for place := range len(plain) {
		for value := range 256 {
			text := `{"m":"` + plain[:place] + string([]byte{byte(value)}) + plain[place+1:] + `"}`
			members, err := jws.ParseObject(nil, text)
			if want := json.Valid([]byte(text)) && value < 0x80; (err == nil) != want {
				t.Fatalf("ParseObject(%q) error = %v, want accepted: %v", text, err, want)
			}
			if err == nil && (len(members) != 1 || members[0].Value != text[5:len(text)-1]) {
				t.Fatalf("ParseObject(%q) = %v", text, members)
			}
		}
		for _, long := range []string{"é", "¢", "\u0080", "߿", "€", "\uFFFF", "😀", "\U0010FFFF"} {
			if _, err := jws.ParseObject(nil, `{"m":"`+plain[:place]+long+plain[place:]+`"}`); err != nil {
				t.Fatalf("ParseObject() with %q at %d: error = %v, want none", long, place, err)
			}
		}
	}
}

func TestParseObject_Append(t *testing.T) {
	t.Parallel()
	first, err := jws.ParseObject(nil, `{"a":1}`)
	if err != nil {
		t.Fatal(err)
	}
	both, err := jws.ParseObject(first, `{"a":2}`)
	if err != nil || len(both) != 2 || both[0].Value != "1" || both[1].Value != "2" {
		t.Errorf("ParseObject() = %v, %v, want both members", both, err)
	}
	if after, err := jws.ParseObject(first, `{"a":2`); err == nil || after != nil {
		t.Errorf("ParseObject() of a cut text = %v, %v", after, err)
	}
}

func TestKind_String(t *testing.T) {
	t.Parallel()
	want := map[jws.Kind]string{
		jws.String: "string", jws.Number: "number", jws.Bool: "boolean", jws.Null: "null", jws.Array: "array", jws.Object: "object", 0: "nothing",
	}
	for kind, text := range want {
		if kind.String() != text {
			t.Errorf("String() of %d = %q, want %q", kind, kind.String(), text)
		}
	}
}
