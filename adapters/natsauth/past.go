package natsauth

import (
	"context"
	"log/slog"
	"time"
)

// A past is what a follower knows of the stream from earlier readings. That the stream was
// replaced, or set back to an older copy, while nobody could reach it would be seen by
// nobody else: it is read from the beginning then, and has an end as any other.
type past struct {
	created   time.Time // zero means that nothing was read yet
	seen      uint64
	witnesses witnesses
}

// remember makes the current pass the past, unless it ended before it was compared.
func (f *follower) remember() {
	if f.compared || f.past.created.IsZero() {
		f.past = past{created: f.stream.created, seen: f.seen, witnesses: f.witnesses}
	}
}

// pastWitness returns an entry of the past that the stream has to have, or nil.
func (f *follower) pastWitness() *message {
	if f.compared {
		return nil
	}
	return f.past.witnesses.best(f.log.natsNow())
}

// compare writes one line if the stream has lost what it had: who follows still has that,
// and who starts from now on has not.
func (f *follower) compare(ctx context.Context, r reading) {
	if f.compared {
		return
	}
	f.compared = true
	if p := f.past; p.created.IsZero() || p.created.Equal(f.stream.created) && r.end >= p.seen && !r.gone {
		return
	}
	f.log.logger.LogAttrs(ctx, slog.LevelError, "the stream has lost revocations: servers that start from now on do not know them: "+
		"revoke again what has to stay revoked", slog.String("stream", f.log.revocations.config.Name), slog.String("error", errReplaced.Error()),
		slog.Uint64("had", f.past.seen), slog.Uint64("has", r.end))
}
