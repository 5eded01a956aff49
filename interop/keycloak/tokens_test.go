package keycloak_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/issuers"
)

const database = "my-db" // the audience, and the client whose roles count

// keycloakIssuer is the library's preset for Keycloak, with groups among the
// roles.
func keycloakIssuer(url string) oidcauth.Issuer {
	issuer := issuers.Keycloak(url, database)
	issuer.Roles = append(issuer.Roles, oidcauth.Path{"groups"})
	issuer.Keys.InsecureHTTP = strings.HasPrefix(url, "http://")
	return issuer
}

// alice gets the tokens of a person: access token, ID token, refresh token.
func (s *keycloak) alice(t *testing.T) *oauth2.Token { return s.aliceBy(t, "app") }

// aliceBy gets them by the client given.
func (s *keycloak) aliceBy(t *testing.T, clientID string) *oauth2.Token {
	t.Helper()
	config := oauth2.Config{
		ClientID: clientID, Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{TokenURL: s.endpoint("token"), AuthStyle: oauth2.AuthStyleInParams},
	}
	token, err := config.PasswordCredentialsToken(t.Context(), "alice", "alice-password")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// service gets the access token of a service.
func (s *keycloak) service(t *testing.T, clientID string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", TokenURL: s.endpoint("token"),
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// counter counts the requests for the key set.
type counter struct{ keys atomic.Int64 }

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/certs") {
		c.keys.Add(1)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// authenticator returns one for the realm, and what counts its fetches.
func (s *keycloak) authenticator(t *testing.T) (*oidcauth.Authenticator, *counter) {
	t.Helper()
	fetches := new(counter)
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{keycloakIssuer(s.issuer())},
		Client:  &http.Client{Transport: fetches},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth, fetches
}

// masterToken gets a token that the server's other realm signed.
func (s *keycloak) masterToken(t *testing.T) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: adminClient, ClientSecret: s.secret,
		TokenURL: s.url + "/realms/master/protocol/openid-connect/token",
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// clientKey is the key with which a client authenticates to Keycloak.
type clientKey struct {
	file   string // the private key, as a JWK
	public []byte // the key set to register
}

// newClientKey makes a key and writes it into dir.
func newClientKey(dir string) (*clientKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key := jose.JSONWebKey{Key: private, KeyID: "signer-1", Algorithm: "ES256", Use: "sig"}
	text, err := key.MarshalJSON()
	if err != nil {
		return nil, err
	}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		return nil, err
	}
	k := &clientKey{file: filepath.Join(dir, "signer.jwk"), public: public}
	return k, os.WriteFile(k.file, text, 0o600)
}
