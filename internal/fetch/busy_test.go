package fetch_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// An error says when to ask again if the answer did, and is the same otherwise.
func TestBusy(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for value, want := range map[string]time.Duration{"": 0, "0": 0, "soon": 0, "-1": 0, "30": 30 * time.Second} {
		h := http.Header{}
		if value != "" {
			h.Set("Retry-After", value)
		}
		err := fetch.Busy(failed, h)
		var busy interface{ RetryAfter() time.Duration }
		if says := errors.As(err, &busy); says != (want > 0) || says && busy.RetryAfter() != want || !errors.Is(err, failed) {
			t.Errorf("Busy() = %v for %q, want one that waits for %v", err, value, want)
		}
		if err.Error() != "failed" {
			t.Errorf("Busy() = %q", err)
		}
	}
}
