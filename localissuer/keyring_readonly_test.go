package localissuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
)

// TestReadOnly: such an issuer judges by what it is told, as a server with the same
// configuration would, issues nothing, and leaves the directory as it was, also when a token
// comes under a key that it does not know.
func TestReadOnly(t *testing.T) {
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
	cfg.Lifetime, cfg.NoExpiry, cfg.ReadOnly = 24*time.Hour, true, true
	looks, err := localissuer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer looks.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{looks.Issuer()}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	claims, err := auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if _, _, err := looks.Issue(t.Context(), localissuer.Request{}); err == nil {
		t.Error("Issue() issued a token")
	}
	if _, _, err := looks.Renew(t.Context(), claims); err == nil {
		t.Error("Renew() issued a token")
	}
	r := httptest.NewRequest("POST", "/v1/ticket", nil)
	if _, err := looks.Ticket(r.WithContext(oidcauth.NewContext(r.Context(), claims)), claims, "db"); err == nil {
		t.Error("Ticket() sold a ticket")
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

// TestReadOnly_Nothing: where there are no keys none are made, and a signer is nothing to
// read.
func TestReadOnly_Nothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	for _, url := range []string{"", "localhost"} {
		_, err := localissuer.New(localissuer.Config{URL: url, Dir: dir, Audiences: []string{"my-db"}, ReadOnly: true})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("named %q: New() error = %v, want %v", url, err, fs.ErrNotExist)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := localissuer.New(localissuer.Config{URL: "localhost", Signer: key, Audiences: []string{"my-db"}, ReadOnly: true}); err == nil {
		t.Error("New() took a signer")
	}
}

// TestReadOnly_Unnamed: keys that no server has named yet, because it ended while it made
// them, are judged as the one would that names them next.
func TestReadOnly_Unnamed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := keyring.OpenOrCreate(t.Context(), dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	looks, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: dir, Audiences: []string{"my-db"}, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer looks.Close()
	if got := looks.URL(); got != "localhost" {
		t.Errorf("URL() = %q, want localhost", got)
	}
}
