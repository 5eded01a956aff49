package fetch_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

const uniform = "no usable answer from the issuer"

// guardedIn returns a guarded client for a world in which every request gets the
// same answer. Status 0 means that there is no connection.
func guardedIn(t *testing.T, status int, contentType, body string) *fetch.Client {
	t.Helper()
	return newClient(t, fetch.Config{
		PublicOnly: true,
		MaxBytes:   100,
		HTTP: &http.Client{Transport: answer(func(*http.Request) (*http.Response, error) {
			if status == 0 {
				return nil, errors.New("connection refused by 10.0.0.7")
			}
			return respond(status, strings.NewReader(body), "Content-Type: "+contentType, "Location: https://other.example.com/"), nil
		})},
		Permit: func(netip.AddrPort) bool { return false },
	})
}

// TestPublicOnly_UniformError has the guarded client fail in every way that has a
// sentinel.
func TestPublicOnly_UniformError(t *testing.T) {
	t.Parallel()
	const issuer = "https://issuer.example.com"
	rows := []struct {
		name        string
		status      int
		contentType string
		body        string
		url         string
		want        error
	}{
		{"plain http", 200, "application/json", "{}", "http://issuer.example.com", fetch.ErrURL},
		{"an address", 200, "application/json", "{}", "https://10.0.0.1/", fetch.ErrForbiddenAddress},
		{"redirect", 302, "application/json", "{}", issuer, fetch.ErrRedirect},
		{"a web page", 200, "text/html", "{}", issuer, fetch.ErrContentType},
		{"too large", 200, "", strings.Repeat(" ", 101), issuer, fetch.ErrTooLarge},
		{"answer", 200, "application/json", "{}", issuer, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := guardedIn(t, row.status, row.contentType, row.body).Get(t.Context(), row.url, fetch.Request{})
			wantUniform(t, err, row.want)
		})
	}
	t.Run("discovery over plain http", func(t *testing.T) {
		_, err := guardedIn(t, 200, "", "{}").Discover(t.Context(), "http://issuer.example.com", "")
		wantUniform(t, err, fetch.ErrURL)
	})
	t.Run("document of another issuer", func(t *testing.T) {
		_, err := guardedIn(t, 200, "", `{"issuer":"https://other.example.com"}`).Discover(t.Context(), issuer, "")
		wantUniform(t, err, fetch.ErrDiscovery)
	})
}

func TestPublicOnly_UniformStatus(t *testing.T) {
	t.Parallel()
	_, err := guardedIn(t, 503, "", "").Get(t.Context(), "https://issuer.example.com", fetch.Request{})
	var status *fetch.StatusError
	if !errors.As(err, &status) || status.Status != 503 {
		t.Fatalf("error is %v, want a StatusError", fetch.Cause(err))
	}
	wantUniform(t, err, status)
}

func TestPublicOnly_UniformCause(t *testing.T) {
	t.Parallel()
	_, err := guardedIn(t, 0, "", "").Get(t.Context(), "https://issuer.example.com", fetch.Request{})
	wantUniform(t, err, err)
	outer := fmt.Errorf("%w: %w", errors.New("keys unavailable"), err)
	if cause := fetch.Cause(outer); !strings.Contains(cause.Error(), "10.0.0.7") || strings.Contains(outer.Error(), "10.0.0.7") {
		t.Errorf("cause of %q is %q, want only the latter to name the address", outer, cause)
	}
}

// wantUniform asserts that an error is want inside and the one text outside.
func wantUniform(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", fetch.Cause(err), want)
	}
	if err != nil && err.Error() != uniform {
		t.Errorf("error reads %v, want %q", err, uniform)
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	c := memoryClient(t, func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })
	_, err := c.Get(t.Context(), issuerURL, fetch.Request{})
	if got := fetch.Cause(err); got != err || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Cause(%v) = %v, want the error itself", err, got)
	}
	if got := fetch.Cause(nil); got != nil {
		t.Errorf("Cause(nil) = %v", got)
	}
}
