package proxies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// whoIsCalling: a request is on the account of the address that it came to the proxy from,
// and stands in the log under it, whatever its headers say. The tests' own, 127.0.0.1, is
// the proxy's, whose word counts.
func whoIsCalling(t *testing.T, w *world, _ proxy) {
	w.from = "127.0.0.2"
	defer func() { w.from = "" }()
	for i, headers := range [][]string{
		nil,
		{"X-Forwarded-For", "203.0.113.9"},
		{"X-Forwarded-For", "203.0.113.9, 127.0.0.1", "X-Forwarded-For", "127.0.0.1"},
		{"X-Forwarded-For", "10.0.0.1"},
		{"Forwarded", "for=203.0.113.9"},
		{"X-Real-IP", "203.0.113.9", "Forwarded", "for=203.0.113.9", "X-Forwarded-For", "203.0.113.9"},
		{"Connection", "close, X-Forwarded-For, X-Real-IP"},
		{"X-Envoy-External-Address", "203.0.113.9", "X-Envoy-Internal", "true"},
	} {
		path := fmt.Sprintf("/who/%d", i)
		switch got := w.send(t, "GET", path, "", headers...); got.status {
		case 401:
		case 400: // Envoy answers some itself
			continue
		default:
			t.Errorf("%q: %+v, want 401", headers, got)
		}
		if line := w.lineOf(t, path); !strings.Contains(line+" ", " client=127.0.0.2 ") {
			t.Errorf("%q: the log has %q, want client=127.0.0.2", headers, line)
		}
	}
}

// lineOf returns the line about a request with this path, once it is there.
func (w *world) lineOf(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for line := range strings.Lines(w.log.String()) {
			if strings.Contains(line, " path="+path+" ") || strings.HasSuffix(line, " path="+path+"\n") {
				return strings.TrimSuffix(line, "\n")
			}
		}
	}
	t.Fatalf("the log says nothing of %s:\n%s", path, tail(w.log.String()))
	return ""
}
