package harness

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// loop is what a measurement does again and again.
type loop struct {
	run    func(b *testing.B, v *peers.Verifier, tokens []string)
	claims bool // for peers that read claims
	alone  bool // for peers that keep verified tokens
}

func loops() map[string]loop {
	return map[string]loop{
		Authenticate:         {run: authenticate},
		AuthenticateParallel: {run: authenticateParallel},
		Middleware:           {run: middleware(true), claims: true},
		MiddlewareParallel:   {run: middlewareParallel, claims: true},
		Alone:                {run: authenticateAlone, alone: true},
		MiddlewareAlone:      {run: middleware(false), alone: true},
	}
}

func authenticate(b *testing.B, v *peers.Verifier, tokens []string) {
	ctx, user, n := context.Background(), new(peers.User), 0
	defer cpuMeter(b)()
	for b.Loop() {
		if err := v.Authenticate(ctx, tokens[n], user); err != nil {
			b.Fatal(err)
		}
		if n++; n == len(tokens) {
			n = 0
		}
	}
}

func authenticateAlone(b *testing.B, v *peers.Verifier, tokens []string) {
	ctx, n := context.Background(), 0
	defer cpuMeter(b)()
	for b.Loop() {
		if err := v.Alone(ctx, tokens[n]); err != nil {
			b.Fatal(err)
		}
		if n++; n == len(tokens) {
			n = 0
		}
	}
}

func authenticateParallel(b *testing.B, v *peers.Verifier, tokens []string) {
	var starts atomic.Int64
	defer cpuMeter(b)()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		ctx, user := context.Background(), new(peers.User)
		n := start(&starts, len(tokens))
		for pb.Next() {
			if err := v.Authenticate(ctx, tokens[n], user); err != nil {
				b.Error(err)
				return
			}
			if n++; n == len(tokens) {
				n = 0
			}
		}
	})
}

// start returns where a goroutine begins in the tokens, so that two do not go
// round in step.
func start(starts *atomic.Int64, tokens int) int {
	return int(starts.Add(1)) * 31 % tokens
}

func middleware(read bool) func(*testing.B, *peers.Verifier, []string) {
	return func(b *testing.B, v *peers.Verifier, tokens []string) {
		handler, c := v.Middleware(reader(v, read)), newCall()
		headers, n := bearers(tokens), 0
		defer cpuMeter(b)()
		for b.Loop() {
			if !c.serve(handler, headers[n]) {
				b.Fatalf("status %d", c.status)
			}
			if n++; n == len(headers) {
				n = 0
			}
		}
	}
}

func middlewareParallel(b *testing.B, v *peers.Verifier, tokens []string) {
	handler, headers := v.Middleware(reader(v, true)), bearers(tokens)
	var starts atomic.Int64
	defer cpuMeter(b)()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c, n := newCall(), start(&starts, len(headers))
		for pb.Next() {
			if !c.serve(handler, headers[n]) {
				b.Errorf("status %d", c.status)
				return
			}
			if n++; n == len(headers) {
				n = 0
			}
		}
	})
}

// call is a request and its response writer, used again and again so that
// the harness itself costs little. It is not safe for concurrent use.
type call struct {
	request *http.Request
	header  http.Header
	user    peers.User
	status  int
	reached bool // the handler
}

func newCall() *call {
	return &call{
		request: &http.Request{
			Method: http.MethodGet,
			URL:    &url.URL{Scheme: "https", Host: "db.example.com", Path: "/v1/whoami"},
			Host:   "db.example.com",
			Header: http.Header{"Accept": {"application/json"}, "User-Agent": {"bench"}},
		},
		header: make(http.Header),
	}
}

// serve sends the request through a handler. The header is set each time,
// since a middleware may take the token out of the request.
func (c *call) serve(handler http.Handler, authorization []string) bool {
	c.request.Header["Authorization"] = authorization
	c.status, c.reached = http.StatusOK, false
	handler.ServeHTTP(c, c.request)
	return c.reached && c.status == http.StatusOK
}

func (c *call) Header() http.Header         { return c.header }
func (c *call) Write(b []byte) (int, error) { return len(b), nil }
func (c *call) WriteHeader(status int)      { c.status = status }

// reader is the handler behind the middleware.
func reader(v *peers.Verifier, read bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := w.(*call)
		if read && !v.FromContext(r.Context(), &c.user) {
			w.WriteHeader(http.StatusInternalServerError)
		}
		c.reached = true
	})
}

// bearers returns the header values of the tokens.
func bearers(tokens []string) [][]string {
	headers := make([][]string, len(tokens))
	for n, token := range tokens {
		headers[n] = []string{"Bearer " + token}
	}
	return headers
}
