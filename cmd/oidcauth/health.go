package main

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/oidcauth/oidcauth"
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
		writeJSON(w, http.StatusServiceUnavailable, readyAnswer{NotReady: named(s.issuers, err)})
		return
	}
	writeJSON(w, http.StatusOK, readyAnswer{Ready: true, NotReady: []string{}})
}

// named returns the issuers that the error of Ready names. It joins one error
// for each, which begins with the issuer's quoted name.
func named(issuers []string, err error) []string {
	missing := make(map[string]bool)
	collect(err, missing)
	names := []string{}
	for _, issuer := range issuers {
		if missing[issuer] {
			names = append(names, issuer)
		}
	}
	return names
}

// collect adds the names that the errors joined in err begin with.
func collect(err error, names map[string]bool) {
	switch wrapped := err.(type) {
	case interface{ Unwrap() []error }:
		for _, e := range wrapped.Unwrap() {
			collect(e, names)
		}
		return
	case *oidcauth.Refusal:
		collect(wrapped.Err, names)
		return
	}
	quoted, quoteErr := strconv.QuotedPrefix(err.Error())
	if quoteErr != nil || !strings.HasPrefix(err.Error(), quoted+": ") {
		return
	}
	if name, unquoteErr := strconv.Unquote(quoted); unquoteErr == nil {
		names[name] = true
	}
}
