package main

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// Whoever asks whether the server is ready, and anybody may, waits with the others: what
// it takes to find that out is done once for all of them.
func TestReadyz_Flood(t *testing.T) {
	const n, callers = 40, 60
	issuers, config := fleet(t, n)
	for _, iss := range issuers {
		iss.Fail(oidctest.Discovery, oidctest.Fault{Hang: true})
	}
	s := serve(t, "--config", config)
	before := runtime.NumGoroutine()
	var asked sync.WaitGroup
	for range callers {
		asked.Go(func() {
			if got := s.get(t, "/readyz", ""); got.status != 503 || len(decode[readyAnswer](t, got).NotReady) != n {
				t.Errorf("readyz: %+v, want 503 and all issuers missing", got)
			}
		})
	}
	most, ended := 0, make(chan struct{})
	go func() { asked.Wait(); close(ended) }()
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-time.After(10 * time.Millisecond):
			most = max(most, runtime.NumGoroutine()-before)
		}
	}
	// A few are of each connection, on either side.
	if limit := 10*callers + 4*n; most > limit {
		t.Errorf("%d goroutines for %d who ask about %d issuers, want %d at most", most, callers, n, limit)
	}
	for _, iss := range issuers {
		iss.Clear()
	}
	awaitStatus(t, s, "/readyz", "", 200)
}
