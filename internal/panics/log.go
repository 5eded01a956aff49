package panics

import (
	"context"
	"errors"
	"log/slog"
)

// Logger returns the program's logger as it is safe to write to from goroutines of the
// library, and with locks held: a panic of its handler, or of a value that it writes, is
// none of the caller's. The line is then written once more, with the panic in place of
// its attributes. Nil writes nowhere.
func Logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(handler{l.Handler()})
}

type handler struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() { _ = recover() }()
	return h.Handler.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	err := h.handle(ctx, r)
	if errors.Is(err, Err) {
		plain := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
		plain.AddAttrs(slog.String("log", err.Error()))
		_ = h.handle(ctx, plain)
	}
	return err
}

func (h handler) handle(ctx context.Context, r slog.Record) (err error) {
	defer Catch(&err)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) (next slog.Handler) {
	defer h.keep(&next)
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) (next slog.Handler) {
	defer h.keep(&next)
	return handler{h.Handler.WithGroup(name)}
}

// keep has the handler stay as it is if the method that defers it panics.
func (h handler) keep(next *slog.Handler) {
	if recover() != nil {
		*next = h
	}
}
