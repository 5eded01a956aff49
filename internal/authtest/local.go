package authtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// NewLocal makes a local issuer with a directory of its own.
func NewLocal(t testing.TB, cfg localissuer.Config) *localissuer.Issuer {
	t.Helper()
	if cfg.Dir == "" && cfg.Signer == nil {
		cfg.Dir = filepath.Join(t.TempDir(), "keys")
	}
	if cfg.URL == "" {
		cfg.URL = "localhost"
	}
	if cfg.Audiences == nil {
		cfg.Audiences = []string{Audience}
	}
	l, err := localissuer.New(cfg)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	t.Cleanup(func() { l.Close() })
	if cfg.Dir != "" {
		dirs.Store(l, cfg.Dir)
		note := func() {
			for _, secret := range SecretsIn(t, l) {
				said.Secret("private key or secret of tickets", secret)
			}
		}
		note()
		t.Cleanup(func() { note(); dirs.Delete(l) }) // by then it has made others
	}
	if len(cfg.TicketSecret) > 0 {
		said.Secret("secret of tickets", string(cfg.TicketSecret))
	}
	return l
}

// dirs are the directories of local issuers.
var dirs sync.Map

// SecretsIn returns what is secret in the directory of an issuer that [NewLocal] made, as
// far as it can be read.
func SecretsIn(t testing.TB, l *localissuer.Issuer) (secrets []string) {
	t.Helper()
	dir, found := dirs.Load(l)
	if !found {
		t.Fatal("authtest: not an issuer with a directory that NewLocal made")
	}
	var ring struct {
		Keys []struct {
			Secret []byte `json:"ticket_secret"`
			JWK    struct{ D string }
		}
	}
	text, err := os.ReadFile(filepath.Join(dir.(string), "keyring.json"))
	if err != nil || json.Unmarshal(text, &ring) != nil {
		return nil // the test has broken it
	}
	for _, key := range ring.Keys {
		if d, err := base64.RawURLEncoding.DecodeString(key.JWK.D); err == nil && len(d) > said.Shortest {
			secrets = append(secrets, string(d), new(big.Int).SetBytes(d).String())
		}
		if len(key.Secret) > 0 {
			secrets = append(secrets, string(key.Secret))
		}
	}
	return secrets
}

// Trusting makes an Authenticator that accepts the local issuer's tokens alone.
func Trusting(t testing.TB, l *localissuer.Issuer) *oidcauth.Authenticator {
	t.Helper()
	return NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer()}})
}

// Issue has the local issuer issue a token.
func Issue(t testing.TB, l *localissuer.Issuer, r localissuer.Request) string {
	t.Helper()
	token, _, err := l.Issue(t.Context(), r)
	if err != nil {
		t.Fatalf("Issue() error = %v", err)
	}
	return token
}

// NewKey makes a key of the kind that signs local tokens.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	said.PrivateKey(key)
	return key
}

// PrivatePEM writes a key as people keep them in files.
func PrivatePEM(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// A Counter is a server that sells tickets for its own and another issuer's
// tokens.
type Counter struct {
	T      testing.TB
	Issuer *oidctest.Issuer
	Local  *localissuer.Issuer
	Auth   *oidcauth.Authenticator
}

// NewCounter starts both issuers. The local one issues tokens without expiry, too.
func NewCounter(t testing.TB) *Counter {
	t.Helper()
	issuer, trusted := NewIssuer(t, oidctest.Config{})
	local := NewLocal(t, localissuer.Config{NoExpiry: true})
	auth := NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client()})
	return &Counter{t, issuer, local, auth}
}

// Claims authenticates a token.
func (c *Counter) Claims(token string) *oidcauth.Claims {
	c.T.Helper()
	claims, err := c.Auth.Authenticate(c.T.Context(), token)
	if err != nil {
		c.T.Fatalf("Authenticate() error = %v", err)
	}
	return claims
}

// Buy returns a ticket for a token, bought at a place.
func (c *Counter) Buy(token string, p Place) string {
	c.T.Helper()
	ticket, err := c.Local.Ticket(From(p.Origins...), c.Claims(token), p.Database)
	if err != nil {
		c.T.Fatalf("Ticket() error = %v", err)
	}
	return ticket
}

// Use shows a ticket at a place.
func (c *Counter) Use(ticket string, p Place) (*oidcauth.Claims, error) {
	return c.Auth.AuthenticateTicket(From(p.Origins...), ticket, p.Database)
}

// A Place is where a ticket is bought or used: the database, and the Origin
// headers of the request, none for a program's.
type Place struct {
	Database string
	Origins  []string
}

// At returns a place.
func At(database string, origins ...string) Place { return Place{database, origins} }

// Anywhere is where a program buys a ticket for any database.
var Anywhere = At(localissuer.AnyDatabase)

// From returns a request with these Origin headers; without any it is one as
// programs other than browsers make it.
func From(origins ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for _, origin := range origins {
		r.Header.Add("Origin", origin)
	}
	return r
}
