package otelauth

import (
	"context"
	"errors"
	"net/url"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/oidcauth/oidcauth/authtrace"
)

// A measurement is what distinguishes measurements: there are few.
type measurement struct {
	issuer, failed, end, by string
	remembered, isDecision  bool
	anonymous               bool
}

// optionOf returns the attributes of a measurement, which are made once: most are of
// tokens that are remembered, and those take no time. They are kept by issuer, so that one
// that leaves is not looked for among those of all.
func (o *observer) optionOf(m measurement) metric.MeasurementOption {
	of, found := o.options.Load(m.issuer)
	if !found {
		of, _ = o.options.LoadOrStore(m.issuer, new(sync.Map))
	}
	known := of.(*sync.Map)
	if option, found := known.Load(m); found {
		return option.(metric.MeasurementOption)
	}
	option := metric.WithAttributeSet(attribute.NewSet(m.attributes()...))
	known.Store(m, option)
	return option
}

func (m measurement) attributes() (attrs []attribute.KeyValue) {
	for _, a := range []attribute.KeyValue{
		keyIssuer.String(m.issuer), semconv.ErrorTypeKey.String(m.failed), keyEnd.String(m.end), keyBy.String(m.by),
	} {
		if a.Value.AsString() != "" {
			attrs = append(attrs, a)
		}
	}
	if m.isDecision {
		attrs = append(attrs, keyRemembered.Bool(m.remembered))
	}
	if m.anonymous {
		attrs = append(attrs, keyAnonymous.Bool(true))
	}
	return attrs
}

// failed returns the outcome of a decision unless it is that all is well.
func failed(d authtrace.Decision) string {
	if d.Outcome == authtrace.Accepted || d.Outcome == authtrace.Anonymous {
		return ""
	}
	return d.Outcome
}

func (o *observer) decided(ctx context.Context, d authtrace.Decision) {
	if o.also.Decided != nil {
		defer o.also.Decided(ctx, d) // also if a provider panics
	}
	m := measurement{issuer: d.Issuer, failed: failed(d), remembered: d.Remembered, isDecision: true, anonymous: d.Outcome == authtrace.Anonymous}
	o.decisions.Record(ctx, d.Duration.Seconds(), o.optionOf(m))
	if !d.Remembered {
		o.trace(ctx, "oidcauth authenticate", d)
	}
}

func (o *observer) ticket(ctx context.Context, d authtrace.Decision) {
	if o.also.Ticket != nil {
		defer o.also.Ticket(ctx, d) // also if a provider panics
	}
	o.tickets.Record(ctx, d.Duration.Seconds(), o.optionOf(measurement{issuer: d.Issuer, failed: failed(d)}))
	o.trace(ctx, "oidcauth ticket", d)
}

// trace adds a span to the trace of the call, if it has one.
func (o *observer) trace(ctx context.Context, name string, d authtrace.Decision) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	attrs := measurement{issuer: d.Issuer, failed: failed(d), anonymous: d.Outcome == authtrace.Anonymous}.attributes()
	if d.Check != "" {
		attrs = append(attrs, keyCheck.String(d.Check))
	}
	_, span := o.tracer.Start(ctx, name, trace.WithTimestamp(d.Start), trace.WithAttributes(attrs...))
	if d.Status >= 500 {
		span.SetStatus(codes.Error, d.Outcome)
	}
	span.End(trace.WithTimestamp(d.Start.Add(d.Duration)))
}

func (o *observer) keysFetched(f authtrace.KeyFetch) {
	if o.also.KeysFetched != nil {
		defer o.also.KeysFetched(f) // also if a provider panics
	}
	kind := errorType(f.Err)
	o.fetches.Record(context.Background(), f.Duration.Seconds(), o.optionOf(measurement{issuer: f.Issuer, failed: kind}))
	attrs := append(measurement{issuer: f.Issuer, failed: kind}.attributes(), keyLookup.Bool(f.Lookup))
	if at, err := url.Parse(f.URL); err == nil && f.Issuer != "" && at.Host != "" { // not what a stranger wrote
		attrs = append(attrs, semconv.ServerAddress(at.Hostname()))
	}
	_, span := o.tracer.Start(context.Background(), "oidcauth keys fetch", trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(f.Start), trace.WithAttributes(attrs...))
	if f.Err != nil {
		span.SetStatus(codes.Error, kind)
	}
	span.End(trace.WithTimestamp(f.Start.Add(f.Duration)))
}

// errorType returns the kind of an error, of which there are few whatever it says.
func errorType(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

func (o *observer) sessionStarted(s authtrace.Session) {
	o.live.Store(int64(s.Live))
	if o.also.SessionStarted != nil {
		o.also.SessionStarted(s)
	}
}

func (o *observer) sessionRenewed(s authtrace.Session) {
	if o.also.SessionRenewed != nil {
		defer o.also.SessionRenewed(s) // also if a provider panics
	}
	o.renewals.Add(context.Background(), 1, o.optionOf(measurement{issuer: s.Issuer}))
}

func (o *observer) sessionEnded(s authtrace.Session) {
	if o.also.SessionEnded != nil {
		defer o.also.SessionEnded(s) // also if a provider panics
	}
	o.live.Store(int64(s.Live))
	o.sessions.Record(context.Background(), max(0, s.At.Sub(s.Started)).Seconds(), o.optionOf(measurement{issuer: s.Issuer, end: s.Outcome}))
}

func (o *observer) revoked(r authtrace.Revocation) {
	if o.also.Revoked != nil {
		defer o.also.Revoked(r) // also if a provider panics
	}
	o.revocations.Add(context.Background(), 1, o.optionOf(measurement{issuer: r.Issuer, by: r.By}))
}

func (o *observer) missed(m authtrace.Missed) {
	if o.also.Missed != nil {
		defer o.also.Missed(m) // also if a provider panics
	}
	o.live.Store(int64(m.Live))
	o.lost.Add(context.Background(), int64(m.Events))
}
