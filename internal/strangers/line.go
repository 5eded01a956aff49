package strangers

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// How questions about opaque tokens that nobody knows yet are bounded, for one issuer.
const (
	questionPlaces = 16
	questionRate   = 100 // a second, and as many at once after a pause
	questionTime   = 5 * time.Second
)

// A Line is where questions stand that anybody can cause. It has so many under way at
// once and so many a second, and the caller has the next turn who had none for the
// longest time. All methods are safe for concurrent use.
type Line struct{ turns *turns }

// NewLine returns a Line for the questions that one issuer is asked.
func NewLine() *Line {
	t := newTurns(questionPlaces, maxWaiting, questionRate, questionRate)
	t.lent = questionTime
	return &Line{t}
}

// Stand stands in line for a caller, who is what [Account] returns. The error is a
// [*keyset.PostponedError] when too many stand there already, and [ErrClosed] after
// Close. Whoever gets a Place must call its End.
func (l *Line) Stand(ctx context.Context, caller netip.Addr) (*Place, error) {
	t, err := l.turns.ask(ctx, []netip.Addr{caller})
	if err != nil {
		return nil, err
	}
	return &Place{t}, nil
}

// Close turns everybody away, now and later.
func (l *Line) Close() { l.turns.close() }

// A Place is one in a [Line].
type Place struct{ turn *turn }

// Share puts the turn on the account of one more caller.
func (p *Place) Share(caller netip.Addr) { p.turn.share(caller) }

// Wait returns nil when the turn has come, and else why it will not.
func (p *Place) Wait() error { return p.turn.wait() }

// Context returns a context that ends when the turn does, which may be taken away for
// one of a caller who has fewer.
func (p *Place) Context() context.Context { return p.turn.ctx }

// Lost returns why the turn will not come, or was taken away; nil while neither is so.
func (p *Place) Lost() error {
	if p.turn.decided() && p.turn.err != nil {
		return p.turn.err
	}
	return context.Cause(p.turn.ctx)
}

// End gives the turn up. It may be called more than once.
func (p *Place) End() { p.turn.end() }

// RetryAfter returns when one who was turned away may ask again, zero if err says
// nothing of that.
func RetryAfter(err error) time.Duration {
	if postponed, ok := errors.AsType[*keyset.PostponedError](err); ok {
		return postponed.RetryAfter
	}
	return 0
}
