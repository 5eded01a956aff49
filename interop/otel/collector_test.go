// Package otel sends what adapters/otelauth measures to the OpenTelemetry Collector's
// own receiver.
package otel

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/otelauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/ports"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A collector is the receiver of an OpenTelemetry Collector, and what it has received.
type collector struct {
	address string
	traces  consumertest.TracesSink
	metrics consumertest.MetricsSink
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{address: ports.ReserveFor(t).Address()}
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	settings := map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": c.address}}}
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	set := receivertest.NewNopSettings(factory.Type())
	traces, err := factory.CreateTraces(t.Context(), set, cfg, &c.traces)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := factory.CreateMetrics(t.Context(), set, cfg, &c.metrics)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []interface {
		Start(context.Context, component.Host) error
		Shutdown(context.Context) error
	}{traces, metrics} {
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Shutdown(context.Background()) })
	}
	return c
}

// The Collector takes what is sent, and finds in it what the package says, and no token.
func TestCollector(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := startCollector(t)
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(c.address), otlptracehttp.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	points, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(c.address), otlpmetrichttp.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points, sdkmetric.WithInterval(time.Hour))))
	fresh := make(chan struct{})
	hooks, err := otelauth.New(otelauth.Config{MeterProvider: meters, TracerProvider: tracers, Hooks: &authtrace.Hooks{
		KeysState: func(s authtrace.KeyState) {
			if s.To == authtrace.Fresh {
				close(fresh)
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(), Trace: hooks,
	})
	if err != nil {
		t.Fatal(err)
	}
	request, span := tracers.Tracer("test").Start(ctx, "request")
	token := issuer.Token(map[string]any{"aud": "my-db", "sub": "mallory"})
	claims, err := auth.Authenticate(request, token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Authenticate(request, issuer.Token(map[string]any{"aud": "other", "sub": "mallory"})); err == nil {
		t.Error("a token for another audience is accepted")
	}
	auth.NewSession(request, claims)
	span.End()
	<-fresh
	if err := meters.ForceFlush(ctx); err != nil { // while its keys are in a state
		t.Errorf("sending to the Collector: %v", err)
	}
	auth.Close() // what waits is told
	for _, flush := range []func(context.Context) error{tracers.Shutdown, meters.Shutdown} {
		if err := flush(ctx); err != nil {
			t.Errorf("sending to the Collector: %v", err)
		}
	}
	text := c.text(t)
	for _, want := range []string{
		`"name":"oidcauth authenticate"`, `"name":"oidcauth keys fetch"`, `"name":"request"`,
		`"name":"oidcauth.authentication.duration"`, `"name":"oidcauth.session.duration"`, `"name":"oidcauth.session.active"`, `"name":"oidcauth.keys.state"`,
		`"key":"error.type","value":{"stringValue":"audience"}`, `"key":"oidcauth.issuer","value":{"stringValue":"` + issuer.URL() + `"}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the Collector has no %s", want)
		}
	}
	if strings.Contains(text, "mallory") || strings.Contains(text, token) || strings.Contains(text, "eyJ") {
		t.Error("the Collector has the subject or the token")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// text returns all that was received, as JSON.
func (c *collector) text(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, traces := range c.traces.AllTraces() {
		text, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, metrics := range c.metrics.AllMetrics() {
		text, err := new(pmetric.JSONMarshaler).MarshalMetrics(metrics)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
