// Package quote makes values that somebody else chose fit for a log line and for
// an error: quoted, and cut where they are long.
package quote

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxBytes  = 128 // of a value
	maxValues = 8   // of a list
)

// Value quotes s.
func Value(s string) string {
	if len(s) <= maxBytes {
		return fmt.Sprintf("%q", s)
	}
	cut := maxBytes
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:cut], len(s))
}

// Plain makes s fit for a line without quotes around it: what cannot be printed is
// written as in Go.
func Plain(s string) string {
	text := Value(s)
	end := strings.LastIndexByte(text, '"')
	return text[1:end] + text[end+1:]
}

// List lists values the way [Value] shows one.
func List(values []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i == maxValues {
			fmt.Fprintf(&b, " … %d more", len(values)-maxValues)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Value(v))
	}
	b.WriteByte(']')
	return b.String()
}
