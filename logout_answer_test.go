package oidcauth_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// logoutRequest is a request to log out with a body as it stands.
func logoutRequest(method, body string) *http.Request {
	r := httptest.NewRequest(method, "/logout", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// The answer to a request that is no logout says what is, and the log what was wrong.
func TestLogoutHandler_Answers(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, tt := range []struct {
		name, method, body string
		status             int
		header, reason     string // in the answer, and in the log
	}{
		{"GET", http.MethodGet, "", http.StatusMethodNotAllowed, "Allow: POST", ""},
		{"no token", http.MethodPost, "", http.StatusBadRequest, "Content-Type: application/json", `got 0 logout tokens in a body of type "application/x-www-form-urlencoded", want one in a form`},
		{"two tokens", http.MethodPost, "logout_token=x&logout_token=x", http.StatusBadRequest, "Content-Type: application/json", "got 2 logout tokens"},
		{"no form", http.MethodPost, "logout_token=%zz", http.StatusBadRequest, "Content-Type: application/json", "invalid URL escape"},
		{"too large a form", http.MethodPost, strings.Repeat("x", 1<<20), http.StatusBadRequest, "Content-Type: application/json", "too large"},
		{"no logout token", http.MethodPost, "logout_token=x", http.StatusBadRequest, "Content-Type: application/json", "malformed token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			resp := serve(a.LogoutHandler(), logoutRequest(tt.method, tt.body))
			name, value, _ := strings.Cut(tt.header, ": ")
			if resp.StatusCode != tt.status || resp.Header.Get(name) != value {
				t.Errorf("status %d, headers %v, want %d and %s", resp.StatusCode, resp.Header, tt.status, tt.header)
			}
			var line struct{ Msg, Reason string }
			if tt.reason == "" {
				return
			}
			if err := json.Unmarshal([]byte(log.String()), &line); err != nil || line.Msg != "logout refused" || !strings.Contains(line.Reason, tt.reason) {
				t.Errorf("the log has %s, want that the logout is refused for %q", &log, tt.reason)
			}
			var answer map[string]string
			if err := json.Unmarshal([]byte(bodyOf(t, resp)), &answer); err != nil || answer["error"] != "invalid_request" || answer["error_description"] == "" {
				t.Errorf("the answer is %v, %v, want an invalid request", answer, err)
			}
		})
	}
}

// Beside a logout token as large as one may be there is room for other fields, and an end
// to it.
func TestLogoutHandler_Size(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	token := logoutToken(issuer, nil)
	for _, tt := range []struct {
		name        string
		bytes, most int // of other fields, and of a token
		status      int
	}{
		{"nothing beside it", 0, len(token), http.StatusOK},
		{"almost 4 KiB beside it", 4000, len(token), http.StatusOK},
		{"more than 4 KiB beside it", 4100, len(token), http.StatusBadRequest},
		{"a token that is too large", 0, len(token) - 1, http.StatusBadRequest},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenBytes: tt.most})
		form := url.Values{"logout_token": {token}, "state": {strings.Repeat("x", tt.bytes)}}.Encode()
		if resp := serve(a.LogoutHandler(), logoutRequest(http.MethodPost, form)); resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, body %s, want %d", tt.name, resp.StatusCode, bodyOf(t, resp), tt.status)
		}
	}
}

// A logout token that was used stays so for as long as one of its age may be taken, here
// and in the log, which other servers read whose clocks differ.
func TestLogoutHandler_UsedUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		shared := &untilLog{RevocationLog: newMemoryLog()}
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: shared, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		issued := time.Now()
		token := logoutToken(issuer, map[string]any{"exp": nil})
		if resp := postLogout(a, token); resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d", resp.StatusCode)
		}
		if len(shared.until) != 1 || shared.until[0].Before(issued.Add(20*time.Minute)) {
			t.Errorf("shared until %v, want one entry and 20 minutes at least after %v", shared.until, issued)
		}
		time.Sleep(10*time.Minute - time.Second)
		if resp := postLogout(a, token); resp.StatusCode != http.StatusBadRequest || !strings.Contains(log.String(), "again") {
			t.Errorf("the same once more: status %d, want 400: %s", resp.StatusCode, &log)
		}
		if len(shared.until) != 1 {
			t.Error("the log is asked about what is known here")
		}
	})
}

// A logout whose token cannot be marked as used took place all the same, and the log says
// so.
func TestLogoutHandler_NotMarked(t *testing.T) {
	t.Parallel()
	full := newMemoryLog()
	full.Refuse(func(r oidcauth.Revocation) bool { return r == oidcauth.Revocation{} })
	for _, tt := range []struct {
		name   string
		shared oidcauth.RevocationLog
		want   string // in the log
	}{
		{"a log that takes marks", newMemoryLog(), ""},
		{"a log that takes none", full, errLogDown.Error()},
		{"a log that panics", badLog("FirstUse"), "panicked"},
	} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: tt.shared, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		token := issuer.Token(map[string]any{"iat": time.Now().Add(-time.Minute).Unix()})
		wants(t, a, token, nil)
		if resp := postLogout(a, logoutToken(issuer, nil)); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, want 200", tt.name, resp.StatusCode)
		}
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, oidcauth.ErrRevoked)
		}
		said := strings.Contains(log.String(), "logout token not marked as used")
		if said != (tt.want != "") || !strings.Contains(log.String(), tt.want) {
			t.Errorf("%s: the log has %s, want %q", tt.name, &log, tt.want)
		}
	}
}
