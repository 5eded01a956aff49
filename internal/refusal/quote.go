package refusal

import (
	"time"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// Quote makes a value that the token chose fit for one log line.
func Quote(s string) string { return quote.Value(s) }

// Plain is Quote without the quotes, for words.
func Plain(s string) string { return quote.Plain(s) }

// QuoteAddress is Quote for an address, without the user information in it.
func QuoteAddress(s string) string { return quote.Address(s) }

// QuoteAll lists values the way [Quote] shows one.
func QuoteAll(values []string) string { return quote.List(values) }

// OneOf returns the acceptable values of a check.
func OneOf(values []string) string {
	if len(values) == 1 {
		return Quote(values[0])
	}
	return "one of " + QuoteAll(values)
}

// Time shows a time in one way everywhere.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339) }
