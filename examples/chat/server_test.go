package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestServer_SecureHeaders: no page of the chat is shown in another's frame, runs a script of
// another's, or tells where it was.
func TestServer_SecureHeaders(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	for _, path := range []string{"/", "/chat.js", "/nowhere"} {
		answer := httptest.NewRecorder()
		w.handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.address+path, nil))
		policy := answer.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: Content-Security-Policy is %q, want %s in it", path, policy, want)
			}
		}
		if got := answer.Header().Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy is %q, want no-referrer", path, got)
		}
	}
}
