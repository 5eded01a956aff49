package strangers

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const floodInterval = time.Minute

// lineLog writes lines that strangers cause, no more than so many. It is called with no
// lock held: the program's handler may be slow, or ask for an issuer itself.
type lineLog struct {
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	lines   budget
	muted   int // lines left out
	flooded time.Time
}

func newLineLog(logger *slog.Logger) lineLog {
	return lineLog{logger: logger, lines: newBudget(1, 10)}
}

// line writes a line unless strangers have caused too many.
func (l *lineLog) line(now time.Time, level slog.Level, text string, attrs ...slog.Attr) {
	muted, may := l.takeLine(now)
	if !may {
		return
	}
	if muted > 0 {
		attrs = append(attrs, slog.Int("lines_left_out", muted))
	}
	l.logger.LogAttrs(context.Background(), level, text, attrs...)
}

// takeLine reports whether there may be a line, and how many were left out before it.
func (l *lineLog) takeLine(now time.Time) (muted int, may bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines.wait(now) > 0 {
		l.muted++
		return 0, false
	}
	l.lines.take()
	muted, l.muted = l.muted, 0
	return muted, true
}

// flood says once a minute that callers are turned away.
func (l *lineLog) flood(now time.Time, issuers, waiting int) {
	if !l.takeFlood(now) {
		return
	}
	l.logger.LogAttrs(context.Background(), slog.LevelWarn, "more unknown issuers than may be contacted",
		slog.Int("waiting", waiting), slog.Int("issuers", issuers))
}

func (l *lineLog) takeFlood(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.flooded.IsZero() && now.Sub(l.flooded) < floodInterval {
		return false
	}
	l.flooded = now
	return true
}
