package jws

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth is how deep arrays and objects may nest, the outermost object
	// included.
	maxDepth = 32

	// namesRoom holds the names of the open objects of a usual token.
	namesRoom = 32
)

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
	if !utf8.ValidString(text) {
		return nil, refuse("not valid UTF-8")
	}
	s := scanner{text: text}
	var names [namesRoom]string
	if s.next() != '{' {
		return nil, refuse("not a JSON object")
	}
	dst, err := s.object(dst, names[:0], 1)
	if err != nil {
		return nil, err
	}
	s.next()
	if s.pos != len(text) {
		return nil, refuse("data after the JSON object, at byte %d", s.pos)
	}
	return dst, nil
}

// scanner walks through a JSON text once, from left to right.
type scanner struct {
	text string
	pos  int
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
// The names of the enclosing objects are passed on the side, where the scratch
// space for them can stay on the stack.
func (s *scanner) object(dst []Member, names []string, depth int) ([]Member, error) {
	s.pos++
	if s.next() == '}' {
		s.pos++
		return dst, nil
	}
	own := nameSet{outer: len(names)}
	for {
		name, err := s.memberName()
		if err != nil {
			return nil, err
		}
		offset := s.pos
		if err := s.colon(); err != nil {
			return nil, err
		}
		if names, err = own.add(names, name); err != nil {
			return nil, err
		}
		start := s.pos
		kind, err := s.value(names, depth)
		if err != nil {
			return nil, err
		}
		if depth == 1 {
			dst = append(dst, Member{Name: name, Value: s.text[start:s.pos], Kind: kind, Offset: offset})
		}
		closed, err := s.separator('}')
		if closed || err != nil {
			return dst, err
		}
	}
}

// memberName scans up to the end of the next name.
func (s *scanner) memberName() (string, error) {
	if s.next() != '"' {
		return "", s.unexpected("a member name")
	}
	return s.name()
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
func (s *scanner) value(names []string, depth int) (Kind, error) {
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
func (s *scanner) array(names []string, depth int) error {
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
