package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// logLines counts the lines of the log that somebody should read, for GET /metrics: what
// collects a log may drop them where refusals flood it, one line each. It is safe for
// concurrent use.
type logLines struct{ warnings, errors atomic.Uint64 }

// counted returns a logger that writes as another one does.
func (l *logLines) counted(logger *slog.Logger) *slog.Logger {
	return slog.New(countingHandler{logger.Handler(), l})
}

// write writes them in the Prometheus text format. It may be called on nil.
func (l *logLines) write(out *strings.Builder) {
	if l == nil {
		return
	}
	const name = "oidcauth_log_lines_total"
	heading(out, name, "Lines of the log, by level: an error is for somebody to look after.")
	fmt.Fprintf(out, "%s{level=\"warn\"} %d\n%s{level=\"error\"} %d\n", name, l.warnings.Load(), name, l.errors.Load())
}

// A countingHandler counts what it hands on.
type countingHandler struct {
	slog.Handler
	lines *logLines
}

// Handle implements [slog.Handler].
func (h countingHandler) Handle(ctx context.Context, r slog.Record) error {
	switch {
	case r.Level >= slog.LevelError:
		h.lines.errors.Add(1)
	case r.Level >= slog.LevelWarn:
		h.lines.warnings.Add(1)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h countingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return countingHandler{h.Handler.WithAttrs(attrs), h.lines}
}

// WithGroup implements [slog.Handler].
func (h countingHandler) WithGroup(name string) slog.Handler {
	return countingHandler{h.Handler.WithGroup(name), h.lines}
}
