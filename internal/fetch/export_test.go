package fetch

import (
	"context"
	"net/http"
	"time"
)

// What the tests look at without a network: two decisions, and what headers say.
var (
	ParseMetadata = parseMetadata
	Refusal       = refusal
	Freshness     = freshness
	RetryAfter    = retryAfter
)

// OwnTransport is the transport of a client that was given none.
func OwnTransport() *http.Transport { return ownTransport(time.Minute) }

// NoticingCopy is what those who are given no transport use in place of net/http's own.
func NoticingCopy(like *http.Transport) *http.Transport { return noticingCopy(like) }

// GuardTransport is what happens to a transport before it may meet strangers.
func GuardTransport(t *http.Transport, timeout time.Duration) {
	guardTransport(t, newGuard(Config{}, timeout), timeout)
}

// ControlOf is what the guard of a configuration says to the last of several sockets
// that are about to be connected, one after the other, for one connection.
func ControlOf(cfg Config, addresses ...string) (err error) {
	ctx := context.WithValue(context.Background(), attemptsKey{}, new(attempts))
	for _, address := range addresses {
		err = newGuard(cfg, time.Minute).control(ctx, "tcp", address, nil)
	}
	return err
}

// Control is what a guard says to a socket that is about to be connected.
func Control(network, address string) error {
	return newGuard(Config{}, time.Minute).control(context.Background(), network, address, nil)
}
