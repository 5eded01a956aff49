package otelauth_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/oidcauth/oidcauth/adapters/otelauth"
	"github.com/oidcauth/oidcauth/authtrace"
)

// A brokenProvider makes instruments that panic when they are used.
type brokenProvider struct{ embedded.MeterProvider }

func (brokenProvider) Meter(string, ...metric.MeterOption) metric.Meter {
	return brokenMeter{noop.NewMeterProvider().Meter("")}
}

type brokenMeter struct{ metric.Meter }

func (brokenMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return brokenCounter{}, nil
}

func (brokenMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return brokenHistogram{}, nil
}

type brokenCounter struct{ noop.Int64Counter }

func (brokenCounter) Add(context.Context, int64, ...metric.AddOption) { panic("of Add") }

type brokenHistogram struct{ noop.Float64Histogram }

func (brokenHistogram) Record(context.Context, float64, ...metric.RecordOption) { panic("of Record") }

// The program's own hooks are told, after those of the package, when a provider panics, too.
func TestHooks_AlsoOfABrokenProvider(t *testing.T) {
	t.Parallel()
	var called []string
	note := func(name string) { called = append(called, name) }
	h, err := otelauth.New(otelauth.Config{MeterProvider: brokenProvider{}, TracerProvider: sdktrace.NewTracerProvider(), Hooks: &authtrace.Hooks{
		Decided: func(context.Context, authtrace.Decision) { note("decided") }, Ticket: func(context.Context, authtrace.Decision) { note("ticket") },
		KeysFetched:    func(authtrace.KeyFetch) { note("fetched") },
		SessionRenewed: func(authtrace.Session) { note("renewed") }, SessionEnded: func(authtrace.Session) { note("ended") },
		Revoked: func(authtrace.Revocation) { note("revoked") }, Missed: func(authtrace.Missed) { note("missed") },
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := authtrace.Decision{Outcome: authtrace.Accepted, Status: 200, Start: time.Now()}
	for i, call := range []func(){
		func() { h.Decided(t.Context(), d) }, func() { h.Ticket(t.Context(), d) }, func() { h.KeysFetched(authtrace.KeyFetch{}) },
		func() { h.SessionRenewed(authtrace.Session{}) }, func() { h.SessionEnded(authtrace.Session{}) },
		func() { h.Revoked(authtrace.Revocation{}) }, func() { h.Missed(authtrace.Missed{}) },
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); v != "of Add" && v != "of Record" {
					t.Errorf("call %d: panic %s, want that of the provider", i, v)
				}
			}()
			call()
		}()
	}
	if want := []string{"decided", "ticket", "fetched", "renewed", "ended", "revoked", "missed"}; !slices.Equal(called, want) {
		t.Errorf("called %q, want %q", called, want)
	}
}
