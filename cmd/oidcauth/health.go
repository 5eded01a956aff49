package main

import (
	"context"
	"io"
	"net/http"
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
	NotReady []string `json:"not_ready"` // issuers whose keys are not in hand
}

// readyz says whether the keys of every issuer are in hand. It waits a little
// for keys that are on their way. Why an issuer's keys are missing is in the
// log: that may name addresses that are not everybody's business.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWait)
	defer cancel()
	if err := s.auth.Ready(ctx); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, readyAnswer{NotReady: s.auth.Unready()})
		return
	}
	writeJSON(w, http.StatusOK, readyAnswer{Ready: true, NotReady: []string{}})
}
