package main

import (
	"context"
	"math"
	"time"
)

// Behind a proxy a client can be gone for hours before anything else tells, and many a
// proxy ends a connection on which nothing is said for a minute.
const (
	pingInterval = 45 * time.Second // between two questions whether a client is still there
	pongLimit    = 15 * time.Second // for the answer
)

// keepAlive asks the client again and again, and closes the connection when there is no
// answer. Nobody waits meanwhile: a client who is told nothing costs no goroutine of its
// own for this.
func (k *socket) keepAlive(every, limit time.Duration) (stop func() bool) {
	var next *time.Timer
	next = time.AfterFunc(math.MaxInt64, func() {
		switch {
		case !k.pong(limit):
			k.conn.CloseNow() // ends the reader
		case k.closed.Err() == nil:
			next.Reset(every)
		}
	})
	next.Reset(every)
	return next.Stop
}

// pong reports whether the client answers in time. The end of the session does not break
// this off: the client has yet to be told why it ends.
func (k *socket) pong(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return k.conn.Ping(ctx) == nil
}
