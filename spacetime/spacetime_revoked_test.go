package spacetime_test

import (
	"log/slog"
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
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("POST", "http://db.example/v1/identity", nil))
	if w.Code != 500 {
		t.Errorf("POST /v1/identity: status %d, want 500, as of another fault of the server's", w.Code)
	}
}
