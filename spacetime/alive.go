package spacetime

import (
	"context"
	"io"
	"math"
	"time"
)

// pingInterval is between two questions whether a client is still there, and as long may
// the answer take.
const pingInterval = 30 * time.Second

// watch asks the client again and again whether it is there, and calls gone once it is
// not. It ends with ctx. Nobody waits between two questions, so that a quiet client costs
// no goroutine for this. To be called once ctx has ended, forget runs the timer for the
// last time: the runtime holds on to one that is only stopped, and that to the connection.
func (c *Conn) watch(ctx context.Context, gone func()) (forget func()) {
	var next *time.Timer
	next = time.AfterFunc(math.MaxInt64, func() {
		switch {
		case c.isGone(ctx):
			gone()
		case ctx.Err() == nil:
			next.Reset(pingInterval)
		}
	})
	next.Reset(pingInterval)
	return func() { next.Reset(0) }
}

// isGone asks the client whether it is there, and reports whether no answer came that
// could have. None can come while the program does not read, as while it answers a
// message, and a message that is being written holds the question up.
func (c *Conn) isGone(ctx context.Context) bool {
	reads, idle := c.idle()
	if !idle {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, pingInterval)
	defer cancel()
	if c.socket.Ping(limited) == nil || limited.Err() == nil || ctx.Err() != nil {
		return false // it is there, the question was not sent, or the connection has ended
	}
	since, idle := c.idle()
	return idle && since == reads // a client that has sent something is there
}

// idle reports whether the program waits for a message, and writes none. It returns a
// number that changes with every piece of a message that is read.
func (c *Conn) idle() (reads int64, idle bool) {
	reads = c.reads.Load()
	return reads, reads%2 == 1 && c.writes.Load() == 0
}

// pieceBytes is how much of a message has to arrive to count as something. All of it is
// waited for at once.
const pieceBytes = 4 << 10

// readPieces reads a message. Its client is there while it arrives, however long that
// takes, and cannot answer a ping: that would have to wait behind the message.
func (c *Conn) readPieces(ctx context.Context) ([]byte, error) {
	_, from, err := c.socket.Reader(ctx)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(pieces{from, c})
}

// pieces are those of a message, which its connection counts.
type pieces struct {
	from io.Reader
	conn *Conn
}

// Read implements [io.Reader].
func (p pieces) Read(into []byte) (int, error) {
	n, err := p.from.Read(into[:min(len(into), pieceBytes)])
	if n > 0 {
		p.conn.reads.Add(2) // odd as before
	}
	return n, err
}
