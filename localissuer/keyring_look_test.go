package localissuer_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
)

// TestOpenToLook: whoever only looks judges by what they are told, as a server with the same
// configuration would, and leaves the directory as it was, also when a token comes under a
// key that it does not know.
func TestOpenToLook(t *testing.T) {
	t.Parallel()
	cfg := localissuer.Config{URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{"my-db"}, Lifetime: time.Hour}
	l, err := localissuer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	token, _, err := l.Issue(t.Context(), localissuer.Request{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.URL, cfg.Lifetime, cfg.NoExpiry = "", 24*time.Hour, true
	opened, err := keyring.OpenToLook(cfg)
	if err != nil {
		t.Fatal(err)
	}
	looks := opened.(*localissuer.Issuer)
	defer looks.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{looks.Issuer()}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	if _, err := auth.Authenticate(t.Context(), token); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
	if err := looks.Rotate(t.Context()); err == nil {
		t.Error("Rotate() changed the keys")
	}
	for range 2 {
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(filepath.Join(cfg.Dir, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	later, _, err := l.Issue(t.Context(), localissuer.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Authenticate(t.Context(), later); err == nil {
		t.Error("a key that came later is known to whoever looked before")
	}
	looks.Refresh()
	if after, err := os.ReadFile(filepath.Join(cfg.Dir, "keyring.json")); err != nil || string(after) != string(before) {
		t.Errorf("the directory was written to: %v", err)
	}
}
