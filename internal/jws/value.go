package jws

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// maxSeconds is the last second of the year 9999, the latest time that every
// common time format can express.
const maxSeconds = 253402300799

// usualMembers are as many members as a usual object has, and some.
const usualMembers = 24

// Text returns the value of a string member without quotes and escapes. Any
// other type is an [ErrKind].
func (m Member) Text() (string, error) {
	if m.Kind != String {
		return "", m.wrongKind(String)
	}
	return stringText(m.Value)
}

// AppendStrings appends the elements of an array of strings to dst. Any other
// type, and an array with any other element, null included, is an [ErrKind], with
// which it returns dst as it was.
func (m Member) AppendStrings(dst []string) ([]string, error) {
	if m.Kind != Array {
		return dst, m.wrongKind(Array)
	}
	s := scanner{text: m.Value}
	if s.next() != '[' {
		return dst, m.wrongKind(Array)
	}
	s.pos++
	if s.next() == ']' {
		return dst, nil
	}
	list := dst
	for {
		if s.next() != '"' {
			return dst, fmt.Errorf("%w: %s: got an element that is not a string, want strings only", ErrKind, quote.Value(m.Name))
		}
		text, err := s.name()
		if err != nil {
			return dst, err
		}
		list = append(list, text)
		closed, err := s.separator(']')
		if err != nil {
			return dst, err
		}
		if closed {
			return list, nil
		}
	}
}

// Seconds returns a NumericDate (RFC 7519, section 2) as whole seconds since
// 1970 and the nanoseconds after them, 0 to 999,999,999, as [time.Unix] takes
// them. Finer digits are cut off.
//
// Every spelling of a number counts, 1.7e9 too, and is read exactly as written.
// Another type, or a time outside the years -6061 to 9999, is an [ErrKind].
func (m Member) Seconds() (sec, nsec int64, err error) {
	if m.Kind != Number {
		return 0, 0, m.wrongKind(Number)
	}
	if sec, ok := plainSeconds(m.Value); ok {
		return sec, 0, nil
	}
	if n := measure(m.Value); n.length == 0 || n.length != len(m.Value) {
		return 0, 0, m.wrongKind(Number)
	}
	d := readDecimal(m.Value)
	if sec, nsec, ok := d.seconds(); ok {
		return sec, nsec, nil
	}
	return 0, 0, fmt.Errorf("%w: %s: time out of range", ErrKind, quote.Value(m.Name))
}

// plainSeconds reads a number of the form that issuers write: digits alone, and
// few enough that no check of the range is needed.
func plainSeconds(text string) (sec int64, ok bool) {
	const maxDigits = 11
	if text == "" || text[0] == '0' || len(text) > maxDigits {
		return 0, false
	}
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		sec = sec*10 + int64(digit)
	}
	return sec, true
}

// wrongKind returns the refusal of a member of another type.
func (m Member) wrongKind(want Kind) error {
	return fmt.Errorf("%w: %s: got %s, want %s", ErrKind, quote.Value(m.Name), m.Kind, want)
}

// Lookup returns the member that path leads to, name by name from the top of the
// JSON object in text. Names match exactly, and a name holds whatever characters
// it holds: a dot or a slash in it separates nothing. An empty path is the object
// itself.
//
// A name that is missing is no error; a name that should hold a further object
// but holds something else is an [ErrKind]. A text that [ParseObject] refuses is
// an [ErrMalformed].
func Lookup(text string, path ...string) (Member, bool, error) {
	if _, err := ParseObject(make([]Member, 0, usualMembers), text); err != nil {
		return Member{}, false, err
	}
	return Member{Value: text, Kind: Object}.At(path...)
}

// At returns the member that path leads to from the object m, as [Lookup] does,
// for an m that is part of a text which [ParseObject] has accepted: it reads that
// no further than to the member, and keeps nothing of it.
func (m Member) At(path ...string) (Member, bool, error) {
	for _, name := range path {
		if m.Kind != Object {
			return Member{}, false, m.wrongKind(Object)
		}
		s := scanner{text: m.Value}
		next, found, err := s.find(name)
		if !found || err != nil {
			return Member{}, false, err
		}
		m = next
	}
	return m, true, nil
}

// find scans the object at the current byte, in which no name comes twice, up to
// the member of that name.
func (s *scanner) find(name string) (Member, bool, error) {
	if s.next() != '{' {
		return Member{}, false, refuse("not a JSON object")
	}
	if s.pos++; s.next() == '}' {
		return Member{}, false, nil
	}
	for {
		found, err := s.named(name)
		if err != nil {
			return Member{}, false, err
		}
		offset := s.pos
		if err := s.colon(); err != nil {
			return Member{}, false, err
		}
		start := s.pos
		kind, err := s.value(nil, 1)
		if err != nil {
			return Member{}, false, err
		}
		if found {
			return Member{Name: name, Value: s.text[start:s.pos], Kind: kind, Offset: offset}, true, nil
		}
		if closed, err := s.separator('}'); closed || err != nil {
			return Member{}, false, err
		}
	}
}

// named scans a member's name and reports whether it is that one.
func (s *scanner) named(name string) (bool, error) {
	if s.next() != '"' {
		return false, s.unexpected("a member name")
	}
	start := s.pos + 1
	escaped, err := s.string()
	if err != nil {
		return false, err
	}
	written := s.text[start : s.pos-1]
	if escaped && len(written) > len(name) {
		return unescape(written) == name, nil
	}
	return !escaped && written == name, nil
}

// ValueAt returns the value of the member whose name ends at offset, in a text
// that [ParseObject] has accepted, as a member without a name. It reads nothing
// else of the text. An offset at which no name ends gives an [ErrMalformed] or a
// meaningless value, never a panic.
func ValueAt(text string, offset int) (Member, error) {
	s, err := valueScanner(text, offset)
	if err != nil {
		return Member{}, err
	}
	start := s.pos
	kind, err := s.value(nil, 1)
	if err != nil {
		return Member{}, err
	}
	return Member{Value: text[start:s.pos], Kind: kind, Offset: offset}, nil
}

// TextAt returns what [ValueAt] and [Member.Text] return, in less time.
func TextAt(text string, offset int) (string, error) {
	if plain, ok := plainTextAt(text, offset); ok {
		return plain, nil
	}
	s, err := valueScanner(text, offset)
	if err != nil {
		return "", err
	}
	if s.pos >= len(text) || text[s.pos] != '"' {
		return "", fmt.Errorf("%w: want %s", ErrKind, String)
	}
	return s.name()
}

// plainTextAt reads a string as issuers write it, without escapes and without a space
// after the colon.
func plainTextAt(text string, offset int) (plain string, ok bool) {
	if offset < 0 || len(text)-offset < len(`:""`) || text[offset] != ':' || text[offset+1] != '"' {
		return "", false
	}
	plain, _, ok = strings.Cut(text[offset+2:], `"`)
	return plain, ok && strings.IndexByte(plain, '\\') < 0
}

// valueScanner returns a scanner that stands at the value of the member whose
// name ends at offset.
func valueScanner(text string, offset int) (scanner, error) {
	if offset < 0 || offset > len(text) {
		return scanner{}, refuse("no name ends at byte %d", offset)
	}
	s := scanner{text: text, pos: offset}
	return s, s.colon()
}

// Find returns the member with exactly that name.
func Find(members []Member, name string) (Member, bool) {
	for i := range members {
		if m := &members[i]; m.Name == name {
			return *m, true
		}
	}
	return Member{}, false
}

// stringText returns what a JSON string, quotes included, stands for.
func stringText(value string) (string, error) {
	s := scanner{text: value}
	if s.next() != '"' {
		return "", refuse("not a JSON string")
	}
	text, err := s.name()
	if err != nil {
		return "", err
	}
	if s.pos != len(value) {
		return "", refuse("data after the JSON string")
	}
	return text, nil
}

// unescape replaces the escape sequences of a string that has been scanned.
func unescape(inner string) string {
	var b strings.Builder
	b.Grow(len(inner))
	writeUnescaped(&b, inner)
	return b.String()
}

// writeUnescaped writes a string that has been scanned without its escape
// sequences, in no more bytes than it has.
func writeUnescaped(b *strings.Builder, inner string) {
	var piece [64]byte
	n := 0
	for i := 0; i < len(inner); {
		if n > len(piece)-utf8.UTFMax {
			b.Write(piece[:n])
			n = 0
		}
		switch {
		case inner[i] != '\\':
			piece[n] = inner[i]
			n, i = n+1, i+1
		case inner[i+1] != 'u':
			piece[n] = escapedByte(inner[i+1])
			n, i = n+1, i+2
		default:
			char, length := escapedRune(inner[i:])
			n, i = n+utf8.EncodeRune(piece[n:], char), i+length
		}
	}
	b.Write(piece[:n])
}

// escapedByte returns the character that a backslash and c stand for.
func escapedByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// escapedRune returns the character that the \u sequence at the start of text
// stands for, and the length of that sequence.
func escapedRune(text string) (char rune, length int) {
	unit, _ := codeUnit(text)
	if !utf16.IsSurrogate(unit) {
		return unit, 6
	}
	low, _ := codeUnit(text[6:])
	return utf16.DecodeRune(unit, low), 12
}
