package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
)

// smallBuffer is what a socket reads and writes by, in bytes: enough for nearly every
// frame of a chat, and a quarter of what net/http has for requests and answers. What
// is longer goes in several pieces, or past the buffer.
const smallBuffer = 1 << 10

// smallBuffers is an answer whose connection, once it is taken over, has small
// buffers. Thousands of sockets that are quiet most of the time hold little else.
type smallBuffers struct{ http.ResponseWriter }

// Hijack implements [http.Hijacker].
func (w smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, had, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	// What the client sent behind its request goes over into the new buffer.
	n := had.Reader.Buffered()
	ahead, _ := had.Reader.Peek(n)
	reader := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(ahead), conn), max(n, smallBuffer))
	if _, err := reader.Peek(n); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, bufio.NewReadWriter(reader, bufio.NewWriterSize(conn, smallBuffer)), nil
}
