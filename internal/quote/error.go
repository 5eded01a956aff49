package quote

import (
	"errors"
	"net/url"
	"strings"
)

// maxError is what is told of an error, in bytes.
const maxError = 200

// Error returns an error whose text is one line and not long. It is for failures below
// HTTP, since net/http repeats parts of an answer that it could not parse, however long.
func Error(err error) error { return &cutError{err} }

// WithoutURL removes the layers with which net/http repeats addresses, queries
// included: a person knows it, and a log need not have it.
func WithoutURL(err error) error {
	for {
		failed, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = failed.Err // in which there may be another, of whom a transport asked first
	}
}

type cutError struct{ err error }

func (e *cutError) Unwrap() error { return e.err }

func (e *cutError) Error() string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, e.err.Error())
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError], "") + "..."
	}
	return s
}
