package keyset_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A leaving issuer has moved its keys. Where they were is somebody or nobody else.
type leaving struct {
	*issuer
	left   atomic.Pointer[func(*http.Request) (*http.Response, error)] // nil before
	visits atomic.Int32                                                // of the place that it has left
}

func (l *leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	if left := l.left.Load(); left != nil && r.URL.String() == jwksURL {
		l.visits.Add(1)
		return (*left)(r)
	}
	return l.issuer.RoundTrip(r)
}

// startLeaving starts a set whose issuer has been in its place for two hours.
func startLeaving(t *testing.T) (*leaving, *keyset.Set) {
	t.Helper()
	l := &leaving{issuer: newIssuer(key("a", 0))}
	cfg := discovering(t, l.issuer)
	client, err := fetch.New(fetch.Config{HTTP: &http.Client{Transport: l}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Fetch = client
	s := startHeld(t, cfg)
	mustKeys(t, s, "a")
	time.Sleep(2 * time.Hour)
	return l, s
}

// An issuer that moves its keys to another host need not keep the old one, which may
// answer whatever it likes from then on: a new key is found within seconds.
func TestDiscovery_Moved(t *testing.T) {
	t.Parallel()
	const newURL = "https://keys.example/jwks"
	status := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			return response(r, status, http.Header{}, body), nil
		}
	}
	for name, left := range map[string]func(*http.Request) (*http.Response, error){
		"forbidden, as where a bucket is gone":  status(403, ""),
		"no backend behind the proxy":           status(502, ""),
		"the page of whoever has the name now":  status(200, "<html></html>"),
		"no address":                            func(*http.Request) (*http.Response, error) { return nil, errors.New("no such host") },
		"nobody there":                          func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
		"a set without a key that could be one": status(200, `{"keys":[]}`),
	} {
		bubble(t, name, func(t *testing.T) {
			l, s := startLeaving(t)
			l.set(func(i *issuer) { i.jwksURL, i.body = newURL, jwks(key("a", 0), key("b", 1)) })
			l.left.Store(&left)
			var err error
			for range 3 {
				if _, err = s.Keys(t.Context(), jws.Named("b")); err == nil {
					break
				}
				time.Sleep(5 * time.Second)
			}
			if r := s.Report(); err != nil || r.JWKSURL != newURL {
				t.Errorf("Keys() error = %v, keys at %q, want %q", err, r.JWKSURL, newURL)
			}
		})
	}
	bubble(t, "an outage costs the document once an hour", func(t *testing.T) {
		l, _ := startLeaving(t)
		before := l.discoveries()
		broken := status(500, "")
		l.left.Store(&broken)
		time.Sleep(5 * time.Hour)
		if n := l.discoveries() - before; n < 4 || n > 5 || l.visits.Load() < 50 {
			t.Errorf("%d documents read for %d tries in five hours, want one an hour", n, l.visits.Load())
		}
	})
}
