package jws

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest, the outermost object
// included.
const maxDepth = 32

// Kind is the JSON type of a value. The zero Kind is no type.
type Kind uint8

// The types of JSON values.
const (
	String Kind = iota + 1
	Number
	Bool
	Null
	Array
	Object
)

// String returns the name of the type for an error message.
func (k Kind) String() string {
	switch k {
	case String:
		return "string"
	case Number:
		return "number"
	case Bool:
		return "boolean"
	case Null:
		return "null"
	case Array:
		return "array"
	case Object:
		return "object"
	}
	return "nothing"
}

// Member is one member of a JSON object.
type Member struct {
	Name  string // without quotes and escapes
	Value string // the value's JSON text
	Kind  Kind   // the value's type

	// Offset is where the name ends in the object's text, the quote included.
	// [ValueAt] and [TextAt] find the value again from there.
	Offset int
}

// ParseObject appends the members of the JSON object in text to dst, in the
// order written. Names and values are parts of text wherever they can be.
//
// The text must be I-JSON (RFC 7493): valid UTF-8 without lone surrogates, no
// name twice in one object at any depth, no number beyond the range of a double.
// Besides, nesting is at most 32 deep, the text holds that one object and white
// space around it, and names keep their exact spelling. An error is an
// [ErrMalformed] that names the rule broken.
func ParseObject(dst []Member, text string) ([]Member, error) {
	members, err := parseObject(dst, text, mostNames(text))
	if err != nil {
		return nil, err
	}
	return members, nil
}

// What names may cost before anybody's signature is known. Names are what costs
// most, byte by byte, and names with escapes twice as much.
const (
	namesAtLeast = 64 // however short the text

	// bytesPerName is how many bytes of a text there have to be for each name in
	// it, with its value: more than those of an object as dense as can be.
	bytesPerName = 8

	// bytesPerEscaped is the same for names written with escapes. Some issuers
	// write so those with a slash or a letter beyond ASCII.
	bytesPerEscaped = 48

	// maxHeaderNames bounds the names in a header: there are a dozen registered
	// ones, and as many in a key.
	maxHeaderNames = 128
)

// mostNames returns how many names a text may have at all depths together.
func mostNames(text string) int { return max(namesAtLeast, len(text)/bytesPerName) }

// parseObject is ParseObject for a text with no more names than most, at any
// depth. With an error it returns dst all the same, with some members and the
// memory it has got.
func parseObject(dst []Member, text string, most int) ([]Member, error) {
	if len(text) > math.MaxInt32 {
		return dst, &sizeError{len(text), math.MaxInt32}
	}
	if !utf8.ValidString(text) {
		return dst, refuse("not valid UTF-8")
	}
	var names nameTable
	defer names.end()
	s := scanner{text: text, names: most, escapes: max(namesAtLeast, len(text)/bytesPerEscaped)}
	if s.next() != '{' {
		return dst, refuse("not a JSON object")
	}
	dst, err := s.object(dst, &names, 1)
	if err != nil {
		return dst, err
	}
	s.next()
	if s.pos != len(text) {
		return dst, refuse("data after the JSON object, at byte %d", s.pos)
	}
	return dst, nil
}

// scanner walks through a JSON text once, from left to right.
type scanner struct {
	text    string
	pos     int
	names   int // that may still come
	escapes int // names with escapes that may still come
}

// next skips white space and returns the byte it stands at, 0 at the end. A
// zero byte in the text is no token of JSON, so no rule takes it for one.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c > ' ' || (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			return c
		}
		s.pos++
	}
	return 0
}

// object scans the object that opens at the current byte. It appends the members
// of the outermost object to dst, and returns it.
//
// The table of names is passed on the side, where it can stay on the stack. It
// is nil where the text was read before, so that no name can come twice.
func (s *scanner) object(dst []Member, names *nameTable, depth int) ([]Member, error) {
	s.pos++
	if s.next() == '}' {
		s.pos++
		return dst, nil
	}
	var own nameSet
	for {
		name, err := s.memberName(&own, names)
		if err != nil {
			return dst, err
		}
		offset := s.pos
		if err := s.colon(); err != nil {
			return dst, err
		}
		start := s.pos
		kind, err := s.value(names, depth)
		if err != nil {
			return dst, err
		}
		if depth == 1 {
			if len(dst) == cap(dst) {
				dst = s.grow(dst)
			}
			dst = append(dst, Member{Name: name, Value: s.text[start:s.pos], Kind: kind, Offset: offset})
		}
		if s.pos < len(s.text) && s.text[s.pos] == ',' {
			s.pos++
			continue
		}
		closed, err := s.separator('}')
		if closed || err != nil {
			return dst, err
		}
	}
}

// memberName scans up to the end of the next name of an object, which must not
// have it already. Without a table it returns the name as written.
func (s *scanner) memberName(own *nameSet, names *nameTable) (string, error) {
	if s.next() != '"' {
		return "", s.unexpected("a member name")
	}
	start := s.pos + 1
	escaped, err := s.string()
	if err != nil {
		return "", err
	}
	w := writtenName{s.text[start : s.pos-1], int32(start)}
	if names == nil {
		return w.name, nil
	}
	if s.names--; s.names < 0 {
		return "", refuse("too many member names, from byte %d on", start-1)
	}
	if escaped {
		if s.escapes--; s.escapes < 0 {
			return "", refuse("too many member names with escapes, from byte %d on", start-1)
		}
		w = names.unescape(w.name, s.text)
	}
	return w.name, own.add(names, s.text, w)
}

// grow returns members with memory for those that the text may still have, if
// they are as long as those before: to grow step by step costs several times as
// much.
func (s *scanner) grow(members []Member) []Member {
	const few, shortest = 8, len(`"":0,`)
	rest := len(s.text) - s.pos
	more := few + int(int64(len(members))*int64(rest)/int64(s.pos)) // an int may be too small for the product
	return slices.Grow(members, min(more, few+rest/shortest))
}

// colon scans what stands between a name and its value.
func (s *scanner) colon() error {
	if s.next() != ':' {
		return s.unexpected("a colon")
	}
	s.pos++
	s.next()
	return nil
}

// name scans the string at the current byte and returns it without escapes.
func (s *scanner) name() (string, error) {
	start := s.pos
	escaped, err := s.string()
	if err != nil {
		return "", err
	}
	inner := s.text[start+1 : s.pos-1]
	if escaped {
		return unescape(inner), nil
	}
	return inner, nil
}

// separator scans what follows a member or an element: a comma, or the closing
// byte that ends the enclosing value.
func (s *scanner) separator(closing byte) (closed bool, err error) {
	switch s.next() {
	case ',':
		s.pos++
		return false, nil
	case closing:
		s.pos++
		return true, nil
	}
	return false, s.unexpected("a comma or a closing " + strconv.QuoteRune(rune(closing)))
}

// value scans the value at the current byte, which lies in depth arrays and
// objects.
func (s *scanner) value(names *nameTable, depth int) (Kind, error) {
	if s.pos >= len(s.text) {
		return 0, s.unexpected("a value")
	}
	switch c := s.text[s.pos]; c {
	case '"':
		_, err := s.string()
		return String, err
	case '{', '[':
		if depth >= maxDepth {
			return 0, refuse("nested more than %d deep", maxDepth)
		}
		if c == '[' {
			return Array, s.array(names, depth+1)
		}
		_, err := s.object(nil, names, depth+1)
		return Object, err
	case 't':
		return Bool, s.literal("true")
	case 'f':
		return Bool, s.literal("false")
	case 'n':
		return Null, s.literal("null")
	}
	return Number, s.number()
}

// array scans the array that opens at the current byte.
func (s *scanner) array(names *nameTable, depth int) error {
	s.pos++
	if s.next() == ']' {
		s.pos++
		return nil
	}
	for {
		s.next()
		if _, err := s.value(names, depth); err != nil {
			return err
		}
		if s.pos < len(s.text) && s.text[s.pos] == ',' {
			s.pos++
			continue
		}
		if closed, err := s.separator(']'); closed || err != nil {
			return err
		}
	}
}

// literal scans exactly the word given.
func (s *scanner) literal(word string) error {
	if !strings.HasPrefix(s.text[s.pos:], word) {
		return s.unexpected("a value")
	}
	s.pos += len(word)
	return nil
}

// unexpected returns the refusal of the current byte.
func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.text) {
		return refuse("not JSON: ends where %s is expected", want)
	}
	return refuse("not JSON: byte %d is not %s", s.pos, want)
}
