package guard

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"

	"github.com/oidcauth/oidcauth/internal/asked"
)

// errForbidden is what a handler gets for what it writes in vain.
var errForbidden = errors.New("guard: the request was refused, because its handler has not asked who may")

// A writer holds the answer back until its handler has asked who may.
type writer struct {
	under  http.ResponseWriter
	ctx    context.Context // of the request
	note   *asked.Note
	header http.Header // the handler's, until it is sent and for trailers
	forbid func(what string)
	notify sync.Once
	left   <-chan bool // of CloseNotify, once it was asked for

	begun     bool // the header was sent, or the connection taken over
	forbidden bool // 403 was sent in place of what the handler writes
}

// Header returns the handler's own header, which is sent with the first byte.
func (w *writer) Header() http.Header { return w.header }

// begin sends nothing yet: it reports whether an answer with that status may go
// out, and otherwise makes it 403.
func (w *writer) begin(status int, what string) bool {
	switch {
	case w.forbidden:
		return false
	case w.begun:
		return true
	case !w.note.Granted() && !(w.note.Refused() && status >= 400):
		w.forbidden = true
		w.forbid(what)
		return false
	}
	w.hand()
	w.begun = status >= 200 || status == http.StatusSwitchingProtocols // others come before the answer
	return true
}

// hand makes the header that the handler has set that of the answer.
func (w *writer) hand() {
	to := w.under.Header()
	clear(to)
	maps.Copy(to, w.header)
}

// WriteHeader sends the header with a status.
func (w *writer) WriteHeader(status int) {
	if w.begin(status, "writes a header first") {
		w.under.WriteHeader(status)
	}
}

// Write sends a part of the body.
func (w *writer) Write(p []byte) (int, error) {
	if !w.begin(http.StatusOK, "writes a body first") {
		return 0, errForbidden
	}
	return w.under.Write(p)
}

// WriteString is Write.
func (w *writer) WriteString(s string) (int, error) {
	if !w.begin(http.StatusOK, "writes a body first") {
		return 0, errForbidden
	}
	return io.WriteString(w.under, s)
}

// ReadFrom sends what it reads, a file by the shortest way there is.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if !w.begin(http.StatusOK, "writes a body first") {
		return 0, errForbidden
	}
	return io.Copy(w.under, r)
}

// FlushError sends what has been written.
func (w *writer) FlushError() error {
	if !w.begin(http.StatusOK, "flushes first") {
		return errForbidden
	}
	return http.NewResponseController(w.under).Flush()
}

// Flush is FlushError.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack takes the connection over.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	begun := w.begun
	if !w.begin(http.StatusSwitchingProtocols, "takes the connection over first") {
		return nil, nil, errForbidden
	}
	conn, rw, err := http.NewResponseController(w.under).Hijack()
	if err != nil && !begun {
		w.begun = false // there is an answer to come, which says so
	}
	return conn, rw, err
}

// CloseNotify tells that the client has left, as the writers of net/http do: whoever asks
// for it, gin's streams for instance, panics where there is none. Nothing of an answer
// leaves the server by it. Each call returns the same channel, as theirs do: a loop may ask
// before each thing that it sends.
func (w *writer) CloseNotify() <-chan bool {
	w.notify.Do(func() {
		left := make(chan bool, 1)
		w.left = left
		context.AfterFunc(w.ctx, func() { left <- true })
	})
	return w.left
}

// Unwrap is for [http.ResponseController], to set deadlines.
func (w *writer) Unwrap() http.ResponseWriter { return w.under }

// end is called when the handler has returned.
func (w *writer) end() {
	if w.begun && !w.forbidden {
		maps.Copy(w.under.Header(), w.header) // trailers
		return
	}
	w.begin(http.StatusOK, "ends without an answer") // without a body: the server sends the header
}
