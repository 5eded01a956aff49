package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// healthz says that the server runs.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
}

// readyAnswer is the body of GET /readyz.
type readyAnswer struct {
	Ready    bool     `json:"ready"`
	InHand   []string `json:"in_hand"`   // issuers whose keys are
	NotReady []string `json:"not_ready"` // and those whose keys are not

	// Revocations says why no token is accepted while those of other servers are not
	// known; empty if they are, or need not be.
	Revocations string `json:"revocations,omitempty"`
}

// readyz says whether the server is ready: whether it has the keys of the issuers that
// it was told to have, or of any. It waits a little for keys that are on their way. Why
// an issuer's keys are missing is in the log: that may name addresses that are not
// everybody's business.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	answer := s.readyNow()
	if !answer.Ready {
		answer = s.awaitReady(r.Context())
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

// A waiting is the wait for keys that are on their way: one, for all who ask meanwhile,
// since anybody may ask. It is safe for concurrent use.
type waiting struct {
	mu  sync.Mutex // guards one
	one *wait      // nil if there is none
}

// A wait ends within [readyWait].
type wait struct {
	done   chan struct{} // closed when it is over
	answer readyAnswer   // valid then
}

// awaitReady waits with all others who do, and asks for nothing by itself.
func (s *server) awaitReady(ctx context.Context) readyAnswer {
	s.waiting.mu.Lock()
	w := s.waiting.one
	if w == nil {
		w = &wait{done: make(chan struct{})}
		s.waiting.one = w
		go s.runWait(w) // ends with readyWait
	}
	s.waiting.mu.Unlock()
	select {
	case <-w.done:
		return w.answer
	case <-ctx.Done():
		return s.readyNow() // which nobody reads
	}
}

func (s *server) runWait(w *wait) {
	ctx, cancel := context.WithTimeout(context.Background(), readyWait)
	defer cancel()
	w.answer = s.readiness(ctx)
	s.waiting.mu.Lock()
	s.waiting.one = nil
	s.waiting.mu.Unlock()
	close(w.done)
}

// readyNow says how ready the server is at present.
func (s *server) readyNow() readyAnswer {
	l, unready := s.live.Load(), s.auth.Unready()
	answer := readyAnswer{Ready: l.ready(unready), NotReady: unready, InHand: without(l.issuers, unready)}
	if !s.revocations.suffice() {
		answer.Ready, answer.Revocations = false, "those of other servers are not known completely"
	}
	return answer
}

// readiness waits until the server is ready, or ctx ends, or nothing is on its way.
func (s *server) readiness(ctx context.Context) readyAnswer {
	const pause = 50 * time.Millisecond
	var asked chan struct{} // nil until the issuers are
	for done := false; ; {
		if answer := s.readyNow(); answer.Ready || done {
			return answer
		}
		if asked == nil {
			asked = make(chan struct{})
			go func() { defer close(asked); _ = s.auth.Ready(ctx) }() // ends with ctx
		}
		select {
		case <-asked:
			done = true
		case <-time.After(pause):
		}
	}
}

// without returns the names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(append([]string{}, names...), func(name string) bool { return slices.Contains(others, name) })
}
