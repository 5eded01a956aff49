package strangers

import (
	"context"
	"log/slog"
	"time"
)

const floodInterval = time.Minute

// lineLog writes lines that strangers cause, no more than so many. It is guarded
// by the lock of its issuers.
type lineLog struct {
	logger  *slog.Logger
	lines   budget
	muted   int // lines left out
	flooded time.Time
}

func newLineLog(logger *slog.Logger) lineLog {
	return lineLog{logger: logger, lines: newBudget(1, 10)}
}

// line writes a line unless strangers have caused too many.
func (l *lineLog) line(now time.Time, level slog.Level, text string, attrs ...slog.Attr) {
	if l.lines.wait(now) > 0 {
		l.muted++
		return
	}
	l.lines.take()
	if l.muted > 0 {
		attrs = append(attrs, slog.Int("lines_left_out", l.muted))
		l.muted = 0
	}
	l.logger.LogAttrs(context.Background(), level, text, attrs...)
}

// flood says once a minute that callers are turned away.
func (l *lineLog) flood(now time.Time, issuers, waiting int) {
	if !l.flooded.IsZero() && now.Sub(l.flooded) < floodInterval {
		return
	}
	l.flooded = now
	l.logger.LogAttrs(context.Background(), slog.LevelWarn, "more unknown issuers than may be contacted",
		slog.Int("waiting", waiting), slog.Int("issuers", issuers))
}
