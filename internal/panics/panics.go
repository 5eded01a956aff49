// Package panics makes errors of the panics of a program's functions, which are
// called from goroutines that the program does not own.
package panics

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Err says that a function of the program's did not return.
var Err = errors.New("the function panicked, or ended its goroutine")

// Error tells of a recovered value and where the panic was, and of the value itself
// nothing that could be a secret: what a function is given often stands in it. It
// must be called by the deferred function that recovered; [Catch] is one.
func Error(v any) error {
	if fault, ok := v.(runtime.Error); ok {
		return fmt.Errorf("%w at %s: %v", Err, place(), fault)
	}
	return fmt.Errorf("%w at %s with a value of type %T", Err, place(), v)
}

// Catch makes an error of a panic of the function that defers it.
func Catch(err *error) {
	if v := recover(); v != nil {
		*err = Error(v)
	}
}

// Run calls f in a goroutine of its own and waits for it. A panic of f, or of its error
// (see [Try]), is an error, and so is an end of the goroutine ([runtime.Goexit]), which
// nobody could catch in this one.
func Run(f func() error) (err error) {
	err = Err
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer Catch(&err)
		result := f()
		Try(result)
		err = result
	}()
	<-done
	return err
}

// Try panics here and now if err does when it is looked at, as a nil pointer may that
// somebody returned as an error: later, nobody would catch that.
func Try(err error) {
	if err != nil {
		_ = err.Error()
		_ = errors.Is(err, Err)
		var nobody interface{ isNoError() }
		_ = errors.As(err, &nobody) // asks all that it wraps
	}
}

// Tellable returns err, or an error in its place if it panics when it is looked at.
func Tellable(err error) (told error) {
	defer Catch(&told)
	Try(err)
	return err
}

// place returns the file and the line of the call that panicked.
func place() string {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(0, counters[:])])
	panicked := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
