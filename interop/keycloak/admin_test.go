package keycloak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"golang.org/x/oauth2/clientcredentials"
)

const (
	realm       = "games"
	adminClient = "bootstrap-admin"
	keyProvider = "org.keycloak.keys.KeyProvider"
)

// issuer returns the URL of the realm of the tests.
func (s *keycloak) issuer() string { return s.url + "/realms/" + realm }

// endpoint returns the address of one of the realm's endpoints.
func (s *keycloak) endpoint(name string) string {
	return s.issuer() + "/protocol/openid-connect/" + name
}

// admin calls the administration interface and decodes the answer into result,
// unless that is nil.
func (s *keycloak) admin(ctx context.Context, method, path string, body, result any) error {
	config := clientcredentials.Config{
		ClientID: adminClient, ClientSecret: s.secret,
		TokenURL: s.url + "/realms/master/protocol/openid-connect/token",
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+"/admin/realms"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := config.Client(ctx).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}

// importRealm creates the realm of testdata, with the key of the client that
// authenticates by signing.
func (s *keycloak) importRealm(ctx context.Context, file string, signerKeys []byte) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var content map[string]any
	if err := json.Unmarshal(text, &content); err != nil {
		return err
	}
	for _, client := range content["clients"].([]any) {
		client := client.(map[string]any)
		if client["clientId"] == "signer" {
			client["attributes"].(map[string]any)["jwks.string"] = string(signerKeys)
		}
	}
	return s.admin(ctx, http.MethodPost, "", content, nil)
}

// component is a part of a realm that can be configured; here, a key.
type component struct {
	ID           string              `json:"id,omitempty"`
	Name         string              `json:"name"`
	ProviderID   string              `json:"providerId"`
	ProviderType string              `json:"providerType"`
	ParentID     string              `json:"parentId,omitempty"`
	Config       map[string][]string `json:"config"`
}

// realmKey is a key as the administration interface lists it.
type realmKey struct {
	KeyID      string `json:"kid"`
	Status     string `json:"status"`
	Algorithm  string `json:"algorithm"`
	Use        string `json:"use"`
	ProviderID string `json:"providerId"` // the component
}

// signingKey returns the realm's key that is in use for signing with RS256.
func (s *keycloak) signingKey(t *testing.T) realmKey {
	t.Helper()
	var answer struct {
		Active map[string]string `json:"active"`
		Keys   []realmKey        `json:"keys"`
	}
	if err := s.admin(t.Context(), http.MethodGet, "/"+realm+"/keys", nil, &answer); err != nil {
		t.Fatal(err)
	}
	for _, key := range answer.Keys {
		if key.KeyID == answer.Active["RS256"] && key.Use == "SIG" {
			return key
		}
	}
	t.Fatalf("the realm has no active RS256 key: %+v", answer)
	return realmKey{}
}

// rotate gives the realm a key that takes precedence over those it has.
func (s *keycloak) rotate(t *testing.T, priority int) {
	t.Helper()
	key := component{
		Name: fmt.Sprint("key-", priority), ProviderID: "rsa-generated", ProviderType: keyProvider,
		Config: map[string][]string{
			"priority": {fmt.Sprint(priority)}, "enabled": {"true"}, "active": {"true"},
			"algorithm": {"RS256"}, "keySize": {"2048"},
		},
	}
	if err := s.admin(t.Context(), http.MethodPost, "/"+realm+"/components", key, nil); err != nil {
		t.Fatal(err)
	}
}

// retire has the key published, but no longer used for signing.
func (s *keycloak) retire(t *testing.T, key realmKey) {
	t.Helper()
	path := "/" + realm + "/components/" + key.ProviderID
	var c component
	if err := s.admin(t.Context(), http.MethodGet, path, nil, &c); err != nil {
		t.Fatal(err)
	}
	c.Config["active"] = []string{"false"}
	if err := s.admin(t.Context(), http.MethodPut, path, c, nil); err != nil {
		t.Fatal(err)
	}
}

// remove deletes the key.
func (s *keycloak) remove(t *testing.T, key realmKey) {
	t.Helper()
	if err := s.admin(t.Context(), http.MethodDelete, "/"+realm+"/components/"+key.ProviderID, nil, nil); err != nil {
		t.Fatal(err)
	}
}
