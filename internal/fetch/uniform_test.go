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

// TestPublicOnly_UniformError has the guarded client fail in every way there is.
func TestPublicOnly_UniformError(t *testing.T) {
	body := `{"issuer":"https://other.example.com"}`
	status, contentType := 200, "application/json"
	rt := answer(func(*http.Request) (*http.Response, error) {
		if status == 0 {
			return nil, errors.New("connection refused by 10.0.0.7")
		}
		return respond(status, strings.NewReader(body), "Content-Type: "+contentType, "Location: https://other.example.com/"), nil
	})
	c := newClient(t, fetch.Config{
		PublicOnly: true,
		MaxBytes:   100,
		HTTP:       &http.Client{Transport: rt},
		Permit:     func(netip.AddrPort) bool { return false },
	})
	const issuer = "https://issuer.example.com"
	check := func(t *testing.T, err error, want error) {
		t.Helper()
		if err == nil || err.Error() != uniform {
			t.Errorf("error reads %v, want %q", err, uniform)
		}
		if !errors.Is(err, want) {
			t.Errorf("error is %v, want %v", fetch.Cause(err), want)
		}
	}
	t.Run("document of another issuer", func(t *testing.T) {
		_, err := c.Discover(t.Context(), issuer, "")
		check(t, err, fetch.ErrDiscovery)
	})
	t.Run("plain http", func(t *testing.T) {
		_, err := c.Discover(t.Context(), "http://issuer.example.com", "")
		check(t, err, fetch.ErrURL)
	})
	t.Run("an address", func(t *testing.T) {
		_, err := c.Get(t.Context(), "https://10.0.0.1/", fetch.Request{})
		check(t, err, fetch.ErrForbiddenAddress)
	})
	t.Run("redirect", func(t *testing.T) {
		status = 302
		_, err := c.Get(t.Context(), issuer, fetch.Request{})
		check(t, err, fetch.ErrRedirect)
	})
	t.Run("a web page", func(t *testing.T) {
		status, contentType = 200, "text/html"
		_, err := c.Get(t.Context(), issuer, fetch.Request{})
		check(t, err, fetch.ErrContentType)
	})
	t.Run("too large", func(t *testing.T) {
		status, contentType, body = 200, "", strings.Repeat(" ", 101)
		_, err := c.Get(t.Context(), issuer, fetch.Request{})
		check(t, err, fetch.ErrTooLarge)
	})
	t.Run("status", func(t *testing.T) {
		status = 503
		_, err := c.Get(t.Context(), issuer, fetch.Request{})
		var want *fetch.StatusError
		if !errors.As(err, &want) || want.Status != 503 {
			t.Errorf("error is %v, want a StatusError", fetch.Cause(err))
		}
		check(t, err, want)
	})
	t.Run("no connection", func(t *testing.T) {
		status = 0
		_, err := c.Get(t.Context(), issuer, fetch.Request{})
		check(t, err, err)
		outer := fmt.Errorf("%w: %w", errors.New("keys unavailable"), err)
		if cause := fetch.Cause(outer); !strings.Contains(cause.Error(), "10.0.0.7") || strings.Contains(outer.Error(), "10.0.0.7") {
			t.Errorf("cause of %q is %q, want only the latter to name the address", outer, cause)
		}
	})
	t.Run("answer", func(t *testing.T) {
		status, body = 200, "{}"
		if _, err := c.Get(t.Context(), issuer, fetch.Request{}); err != nil {
			t.Errorf("Get() error = %v", fetch.Cause(err))
		}
	})
}

func TestCause(t *testing.T) {
	c := memoryClient(t, func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })
	_, err := c.Get(t.Context(), issuerURL, fetch.Request{})
	if got := fetch.Cause(err); got != err || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Cause(%v) = %v, want the error itself", err, got)
	}
	if got := fetch.Cause(nil); got != nil {
		t.Errorf("Cause(nil) = %v", got)
	}
}
