package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// What waits for one client, in messages and in bytes; beyond, it is too slow and
	// loses its connection.
	maxWaiting      = 256
	maxWaitingBytes = 16 << 20 // several times all rows there are

	writeLimit = 10 * time.Second // for one message, and at the end for all that is left
)

// An outbox holds what is yet to be sent to one client. A goroutine sends it while
// there is something, so that a client who is told nothing costs none.
type outbox struct {
	socket  *socket
	limit   *time.Timer   // of the message that is being sent
	parting time.Duration // what all has that is left once the socket is to be closed
	over    chan struct{} // closed once the client has been told why the socket ends, or could not be

	mu      sync.Mutex // guards all below
	waiting [][]byte
	bytes   int // of all that waits
	sending bool
	ended   bool
}

// newOutbox begins to send to k's client. When k is to be closed, it tells the client
// why, and closes the connection.
func newOutbox(k *socket) *outbox {
	o := &outbox{socket: k, parting: writeLimit, over: make(chan struct{})}
	o.limit = time.AfterFunc(writeLimit, func() { k.conn.CloseNow() }) // ends the reader, too
	o.limit.Stop()
	context.AfterFunc(k.closed, o.part)
	return o
}

// part has the client told why the socket ends, in so much time: one that takes what
// waits for it by the spoonful, or does not go, holds up nobody who waits for the end. The
// connection is broken off by an end that has come already: CloseNow would wait for the
// Close under way, which has no limit of its own in each case.
func (o *outbox) part() {
	limit := time.AfterFunc(o.parting, func() { o.socket.conn.CloseRead(o.socket.closed) })
	defer limit.Stop()
	o.wake()
	<-o.over
}

// pass is put for what a subscription brings: once the socket is to be closed, its
// client may have no more of that.
func (o *outbox) pass(message []byte) {
	if o.socket.closed.Err() == nil {
		o.put(message)
	}
}

// put never blocks: a client that does not read loses its connection, and gets all
// rows anew with the next.
func (o *outbox) put(message []byte) {
	o.mu.Lock()
	full := len(o.waiting) == maxWaiting || o.bytes >= maxWaitingBytes
	if !full && !o.ended {
		o.waiting = append(o.waiting, message)
		o.bytes += len(message)
	}
	o.mu.Unlock()
	if full {
		o.socket.end(errSlow)
	}
	o.wake()
}

// wake has somebody send what there is.
func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.sending && !o.ended {
		o.sending = true
		go o.send()
	}
}

// send sends until nothing waits. If the socket is to be closed, it says why behind
// the last message, so that a person who was sent away reads who did it. It does not
// stop when the session ends: a write that is broken off takes the connection with it
// before the client is told.
func (o *outbox) send() {
	for {
		message, last := o.next()
		switch {
		case last:
			o.socket.conn.Close(closeCode(context.Cause(o.socket.closed)))
			close(o.over)
			return
		case message == nil:
			return
		case !o.write(message):
			o.socket.conn.CloseNow() // ends the reader
			o.abandon()
			return
		}
	}
}

// busy reports whether something is being sent.
func (o *outbox) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sending
}

func (o *outbox) write(message []byte) bool {
	o.limit.Reset(writeLimit)
	defer o.limit.Stop()
	return o.socket.conn.Write(context.Background(), websocket.MessageText, message) == nil
}

// next takes the message that is to be sent next. Without one, last tells whether the
// socket is to be closed; otherwise this goroutine's work is done.
func (o *outbox) next() (message []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) > 0 {
		message = o.waiting[0]
		o.waiting = slices.Delete(o.waiting, 0, 1)
		o.bytes -= len(message)
		return message, false
	}
	o.sending, o.ended = false, o.socket.closed.Err() != nil
	return nil, o.ended
}

// abandon gives up what waits for a client that has gone.
func (o *outbox) abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting, o.bytes, o.sending, o.ended = nil, 0, false, true
	close(o.over)
}
