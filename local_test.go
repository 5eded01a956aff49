package oidcauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
)

// newLocal makes a local issuer with a directory of its own.
func newLocal(t testing.TB, cfg localissuer.Config) *localissuer.Issuer {
	t.Helper()
	if cfg.Dir == "" && cfg.Signer == nil {
		cfg.Dir = filepath.Join(t.TempDir(), "keys")
	}
	if cfg.URL == "" {
		cfg.URL = "localhost"
	}
	if cfg.Audiences == nil {
		cfg.Audiences = []string{testAudience}
	}
	l, err := localissuer.New(cfg)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// trusting makes an Authenticator that accepts the local issuer's tokens alone.
func trusting(t testing.TB, l *localissuer.Issuer) *oidcauth.Authenticator {
	t.Helper()
	return newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer()}})
}

func issue(t testing.TB, l *localissuer.Issuer, r localissuer.Request) string {
	t.Helper()
	token, _, err := l.Issue(t.Context(), r)
	if err != nil {
		t.Fatalf("Issue() error = %v", err)
	}
	return token
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func privatePEM(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// secretOf returns what the tickets that a key of a local issuer signs are sealed
// with: that of the key that signs at present if keyID is empty.
func secretOf(t testing.TB, l *localissuer.Issuer, keyID string) []byte {
	t.Helper()
	if keyID == "" {
		keys := l.Keys()
		keyID = keys[slices.IndexFunc(keys, func(k localissuer.Key) bool { return k.State == "active" })].ID
	}
	var followed oidcauth.Keys
	stop, err := l.Follow(func(keys oidcauth.Keys) error {
		followed = keys
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	secret, signs := followed.Tickets.Secret(keyID)
	if !signs {
		t.Fatalf("key %q signs no tickets", keyID)
	}
	return secret
}

// sealTicket seals what a ticket says of its original as the issuer does.
func sealTicket(t testing.TB, l *localissuer.Issuer, keyID, ticketID, content string) string {
	t.Helper()
	sealed, err := ticket.Encrypt(secretOf(t, l, keyID), ticketID, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}
