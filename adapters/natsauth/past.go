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
	created   time.Time
	seen      uint64 // zero means that nothing was read yet
	witnesses witnesses
}

// lasts reports whether anything of it is not over, by the clock of NATS.
func (p *past) lasts(now time.Time) bool {
	return len(p.witnesses) > 0 && p.witnesses[0].end.After(now)
}

// remember makes the current pass the past, unless it ended before it was compared, or had
// come as far: a connection that comes and goes must not make it forget.
func (f *follower) remember() {
	if f.past.seen == 0 || f.compared && f.seen >= f.past.seen {
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
// and who starts from now on has not. Of what is over by then nothing is lost.
func (f *follower) compare(ctx context.Context, r reading) {
	if f.compared {
		return
	}
	f.compared = true
	had := f.past
	if had.created.Equal(f.stream.created) && r.end >= had.seen && !r.gone {
		return
	}
	f.past = past{}
	if !had.lasts(f.log.natsNow()) {
		return
	}
	f.log.logger.LogAttrs(ctx, slog.LevelError, "the stream has lost revocations: servers that start from now on do not know them: "+
		"revoke again what has to stay revoked", slog.String("stream", f.log.revocations.config.Name), slog.String("error", errReplaced.Error()),
		slog.Uint64("had", had.seen), slog.Uint64("has", r.end))
}
