package fetch

import (
	"context"
	"time"
)

// What the tests look at without a network: two decisions, and what headers say.
var (
	ParseMetadata = parseMetadata
	Refusal       = refusal
	Freshness     = freshness
	RetryAfter    = retryAfter
)

// Control is what a guard says to a socket that is about to be connected.
func Control(network, address string) error {
	return newGuard(Config{}, time.Minute).control(context.Background(), network, address, nil)
}
