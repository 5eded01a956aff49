package introspect_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An endpoint that has too much to do is asked about a token once it wants to be, and the
// callers are told when that is.
func TestNew_Busy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		questions := 0
		ask, err := newAsk(introspect.Config{Endpoint: "https://issuer.test/introspect", Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			questions++
			return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"30"}}, Body: http.NoBody, Request: r}, nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://issuer.test", Audiences: []string{"db"}, Introspect: ask}}})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		for second := range 30 {
			_, err := auth.Authenticate(t.Context(), token)
			if !errors.Is(err, oidcauth.ErrAnswerUnavailable) || !strings.Contains(err.Error(), "got status 429, want 200") {
				t.Fatalf("Authenticate() error = %v", err)
			}
			w := httptest.NewRecorder()
			auth.Refuse(w, httptest.NewRequest("GET", "/", nil), err)
			if got, want := w.Header().Get("Retry-After"), time.Duration(30-second)*time.Second; w.Code != 503 || got+"s" != want.String() {
				t.Errorf("after %d seconds: status %d, Retry-After %s, want 503 and %v", second, w.Code, got, want)
			}
			time.Sleep(time.Second)
		}
		if questions != 1 {
			t.Errorf("%d questions in 30 seconds, want one", questions)
		}
		time.Sleep(time.Millisecond)
		_, _ = auth.Authenticate(t.Context(), token)
		if questions != 2 {
			t.Errorf("%d questions once the time is over, want another", questions)
		}
	})
}

// An issuer whose discovery document is not to be had for a while is asked for it once that
// is over, however many tokens are asked about meanwhile, and within a minute at most.
func TestNew_BusyDiscovery(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wait string
		want time.Duration // between two requests
	}{{"", time.Second}, {"30", 30 * time.Second}, {"86400", time.Minute}} {
		t.Run(tt.wait, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				ask, err := newAsk(introspect.Config{Issuer: "https://issuer.test", Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					requests++
					return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {tt.wait}}, Body: http.NoBody, Request: r}, nil
				})}})
				if err != nil {
					t.Fatal(err)
				}
				for begin := time.Now(); time.Since(begin) < tt.want; time.Sleep(tt.want / 10) {
					_, err := ask(t.Context(), token)
					var busy interface{ RetryAfter() time.Duration }
					if says, left := errors.As(err, &busy), tt.want-time.Since(begin); says != (tt.wait != "") || says && busy.RetryAfter() != left {
						t.Errorf("error = %v, want one that says to ask again in %v: %t", err, left, tt.wait != "")
					}
				}
				if requests != 1 {
					t.Errorf("asked %d times within %v, want once", requests, tt.want)
				}
				if _, err := ask(t.Context(), token); err == nil || requests != 2 {
					t.Errorf("asked %d times, want once more: error = %v", requests, err)
				}
			})
		})
	}
}

// The client's own limit of time counts neither for the document nor for the question.
func TestNew_TimeoutOfTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
		client := &http.Client{Timeout: time.Second, Transport: transport(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(2 * time.Second):
				return issuer.Client().Transport.RoundTrip(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})}
		ask, err := newAsk(introspect.Config{Issuer: issuer.URL(), Client: client, ClientID: "db", ClientSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t.Context(), issuer.OpaqueToken(nil)); err != nil {
			t.Errorf("error = %v", err)
		}
	})
}
