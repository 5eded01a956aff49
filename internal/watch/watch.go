// Package watch calls the hooks of package authtrace so that they can neither harm nor
// hold up what they observe.
package watch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Watch calls hooks. A nil one has none, and its methods do nothing. It is safe for
// concurrent use.
type Watch struct {
	hooks    authtrace.Hooks
	logger   *slog.Logger
	queue    queue
	names    atomic.Pointer[[]string] // of configured issuers
	states   keyStates
	panicked sync.Map // names of the hooks that did, logged once
}

// New returns a Watch for hooks, which it copies, or nil if there are none.
func New(hooks *authtrace.Hooks, logger *slog.Logger) *Watch {
	if hooks == nil {
		return nil
	}
	w := &Watch{hooks: *hooks, logger: logger}
	w.names.Store(new([]string))
	w.queue.tell = w.tell
	return w
}

// Decides reports whether anybody is told of decisions.
func (w *Watch) Decides() bool { return w != nil && w.hooks.Decided != nil }

// Tickets reports whether anybody is told of tickets.
func (w *Watch) Tickets() bool { return w != nil && w.hooks.Ticket != nil }

// Sessions reports whether anybody is told of sessions.
func (w *Watch) Sessions() bool {
	return w != nil && (w.hooks.SessionStarted != nil || w.hooks.SessionRenewed != nil || w.hooks.SessionEnded != nil || w.hooks.Missed != nil)
}

// Names says which issuers are configured from now on, beside those of which that is
// so at present.
func (w *Watch) Names(now, next []string) {
	if w != nil {
		all := slices.Concat(now, next)
		slices.Sort(all)
		w.names.Store(&all)
	}
}

// Name returns the issuer's URL if it is configured, and otherwise nothing.
func (w *Watch) Name(url string) string {
	if w != nil {
		if _, found := slices.BinarySearch(*w.names.Load(), url); found {
			return url
		}
	}
	return ""
}

// Decided tells of a token or a request that began to be judged at start.
func (w *Watch) Decided(ctx context.Context, start time.Time, issuer string, remembered bool, err error) {
	w.decide("Decided", w.hooks.Decided, ctx, decision(start, issuer, remembered, err))
}

// Anonymous tells of a request without token that was let through.
func (w *Watch) Anonymous(ctx context.Context, start time.Time) {
	d := decision(start, "", false, nil)
	d.Outcome = authtrace.Anonymous
	w.decide("Decided", w.hooks.Decided, ctx, d)
}

// Ticket tells of a ticket that began to be judged at start.
func (w *Watch) Ticket(ctx context.Context, start time.Time, issuer string, err error) {
	w.decide("Ticket", w.hooks.Ticket, ctx, decision(start, issuer, false, err))
}

func decision(start time.Time, issuer string, remembered bool, err error) authtrace.Decision {
	d := authtrace.Decision{
		Outcome: authtrace.Accepted, Status: 200, Issuer: issuer, Remembered: remembered,
		Start: start, Duration: time.Since(start),
	}
	if err != nil {
		d.Outcome, d.Status = refusal.Outcome(err), refusal.Find(err).Status
		d.Check = refusal.CheckOf(err)
	}
	return d
}

// decide calls a hook on the goroutine of whoever asked.
func (w *Watch) decide(name string, hook func(context.Context, authtrace.Decision), ctx context.Context, d authtrace.Decision) {
	defer w.recover(name)
	hook(ctx, d)
}

// recover keeps the panic of a hook from whoever was observed. It must be deferred.
func (w *Watch) recover(name string) {
	value := recover()
	if value == nil {
		return
	}
	if _, before := w.panicked.LoadOrStore(name, nil); before {
		return
	}
	panicked := panics.Error(value)
	defer func() { _ = recover() }() // of the program's logger
	w.logger.LogAttrs(context.Background(), slog.LevelError, "a hook of Config.Trace panicked; its further panics are not logged",
		slog.String("hook", name), slog.String("error", panicked.Error()))
}
