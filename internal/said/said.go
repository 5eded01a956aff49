// Package said keeps what the library says while its tests run, for a look at whether
// a token is in it: log lines, errors, answers. It is for tests, and keeps nothing
// unless the environment variable OIDCAUTH_SAID names a directory, as package leaks
// has it.
package said

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Variable is the environment variable that names the directory.
const Variable = "OIDCAUTH_SAID"

var open = sync.OnceValue(func() *os.File {
	dir := os.Getenv(Variable)
	if dir == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s.%d", filepath.Base(os.Args[0]), os.Getpid())), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic("said: " + err.Error())
	}
	return f
})

// most is how many bytes are kept of a process: a hundred times what the tests of the
// root package say.
const most = 512 << 20

var written atomic.Int64

// Kept reports whether anything is kept.
func Kept() bool { return open() != nil }

// A Writer keeps what is written to it. Its zero value is ready, and safe for
// concurrent use.
type Writer struct{}

// Write implements [io.Writer]. It never fails: what cannot be kept would not be
// searched, so that a full disk, or more than [most] of a process, panics.
func (Writer) Write(text []byte) (int, error) {
	f := open()
	if f == nil {
		return len(text), nil
	}
	if written.Add(int64(len(text))) > most {
		panic("said: a process says more than is kept")
	}
	if _, err := f.Write(text); err != nil {
		panic("said: " + err.Error())
	}
	return len(text), nil
}

// Error keeps the text of an error, and all that it wraps.
func Error(err error) {
	if err != nil && Kept() {
		fmt.Fprintf(Writer{}, "error: %v\n%+v\n", err, err)
	}
}
