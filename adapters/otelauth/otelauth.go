// Package otelauth makes OpenTelemetry metrics and spans of what an
// [oidcauth.Authenticator] does:
//
//	hooks, err := otelauth.New(otelauth.Config{})
//	…
//	auth, err := oidcauth.New(oidcauth.Config{Issuers: issuers, Trace: hooks})
//
// # Metrics
//
//	oidcauth.authentication.duration  histogram, s   of each token that was accepted or refused
//	oidcauth.ticket.duration          histogram, s   of each ticket
//	oidcauth.session.active           up-down        sessions that live
//	oidcauth.session.duration         histogram, s   of each session that ended
//	oidcauth.session.renewals         counter        of sessions
//	oidcauth.revocations              counter        that began to hold
//	oidcauth.keys.fetch.duration      histogram, s   of each fetch of an issuer's keys
//	oidcauth.keys.state               up-down        1 for the state that an issuer's keys are in
//	oidcauth.events.missed            counter        what was not told, for want of room
//
// Their attributes are "error.type", the outcome of what was refused or failed, as
// [authtrace.Decision] has it, and absent where all went well; "oidcauth.issuer", the
// configured issuer, absent for any other; "oidcauth.remembered" of tokens that were
// verified before; "oidcauth.anonymous" of requests without token that Optional let
// through; "oidcauth.session.end", why a session ended; "oidcauth.keys.state";
// and "oidcauth.revocation.by". None is what a caller or a stranger's issuer chose, so
// that their number is bounded. The state of an issuer's keys is told while it has one: not
// before a token has needed them, nor once none has for a day, or SetIssuers has removed it.
// What was counted stays with the SDK.
//
// The SDK keeps 2,000 combinations of attributes for each instrument, and makes one of all
// that come later, "otel.metric.overflow". The state of keys has four for each issuer, and
// those of issuers whose keys are gone or stale are told first. How long tokens took can have
// forty for each, most of which anybody can bring about with tokens that name it. With more
// than fifty issuers give the provider a limit of its own, with WithCardinalityLimit of
// go.opentelemetry.io/otel/sdk/metric.
//
// # Spans
//
// "oidcauth authenticate" and "oidcauth ticket" are children of the span in the context
// of the call, a request's for instance, and "oidcauth keys fetch" stands alone. There
// is no span for a token that was remembered, which takes a thousandth of the time of a
// span, and none that begins a trace of its own for a token. A span is an error where the
// server cannot tell (503) or failed, not where a caller is refused, as the conventions
// have it for servers of HTTP.
//
// Neither tokens nor claims are in any of them.
package otelauth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/oidcauth/oidcauth/authtrace"
)

// scope names the instrumentation.
const scope = "github.com/oidcauth/oidcauth/adapters/otelauth"

// Config says where metrics and spans go.
type Config struct {
	// MeterProvider makes the instruments. Nil means the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider makes the spans. Nil means the global one.
	TracerProvider trace.TracerProvider

	// Hooks are called as well, after those of this package. Nil means none.
	Hooks *authtrace.Hooks
}

// New returns hooks for oidcauth.Config.Trace, which are for one Authenticator: another
// would count its sessions as those of the first. Call it for each: where several have one
// MeterProvider, their counts and their sessions add up, and so do the states of an issuer's
// keys that more than one has, until it is closed; give each a provider of its own to tell them
// apart. It keeps nothing running, and what it made stays with the provider.
func New(cfg Config) (*authtrace.Hooks, error) {
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otel.GetMeterProvider()
	}
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider()
	}
	o := &observer{tracer: cfg.TracerProvider.Tracer(scope), states: make(map[string]authtrace.State)}
	if cfg.Hooks != nil {
		o.also = *cfg.Hooks
	}
	if err := o.makeInstruments(cfg.MeterProvider.Meter(scope)); err != nil {
		return nil, fmt.Errorf("otelauth: %w", err)
	}
	return &authtrace.Hooks{
		Decided: o.decided, Ticket: o.ticket,
		KeysFetched: o.keysFetched, KeysState: o.keysState,
		SessionStarted: o.sessionStarted, SessionRenewed: o.sessionRenewed, SessionEnded: o.sessionEnded,
		Revoked: o.revoked, Missed: o.missed,
	}, nil
}

// An observer counts, measures and traces what hooks tell.
type observer struct {
	tracer trace.Tracer
	also   authtrace.Hooks

	decisions, tickets, fetches, sessions metric.Float64Histogram
	renewals, revocations, lost           metric.Int64Counter

	live    atomic.Int64 // sessions
	options sync.Map     // by issuer: a *sync.Map of its measurements' attributes, by measurement

	mu     sync.Mutex // guards states
	states map[string]authtrace.State
}

// makeInstruments makes the instruments that are measured by.
func (o *observer) makeInstruments(m metric.Meter) (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	histogram := func(name, text string, bounds ...float64) metric.Float64Histogram {
		h, e := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(text), metric.WithExplicitBucketBoundaries(bounds...))
		keep(e)
		return h
	}
	counter := func(name, unit, text string) metric.Int64Counter {
		c, e := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(text))
		keep(e)
		return c
	}
	o.decisions = histogram("oidcauth.authentication.duration", "How long it took to accept or refuse a token, waiting for keys included.",
		1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10)
	o.tickets = histogram("oidcauth.ticket.duration", "How long it took to accept or refuse a ticket.",
		1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10)
	o.fetches = histogram("oidcauth.keys.fetch.duration", "How long it took to fetch an issuer's keys.",
		0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
	o.sessions = histogram("oidcauth.session.duration", "How long sessions lived.",
		1, 10, 60, 300, 900, 3600, 4*3600, 24*3600)
	o.renewals = counter("oidcauth.session.renewals", "{renewal}", "Sessions put under another token.")
	o.revocations = counter("oidcauth.revocations", "{revocation}", "Revocations that began to hold.")
	o.lost = counter("oidcauth.events.missed", "{event}", "Events that were not told, because hooks were too slow.")
	observable := func(name, unit, text string) metric.Int64ObservableUpDownCounter {
		c, e := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		keep(e)
		return c
	}
	sessions := observable("oidcauth.session.active", "{session}", "Sessions that live.")
	states := observable("oidcauth.keys.state", "{issuer}", "1 for the state that an issuer's keys are in.")
	if err != nil {
		return err
	}
	return o.beObserved(m, sessions, states)
}

// beObserved has the meter ask for what is not counted by instruments. The callbacks stand
// apart from these: of an instrument that another observer has made before, the SDK leaves out
// those that it is made with.
func (o *observer) beObserved(m metric.Meter, sessions, states metric.Int64Observable) error {
	_, err := m.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		to.ObserveInt64(sessions, o.live.Load())
		o.observeStates(func(value int64, attrs ...attribute.KeyValue) {
			to.ObserveInt64(states, value, metric.WithAttributes(attrs...))
		})
		return nil
	}, sessions, states)
	return err
}

// The attributes that are none of the conventions'.
const (
	keyIssuer     = attribute.Key("oidcauth.issuer")
	keyRemembered = attribute.Key("oidcauth.remembered")
	keyAnonymous  = attribute.Key("oidcauth.anonymous")
	keyCheck      = attribute.Key("oidcauth.check")
	keyEnd        = attribute.Key("oidcauth.session.end")
	keyState      = attribute.Key("oidcauth.keys.state")
	keyBy         = attribute.Key("oidcauth.revocation.by")
	keyLookup     = attribute.Key("oidcauth.keys.lookup")
)
