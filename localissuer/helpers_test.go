package localissuer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

const testAudience = "my-db"

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

// signAs signs a payload as a thief of the key would, or another program.
func signAs(t testing.TB, key *ecdsa.PrivateKey, typ, payload string) string {
	t.Helper()
	options := new(jose.SignerOptions).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func privatePEM(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// newIssuer starts a fake issuer and describes it as the tests want it.
func newIssuer(t testing.TB, cfg oidctest.Config) (*oidctest.Issuer, oidcauth.Issuer) {
	t.Helper()
	if cfg.Claims == nil {
		cfg.Claims = map[string]any{"sub": "alice", "aud": testAudience}
	}
	issuer := oidctest.NewIssuer(t, cfg)
	return issuer, oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{testAudience}}
}

// newAuthenticator makes an Authenticator that ends with the test.
func newAuthenticator(t testing.TB, cfg oidcauth.Config) *oidcauth.Authenticator {
	t.Helper()
	a, err := oidcauth.New(cfg)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// wants fails the test unless the token is refused for the reason want, or
// accepted if want is nil.
func wants(t testing.TB, a *oidcauth.Authenticator, token string, want error) *oidcauth.Claims {
	t.Helper()
	c, err := a.Authenticate(t.Context(), token)
	if !errors.Is(err, want) {
		t.Errorf("Authenticate() error = %v, want %v", err, want)
	}
	return c
}

// authenticate gives the claims of a token that must be accepted.
func authenticate(t testing.TB, a *oidcauth.Authenticator, token string) *oidcauth.Claims {
	t.Helper()
	c, err := a.Authenticate(context.Background(), token)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	return c
}

// A logBuffer keeps a log that background work may still be writing to.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

// String returns what has been written.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// fromProgram returns a request as programs other than browsers make it.
func fromProgram() *http.Request { return httptest.NewRequest(http.MethodPost, "/", nil) }

func decodePart(t *testing.T, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
