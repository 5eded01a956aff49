package main

import (
	"context"
	"encoding/json"
	"io"
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
		// The end of the session does not break the question off: the client has yet to
		// be told why it ends.
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		switch {
		case k.gone(ctx):
			k.conn.CloseNow() // ends the reader
		case k.closed.Err() == nil:
			next.Reset(every)
		}
	})
	next.Reset(every)
	return next.Stop
}

// gone asks the client whether it is there, and reports whether ctx ended without an
// answer that could have come. An answer cannot come while a new token is being judged,
// since nobody reads then, nor in the middle of a frame, and who waits for one to a call is
// not asked. A message that is being sent holds the question up: it has a limit of its own.
func (k *socket) gone(ctx context.Context) bool {
	frames, idle := k.idle()
	if !idle || k.conn.Ping(ctx) == nil || ctx.Err() == nil { // the last: the question was not sent
		return false
	}
	since, idle := k.idle()
	return idle && since == frames // a client that has sent something is there
}

// idle reports whether no frame is being answered and nothing is being sent. It returns
// a number that changes with every piece of a frame.
func (k *socket) idle() (frames int64, idle bool) {
	return k.frames.Load(), k.answering.Load() == 0 && !k.outbox.busy()
}

// pieceBytes is how much of a frame has to arrive to count as something.
const pieceBytes = 4 << 10

// readFrame reads the next frame, and counts its pieces. A text that is no frame ends the
// socket.
func (k *socket) readFrame() (f frame, err error) {
	_, from, err := k.conn.Reader(context.Background())
	if err != nil {
		return f, err
	}
	text, err := io.ReadAll(pieces{from, k})
	if err != nil {
		return f, err
	}
	if err = json.Unmarshal(text, &f); err != nil {
		k.end(errNoFrame)
	}
	return f, err
}

// pieces are those of a frame, which its socket counts.
type pieces struct {
	from   io.Reader
	socket *socket
}

// Read implements [io.Reader].
func (p pieces) Read(into []byte) (int, error) {
	n, err := p.from.Read(into[:min(len(into), pieceBytes)])
	if n > 0 {
		p.socket.frames.Add(1)
	}
	return n, err
}
