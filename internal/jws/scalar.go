package jws

import (
	"math/bits"
	"unicode/utf16"
)

// string scans the string at the current byte and reports whether it holds
// escapes. The text is known to be valid UTF-8.
func (s *scanner) string() (escaped bool, err error) {
	text := s.text
	for i := s.pos + 1; ; {
		n := fewPlain(text[i:])
		if i += n; n == plainAtOnce {
			i += plainLength(text[i:])
		}
		if i >= len(text) {
			return false, refuse("not JSON: string without an end")
		}
		switch text[i] {
		case '"':
			s.pos = i + 1
			return escaped, nil
		case '\\':
			n := escapesLength(text[i:])
			if n == 0 {
				return false, refuse("not JSON: bad escape in a string at byte %d", i)
			}
			escaped = true
			i += n
		default:
			return false, refuse("not JSON: control character in a string at byte %d", i)
		}
	}
}

// plainAtOnce is how many bytes of a string are looked at one by one before
// plainLength is worth its while.
const plainAtOnce = 8

// fewPlain is plainLength for the first bytes alone.
func fewPlain(text string) int {
	i := 0
	for i < len(text) && i < plainAtOnce && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' {
		i++
	}
	return i
}

// plainLength returns how many bytes text starts with that stand for themselves
// in a string: no quote, no backslash and no control character. It looks at
// eight bytes at a time, since strings are most of a token.
func plainLength(text string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(text); i += 8 {
		word := text[i : i+8]
		v := uint64(word[0]) | uint64(word[1])<<8 | uint64(word[2])<<16 | uint64(word[3])<<24 |
			uint64(word[4])<<32 | uint64(word[5])<<40 | uint64(word[6])<<48 | uint64(word[7])<<56
		quotes, slashes := v^(ones*'"'), v^(ones*'\\')
		// The lowest top bit set marks the first byte that underflows and is
		// below 0x80; borrows reach only the bytes above it.
		found := ((quotes-ones)&^quotes | (slashes-ones)&^slashes | (v-ones*' ')&^v) & tops
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(text) && text[i] != '"' && text[i] != '\\' && text[i] >= ' ' {
		i++
	}
	return i
}

// escapesLength returns the length of all escape sequences that text starts
// with, one after the other, 0 if there is none. One that is bad ends them: half a
// surrogate pair is bad, since it has no meaning and readers replace it
// differently.
func escapesLength(text string) int {
	i := 0
	for i+1 < len(text) && text[i] == '\\' {
		switch text[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
			continue
		}
		n := unicodeEscapeLength(text[i:])
		if n == 0 {
			return i
		}
		i += n
	}
	return i
}

// unicodeEscapeLength returns the length of the \u sequence that text starts
// with, 0 if it is none. A surrogate pair is one sequence.
func unicodeEscapeLength(text string) int {
	unit, ok := codeUnit(text)
	switch {
	case !ok:
		return 0
	case !utf16.IsSurrogate(unit):
		return 6
	}
	low, ok := codeUnit(text[6:])
	if !ok || utf16.DecodeRune(unit, low) == '\uFFFD' {
		return 0
	}
	return 12
}

// codeUnit reads the UTF-16 code unit of the \u sequence that text starts with.
func codeUnit(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var unit rune
	for i := 2; i < 6; i++ {
		digit, ok := hexDigit(text[i])
		if !ok {
			return 0, false
		}
		unit = unit<<4 | digit
	}
	return unit, true
}

// hexDigit returns the value of a hexadecimal digit.
func hexDigit(c byte) (rune, bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
