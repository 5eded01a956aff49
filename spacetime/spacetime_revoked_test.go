package spacetime_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A server whose local issuer's tokens are revoked starts all the same, for those of other
// issuers, and says so.
func TestNew_LocalTokensRevoked(t *testing.T) {
	local, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{audience}})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	if err := auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: "localhost", IssuedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	var log authtest.Log
	server, err := spacetime.New(spacetime.Config{Auth: auth, Local: local, Anonymous: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	defer server.Close(t.Context())
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "token revoked") {
		t.Errorf("log = %s, want a line of the level ERROR", log.String())
	}
	// Whoever is nobody yet may come again, and is not told that a token of theirs is bad.
	upgrade := httptest.NewRequest("GET", "http://db.example/v1/database/db/subscribe", nil)
	upgrade.Header = handshake()
	for _, r := range []*http.Request{httptest.NewRequest("POST", "http://db.example/v1/identity", nil), upgrade} {
		before := len(log.String())
		w := httptest.NewRecorder()
		server.ServeHTTP(socket{w}, r)
		if w.Code != 503 || w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Body.String(), "temporarily_unavailable") {
			t.Errorf("%s: status %d, headers %v: %s, want 503 with Retry-After", r.URL.Path, w.Code, w.Header(), w.Body)
		}
		if line := log.String()[before:]; !strings.Contains(line, "level=ERROR") {
			t.Errorf("%s: log = %s, want a line of the level ERROR", r.URL.Path, line)
		}
	}
}
