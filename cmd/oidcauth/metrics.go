package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
)

// otherLabel counts what has no label of its own.
const otherLabel = "other"

// An outcome is a result of authentication that is counted.
type outcome struct {
	label string
	err   error
}

// outcomes are those that have a label of their own.
var outcomes = [...]outcome{
	{"accepted", nil},
	{"no_token", oidcauth.ErrNoToken},
	{"malformed_request", oidcauth.ErrMalformedRequest},
	{"malformed_token", oidcauth.ErrMalformedToken},
	{"unknown_issuer", oidcauth.ErrUnknownIssuer},
	{"algorithm", oidcauth.ErrAlgorithm},
	{"unknown_key", oidcauth.ErrUnknownKey},
	{"signature", oidcauth.ErrSignature},
	{"expired", oidcauth.ErrExpired},
	{"not_yet_valid", oidcauth.ErrNotYetValid},
	{"issued_in_future", oidcauth.ErrIssuedInFuture},
	{"claim", oidcauth.ErrClaim},
	{"audience", oidcauth.ErrAudience},
	{"token_type", oidcauth.ErrTokenType},
	{"ticket_used", oidcauth.ErrTicketUsed},
	{"proof", oidcauth.ErrProof},
	{"rule", oidcauth.ErrRule},
	{"revoked", oidcauth.ErrRevoked},
	{"origin", oidcauth.ErrOrigin},
	{"forbidden", oidcauth.ErrForbidden},
	{"keys_unavailable", oidcauth.ErrKeysUnavailable},
	{"revocations_unavailable", oidcauth.ErrRevocationsUnavailable},
	{"answer_unavailable", oidcauth.ErrAnswerUnavailable},
	{"closed", oidcauth.ErrClosed},
	{otherLabel, nil},
}

// Results of fetching keys.
const (
	fetchOK          = "ok"
	fetchNotModified = "not_modified"
	fetchFailed      = "failed"
)

// metrics counts what the server does, for GET /metrics. What may be counted is
// decided before the first request, or by a reload, so counting requests takes no lock
// and no caller can make it grow. It is safe for concurrent use.
type metrics struct {
	requests map[string]*statusCounts // by route
	observed observed                 // by the library's hooks
	routes   []string                 // in order of output
	outcomes [len(outcomes)]atomic.Uint64
	more     []func(out *strings.Builder) // write what else there is

	mu      sync.RWMutex            // guards the rest
	fetches map[string]*fetchCounts // by issuer
	issuers []string                // in order of output
}

// statusCounts counts answers by their HTTP status.
type statusCounts [600]atomic.Uint64

// fetchCounts counts fetches of one issuer's keys by their result.
type fetchCounts struct{ ok, notModified, failed atomic.Uint64 }

// newMetrics returns counters for the given issuers. Fetches of the keys of
// others are counted together if [otherLabel] is among them.
func newMetrics(issuers []string) *metrics {
	m := &metrics{fetches: make(map[string]*fetchCounts)}
	m.know(issuers)
	return m
}

// know adds issuers whose fetches are counted one by one. Those of before stay, so
// that no counter ever falls.
func (m *metrics) know(issuers []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, issuer := range issuers {
		if m.fetches[issuer] == nil {
			m.fetches[issuer] = new(fetchCounts)
			m.issuers = append(m.issuers, issuer)
		}
	}
}

// trace returns the hooks through which the library reports.
func (m *metrics) trace() *authtrace.Hooks {
	return m.observed.hooks(m.countFetch)
}

// countFetch counts one fetch of keys.
func (m *metrics) countFetch(fetch authtrace.KeyFetch) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	counts, ok := m.fetches[fetch.Issuer]
	if !ok {
		counts, ok = m.fetches[otherLabel]
	}
	switch {
	case !ok:
	case fetch.Err != nil:
		counts.failed.Add(1)
	case fetch.NotModified:
		counts.notModified.Add(1)
	default:
		counts.ok.Add(1)
	}
}

// countOutcome counts one authentication by the error it ended with.
func (m *metrics) countOutcome(err error) {
	if err == nil {
		m.outcomes[0].Add(1)
		return
	}
	for i, outcome := range outcomes {
		if outcome.err != nil && errors.Is(err, outcome.err) {
			m.outcomes[i].Add(1)
			return
		}
	}
	m.outcomes[len(m.outcomes)-1].Add(1)
}

// countRequests counts the answers of next by route, one of paths, and status.
// It is called once, before anything is counted.
func (m *metrics) countRequests(next http.Handler, paths []string) http.Handler {
	m.routes = append(paths, otherLabel)
	m.requests = make(map[string]*statusCounts)
	for _, route := range m.routes {
		m.requests[route] = new(statusCounts)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		counts, ok := m.requests[routeOf(r.Pattern)]
		if !ok {
			counts = m.requests[otherLabel]
		}
		counts[min(max(rec.status, 0), len(counts)-1)].Add(1)
	})
}

// routeOf returns the path of a pattern of [http.ServeMux], without the method.
func routeOf(pattern string) string {
	if _, path, found := strings.Cut(pattern, " "); found {
		return path
	}
	return pattern
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP answers in the Prometheus text format, version 0.0.4.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	var out strings.Builder
	m.write(&out)
	// The only error is that of a client that has gone.
	_, _ = io.WriteString(w, out.String())
}

// write writes all counters. Those of outcomes and fetches are there from the
// start, so that a rate can be computed from the first one counted.
func (m *metrics) write(out *strings.Builder) {
	m.observed.write(out)
	heading(out, "oidcauth_http_requests_total", "Requests answered, by route and HTTP status.")
	for _, route := range m.routes {
		for status := range m.requests[route] {
			if n := m.requests[route][status].Load(); n > 0 {
				fmt.Fprintf(out, "oidcauth_http_requests_total{route=%s,status=\"%d\"} %d\n", label(route), status, n)
			}
		}
	}
	heading(out, "oidcauth_authentications_total", "Requests authenticated or refused, by outcome.")
	for i, outcome := range outcomes {
		fmt.Fprintf(out, "oidcauth_authentications_total{outcome=%s} %d\n", label(outcome.label), m.outcomes[i].Load())
	}
	for _, write := range m.more {
		write(out)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	heading(out, "oidcauth_key_fetches_total", "Attempts to fetch an issuer's keys, by issuer and result.")
	for _, issuer := range m.issuers {
		counts := m.fetches[issuer]
		for _, row := range []struct {
			result string
			n      *atomic.Uint64
		}{{fetchOK, &counts.ok}, {fetchNotModified, &counts.notModified}, {fetchFailed, &counts.failed}} {
			fmt.Fprintf(out, "oidcauth_key_fetches_total{issuer=%s,result=%s} %d\n", label(issuer), label(row.result), row.n.Load())
		}
	}
}

// heading writes what precedes the values of a counter.
func heading(out *strings.Builder, name, help string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name)
}

// label quotes the value of a label: the format knows three escapes.
func label(value string) string {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}
