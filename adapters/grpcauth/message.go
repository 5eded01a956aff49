package grpcauth

import (
	"log/slog"
	"runtime"

	"github.com/oidcauth/oidcauth/internal/panics"
)

// An outcome is what became of a function in another goroutine.
type outcome struct {
	err      error
	returned bool
	panicked any // nil, if it did not return, of an end of the goroutine
}

// outcomeOf calls f in a goroutine of its own and tells what became of it. A panic there, of
// a codec or of the stream of an interceptor before the guard, would end the process: nobody
// can recover from it there. Where it was is logged, which whoever recovers from it in the
// handler's goroutine cannot tell any more.
func (s *serverStream) outcomeOf(f func(any) error, m any) <-chan outcome {
	done := make(chan outcome, 1) // nobody may wait any more
	go func() {
		var o outcome
		defer func() {
			if v := recover(); v != nil {
				o.panicked = v
				s.logPanic(panics.Error(v))
			}
			done <- o
		}()
		o.err = f(m)
		o.returned = true
	}()
	return done
}

// here has what became of the function become of the caller.
func (o outcome) here() error {
	switch {
	case o.returned:
	case o.panicked != nil:
		panic(o.panicked)
	default:
		runtime.Goexit()
	}
	return o.err
}

func (s *serverStream) logPanic(err error) {
	s.guard.logger.LogAttrs(s.ctx, slog.LevelError, "a stream's message panicked",
		append([]slog.Attr{slog.String("reason", err.Error())}, attrsOf(s.ctx, s.method, err)...)...)
}
