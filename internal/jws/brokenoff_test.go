package jws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A string without an end is told as that, however long it is and whatever it ends with.
func TestParseObject_StringWithoutEnd(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		for _, front := range []string{`{"`, `{"a":"`} {
			for _, end := range []string{"", `\n`, `\u0061`} {
				text := front + strings.Repeat("x", n) + end
				if _, err := jws.ParseObject(nil, text); !errors.Is(err, jws.ErrMalformed) || !strings.HasSuffix(err.Error(), "string without an end") {
					t.Errorf("ParseObject(%s) error = %v, want that a string has no end", text, err)
				}
			}
		}
	}
}

// Every character that is written as four hexadecimal digits is read as encoding/json
// reads it, in small letters and in large.
func TestMember_TextOfCodeUnits(t *testing.T) {
	t.Parallel()
	for unit := range rune(0x10000) {
		if utf16.IsSurrogate(unit) {
			continue
		}
		for _, format := range []string{`"\u%04x"`, `"\u%04X"`} {
			value := fmt.Sprintf(format, unit)
			var want string
			if err := json.Unmarshal([]byte(value), &want); err != nil {
				t.Fatal(err)
			}
			if got, err := (jws.Member{Value: value, Kind: jws.String}).Text(); got != want || err != nil {
				t.Fatalf("Text() of %s = %q, %v, want %q", value, got, err, want)
			}
		}
	}
}

// In an object that breaks off before a member, which was made by hand, that is not found
// missing, nor is it in what is none. In an array the strings are all there, or none are.
func TestMember_BrokenOff(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `[`, `"b"`, `{`, `{a`, `{"a`, `{"a"`, `{"a" 1`, `{"a":`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,b`, `{"a":1 "b":2}`} {
		m, found, err := jws.Member{Value: text, Kind: jws.Object}.At("b")
		if found || !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("At() in %s = %+v, %t, %v, want %v", text, m, found, err, jws.ErrMalformed)
		}
	}
	for text, want := range map[string]error{
		``: jws.ErrKind, `{}`: jws.ErrKind, `"a"`: jws.ErrKind, `[`: jws.ErrKind, `["a`: jws.ErrMalformed, `["a"`: jws.ErrMalformed, `["a",`: jws.ErrKind, `["a" "b"]`: jws.ErrMalformed,
	} {
		list, err := jws.Member{Value: text, Kind: jws.Array}.AppendStrings(nil)
		if len(list) != 0 || !errors.Is(err, want) {
			t.Errorf("AppendStrings() of %s = %q, %v, want %v", text, list, err, want)
		}
	}
	for _, offset := range []int{-1, 0, 3, 4} {
		if _, err := jws.TextAt(`"a"`, offset); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("TextAt(%d) error = %v, want %v", offset, err, jws.ErrMalformed)
		}
	}
}

// What may be nested in a payload can be found in it.
func TestLookup_Deepest(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]error{31: nil, 32: jws.ErrMalformed} {
		m, found, err := jws.Lookup(`{"a":`+nested(depth)+`}`, "a")
		if found != (want == nil) || !errors.Is(err, want) || found && m.Value != nested(depth) {
			t.Errorf("%d deep: Lookup() = %+v, %t, %v, want %v", depth, m, found, err, want)
		}
	}
}

// A name that was there before the table of names grew is still found to be there twice.
func TestParseObject_DuplicateOfMany(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ names, step int }{{50, 1}, {60, 1}, {200, 1}, {400, 3}, {3500, 250}} {
		for set := range 5 {
			var b strings.Builder
			for i := range tt.names {
				fmt.Fprintf(&b, `"%d-%05d":0,`, set, i)
			}
			if _, err := jws.ParseObject(nil, `{`+b.String()+`"z":0}`); err != nil {
				t.Fatalf("%d names: ParseObject() error = %v", tt.names, err)
			}
			for i := 0; i < tt.names; i += tt.step {
				text := fmt.Sprintf(`{%s"%d-%05d":0}`, b.String(), set, i)
				if _, err := jws.ParseObject(nil, text); !errors.Is(err, jws.ErrMalformed) || !strings.Contains(err.Error(), "duplicate") {
					t.Fatalf("%d names: name %d twice: ParseObject() error = %v", tt.names, i, err)
				}
			}
		}
	}
}
