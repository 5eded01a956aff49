package otelauth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/otelauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A lab has hooks whose metrics and spans stay in memory.
type lab struct {
	hooks  *authtrace.Hooks
	config otelauth.Config
	reader *sdkmetric.ManualReader
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer
}

func newLab(t *testing.T, also *authtrace.Hooks) *lab {
	t.Helper()
	l := &lab{reader: sdkmetric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(l.spans))
	l.tracer = provider.Tracer("test")
	l.config = otelauth.Config{
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(l.reader)),
		TracerProvider: provider, Hooks: also,
	}
	l.hooks = l.further(t)
	t.Cleanup(func() { // what is told to whoever measures and traces is looked through for tokens
		if said.Kept() {
			fmt.Fprintf(said.Writer{}, "points: %q\nspans: %+v\n", l.points(t), l.spans.GetSpans().Snapshots())
		}
	})
	return l
}

// further returns more hooks by the same providers.
func (l *lab) further(t *testing.T) *authtrace.Hooks {
	t.Helper()
	hooks, err := otelauth.New(l.config)
	if err != nil {
		t.Fatal(err)
	}
	return hooks
}

// points returns every point of the metrics as one line: name, attributes, value or count.
func (l *lab) points(t *testing.T) (lines []string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := l.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Unit == "" || m.Description == "" {
				t.Errorf("%s has unit %q, description %q", m.Name, m.Unit, m.Description)
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s%s %d", m.Name, texts(p.Attributes.ToSlice()), p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s%s %d in %gs", m.Name, texts(p.Attributes.ToSlice()), p.Count, p.Sum))
				}
			default:
				t.Errorf("%s is %T", m.Name, data)
			}
		}
	}
	return lines
}

// texts returns attributes as [name=value …].
func texts(attrs []attribute.KeyValue) string {
	all := []string{}
	for _, a := range attrs {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	return fmt.Sprint(all)
}

// What an Authenticator does is measured and traced, without the token and its claims.
func TestHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{URL: "https://i.test"})
		l := newLab(t, nil)
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}, Algorithms: []string{"ES256"}}},
			Client:  issuer.Client(), Trace: l.hooks,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		ctx, request := l.tracer.Start(t.Context(), "request")
		token := issuer.Token(map[string]any{"aud": "my-db", "sub": "mallory", "jti": "t1"})
		claims, err := auth.Authenticate(ctx, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{token, issuer.Token(map[string]any{"aud": "mallory"}), "x"} {
			auth.Authenticate(ctx, other)
		}
		auth.Authenticate(t.Context(), "x") // of nobody's trace
		session := auth.NewSession(ctx, claims)
		auth.NewSession(ctx, claims)
		time.Sleep(time.Minute)
		if _, err := session.Renew(ctx, issuer.Token(map[string]any{"aud": "my-db", "sub": "mallory"})); err != nil {
			t.Fatal(err)
		}
		auth.Revoke(ctx, oidcauth.Revocation{TokenID: "t1"})
		synctest.Wait()
		request.End()
		want := []string{
			`oidcauth.authentication.duration[error.type=audience oidcauth.issuer=https://i.test oidcauth.remembered=false] 1`,
			`oidcauth.authentication.duration[error.type=malformed_token oidcauth.remembered=false] 2`,
			`oidcauth.authentication.duration[oidcauth.issuer=https://i.test oidcauth.remembered=false] 2`,
			`oidcauth.authentication.duration[oidcauth.issuer=https://i.test oidcauth.remembered=true] 1`,
			`oidcauth.keys.fetch.duration[oidcauth.issuer=https://i.test] 1`,
			`oidcauth.keys.state[oidcauth.issuer=https://i.test oidcauth.keys.state=fresh] 1`,
			`oidcauth.keys.state[oidcauth.issuer=https://i.test oidcauth.keys.state=gone] 0`,
			`oidcauth.keys.state[oidcauth.issuer=https://i.test oidcauth.keys.state=none] 0`,
			`oidcauth.keys.state[oidcauth.issuer=https://i.test oidcauth.keys.state=stale] 0`,
			`oidcauth.revocations[oidcauth.revocation.by=token] 1`,
			`oidcauth.session.active[] 1`,
			`oidcauth.session.duration[oidcauth.issuer=https://i.test oidcauth.session.end=revoked] 1 in 60s`,
			`oidcauth.session.renewals[oidcauth.issuer=https://i.test] 1`,
		}
		text := strings.Join(l.points(t), "\n")
		for _, line := range want {
			if !strings.Contains(text, line) {
				t.Errorf("no point %s in\n%s", line, text)
			}
		}
		spans := l.spans.GetSpans()
		var names []string
		for _, s := range spans {
			names = append(names, fmt.Sprintf("%s %s of the request %t", s.Name, texts(s.Attributes), s.Parent.SpanID() == request.SpanContext().SpanID()))
			if s.EndTime.Before(s.StartTime) || s.Status.Code == codes.Error {
				t.Errorf("span %s from %v to %v, %v", s.Name, s.StartTime, s.EndTime, s.Status)
			}
		}
		slices.Sort(names)
		got := strings.Join(names, "\n")
		// Of the remembered token there is none, nor of the one without a trace.
		wantSpans := strings.Join([]string{
			"oidcauth authenticate [error.type=malformed_token oidcauth.check=form] of the request true",
			"oidcauth authenticate [oidcauth.issuer=https://i.test error.type=audience oidcauth.check=audience] of the request true",
			"oidcauth authenticate [oidcauth.issuer=https://i.test] of the request true",
			"oidcauth authenticate [oidcauth.issuer=https://i.test] of the request true",
			"oidcauth keys fetch [oidcauth.issuer=https://i.test oidcauth.keys.lookup=true server.address=i.test] of the request false",
			"request [] of the request false",
		}, "\n")
		if got != wantSpans {
			t.Errorf("spans\n%s\nwant\n%s", got, wantSpans)
		}
		for _, secret := range []string{"mallory", "t1", "my-db", token} {
			if strings.Contains(text+got, secret) {
				t.Errorf("%q is told:\n%s\n%s", secret, text, got)
			}
		}
	})
}

// Spans are errors where the server cannot tell, and not where a caller is refused.
func TestHooks_Status(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	ctx, request := l.tracer.Start(t.Context(), "request")
	start := time.Now()
	for _, tt := range []struct {
		name string
		do   func()
		want codes.Code
	}{
		{"accepted", func() {
			l.hooks.Decided(ctx, authtrace.Decision{Outcome: authtrace.Accepted, Status: 200, Start: start})
		}, codes.Unset},
		{"anonymous", func() {
			l.hooks.Decided(ctx, authtrace.Decision{Outcome: authtrace.Anonymous, Status: 200, Start: start})
			if attrs := fmt.Sprint(l.spans.GetSpans()[0].Attributes); !strings.Contains(attrs, "oidcauth.anonymous") || strings.Contains(attrs, "error.type") {
				t.Errorf("anonymous: attributes %s", attrs)
			}
		}, codes.Unset},
		{"refused", func() { l.hooks.Decided(ctx, authtrace.Decision{Outcome: "expired", Status: 401, Start: start}) }, codes.Unset},
		{"unknown", func() {
			l.hooks.Decided(ctx, authtrace.Decision{Outcome: "keys_unavailable", Status: 503, Start: start})
		}, codes.Error},
		{"a ticket", func() { l.hooks.Ticket(ctx, authtrace.Decision{Outcome: "ticket_used", Status: 401, Start: start}) }, codes.Unset},
		{"fetched", func() { l.hooks.KeysFetched(authtrace.KeyFetch{Start: start}) }, codes.Unset},
		{"not fetched", func() { l.hooks.KeysFetched(authtrace.KeyFetch{Start: start, Err: errors.New("x")}) }, codes.Error},
	} {
		l.spans.Reset()
		tt.do()
		if spans := l.spans.GetSpans(); len(spans) != 1 || spans[0].Status.Code != tt.want {
			t.Errorf("%s: spans %v, want one of status %v", tt.name, spans, tt.want)
		}
	}
	request.End()
}

// What a stranger's issuer wrote is in no attribute, and no error's text.
func TestHooks_Strangers(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for _, err := range []error{nil, errors.New("mallory"), fmt.Errorf("mallory: %w", context.DeadlineExceeded)} {
		l.hooks.KeysFetched(authtrace.KeyFetch{URL: "https://mallory.example/keys", Start: time.Now(), Err: err})
	}
	l.hooks.KeysState(authtrace.KeyState{To: authtrace.Fresh})
	text := strings.Join(l.points(t), "\n")
	for _, want := range []string{"error.type", "_OTHER", "timeout"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if all := fmt.Sprint(text, l.spans.GetSpans().Snapshots()); strings.Contains(all, "mallory") || strings.Contains(text, "keys.state") {
		t.Errorf("a stranger's text, or state, in\n%s", all)
	}
	for _, s := range l.spans.GetSpans() {
		if strings.Contains(fmt.Sprint(s.Attributes, s.Status), "mallory") {
			t.Errorf("a stranger's text in %v", s)
		}
	}
}

// The program's own hooks are called too, and those that are missed are counted.
func TestHooks_Also(t *testing.T) {
	t.Parallel()
	var called []string
	note := func(name string) { called = append(called, name) }
	l := newLab(t, &authtrace.Hooks{
		Decided: func(context.Context, authtrace.Decision) { note("decided") }, Ticket: func(context.Context, authtrace.Decision) { note("ticket") },
		KeysFetched: func(authtrace.KeyFetch) { note("fetched") }, KeysState: func(authtrace.KeyState) { note("state") },
		SessionStarted: func(authtrace.Session) { note("started") }, SessionRenewed: func(authtrace.Session) { note("renewed") },
		SessionEnded: func(authtrace.Session) { note("ended") }, Revoked: func(authtrace.Revocation) { note("revoked") },
		Missed: func(authtrace.Missed) { note("missed") },
	})
	for range 2 {
		h := l.hooks
		h.Decided(t.Context(), authtrace.Decision{})
		h.Ticket(t.Context(), authtrace.Decision{})
		h.KeysFetched(authtrace.KeyFetch{})
		h.KeysState(authtrace.KeyState{})
		h.SessionStarted(authtrace.Session{})
		h.SessionRenewed(authtrace.Session{})
		h.SessionEnded(authtrace.Session{})
		h.Revoked(authtrace.Revocation{})
		h.Missed(authtrace.Missed{Events: 3, Live: 9})
		l.hooks = newLab(t, nil).hooks // none to call
	}
	if got := strings.Join(called, " "); got != "decided ticket fetched state started renewed ended revoked missed" {
		t.Errorf("called %s", got)
	}
	text := strings.Join(l.points(t), "\n")
	if !strings.Contains(text, "oidcauth.events.missed[] 3") || !strings.Contains(text, "oidcauth.session.active[] 9") {
		t.Errorf("missed events are not counted:\n%s", text)
	}
}

// A remembered token is measured without an allocation of the hook's own.
func TestHooks_Remembered(t *testing.T) {
	hooks, err := otelauth.New(otelauth.Config{MeterProvider: noop.NewMeterProvider(), TracerProvider: sdktrace.NewTracerProvider()})
	if err != nil {
		t.Fatal(err)
	}
	d := authtrace.Decision{Outcome: authtrace.Accepted, Status: 200, Issuer: "https://i.test", Remembered: true, Start: time.Now()}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { hooks.Decided(ctx, d) }); n > 2 { // the measurement as a key, and the list of options
		t.Errorf("%v allocations, want two at most", n)
	}
}

// An issuer that is configured no longer has no state, whatever came and went before it;
// one that returns has its own.
func TestHooks_IssuersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stays := oidctest.NewIssuer(t, oidctest.Config{URL: "https://stays.test"})
		comes := oidctest.NewIssuer(t, oidctest.Config{URL: "https://comes.test"})
		var entered []authtrace.State
		l := newLab(t, &authtrace.Hooks{KeysState: func(s authtrace.KeyState) {
			if s.Issuer == comes.URL() {
				entered = append(entered, s.From, s.To)
			}
		}})
		describe := func(i *oidctest.Issuer) oidcauth.Issuer {
			return oidcauth.Issuer{URL: i.URL(), Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{Client: i.Client()}}
		}
		auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{describe(stays)}, Trace: l.hooks})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		states := func(i *oidctest.Issuer) (n int) {
			for _, p := range l.points(t) {
				if strings.HasPrefix(p, "oidcauth.keys.state[oidcauth.issuer="+i.URL()+" ") {
					n++
				}
			}
			return n
		}
		for range 3 {
			for _, issuers := range [][]oidcauth.Issuer{{describe(stays), describe(comes)}, {describe(stays)}} {
				if err := auth.SetIssuers(issuers...); err != nil {
					t.Fatal(err)
				}
				if err := auth.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if want := 4 * (len(issuers) - 1); states(comes) != want || states(stays) != 4 {
					t.Errorf("with %d issuers: states %d of the one that comes and %d of the other, want %d and 4", len(issuers), states(comes), states(stays), want)
				}
			}
		}
		one := []authtrace.State{authtrace.None, authtrace.Fresh, authtrace.Fresh, authtrace.None}
		if want := slices.Repeat(one, 3); !slices.Equal(entered, want) {
			t.Errorf("its keys went from and to %v, want %v", entered, want)
		}
	})
}

// Keys that nobody has needed for a day are dropped, and have no state until they are fetched
// again.
func TestHooks_IdleIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{URL: "https://i.test"})
		l := newLab(t, nil)
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(), Trace: l.hooks,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		for _, step := range []struct {
			name  string
			do    func()
			state string
		}{
			{"before the first token", func() {}, ""},
			{"of a token", func() { auth.Authenticate(t.Context(), issuer.Token(map[string]any{"aud": "my-db"})) }, "fresh] 1"},
			{"two days later", func() { time.Sleep(48 * time.Hour) }, ""},
			{"of another token", func() { auth.Authenticate(t.Context(), issuer.Token(map[string]any{"aud": "my-db"})) }, "fresh] 1"},
		} {
			step.do()
			synctest.Wait()
			text := strings.Join(l.points(t), "\n")
			if has := strings.Contains(text, "oidcauth.keys.state["); has != (step.state != "") || !strings.Contains(text, step.state) {
				t.Errorf("%s: want state %q in\n%s", step.name, step.state, text)
			}
		}
	})
}

// A provider that makes no instruments is an error of New.
func TestNew_Fails(t *testing.T) {
	t.Parallel()
	if hooks, err := otelauth.New(otelauth.Config{MeterProvider: badProvider{}}); err == nil || hooks != nil {
		t.Errorf("New() = %v, %v, want an error", hooks, err)
	}
	if _, err := otelauth.New(otelauth.Config{}); err != nil { // by the global providers
		t.Errorf("New() error = %v", err)
	}
}

type badProvider struct{ embedded.MeterProvider }

func (badProvider) Meter(string, ...metric.MeterOption) metric.Meter {
	return badMeter{noop.NewMeterProvider().Meter("")}
}

type badMeter struct{ metric.Meter }

func (badMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errors.New("no counter")
}
