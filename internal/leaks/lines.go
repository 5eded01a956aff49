package main

import (
	"bytes"
	"iter"
)

// Of a line that has no end this much is searched at once, and the end of it again with
// what follows, as a token may begin there.
const (
	longest = 64 << 10 // bytes
	overlap = 8 << 10
)

// lines searches a text that comes in pieces, line by line: a token is found although
// it came in two.
type lines struct {
	search func(line []byte) []leak
	rest   []byte // the line that has not ended
}

// find takes the next piece. It yields what is found in what is whole by now, and the
// line of each.
func (l *lines) find(piece []byte) iter.Seq2[leak, string] {
	return func(yield func(found leak, line string) bool) {
		l.rest = append(l.rest, piece...)
		done := 0
		defer func() { l.rest = append(l.rest[:0], l.rest[done:]...) }()
		for {
			line := l.rest[done:]
			next := bytes.IndexByte(line, '\n') + 1
			if next > 0 {
				line = line[:next]
			} else if len(line) >= longest {
				next = len(line) - overlap
			} else {
				return
			}
			for _, found := range l.search(line) {
				if !yield(found, string(line)) {
					return
				}
			}
			done += next
			if line[len(line)-1] != '\n' {
				return
			}
		}
	}
}

// end yields what is found in a line that never ended.
func (l *lines) end() iter.Seq2[leak, string] {
	return l.find([]byte("\n"))
}
