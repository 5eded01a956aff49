package refusal

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Quote makes a value that the token chose fit for one log line.
func Quote(s string) string {
	const limit = 128
	if len(s) <= limit {
		return fmt.Sprintf("%q", s)
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:cut], len(s))
}

// QuoteAll lists values the way [Quote] shows one.
func QuoteAll(values []string) string {
	const limit = 8
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i == limit {
			fmt.Fprintf(&b, " … %d more", len(values)-limit)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Quote(v))
	}
	b.WriteByte(']')
	return b.String()
}

// OneOf returns the acceptable values of a check.
func OneOf(values []string) string {
	if len(values) == 1 {
		return Quote(values[0])
	}
	return "one of " + QuoteAll(values)
}

// Time shows a time in one way everywhere.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339) }
