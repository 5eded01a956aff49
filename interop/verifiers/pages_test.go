package verifiers_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// publish puts the keys where a verifier or a description looks for them.
func (w *world) publish(t *testing.T, a *authority) {
	t.Helper()
	set := map[string]any{"keys": []any{json.RawMessage(w.keys["RS256"].JWK()), json.RawMessage(w.keys["ES256"].JWK())}}
	for _, address := range keySets {
		w.says(t, address, set)
	}
	cert, err := a.vouch("example.com", w.keys["RS256"].Public())
	if err != nil {
		t.Fatal(err)
	}
	certificates := map[string]string{w.keys["RS256"].ID(): string(pemOf(cert.Certificate[0]))}
	for _, address := range certificateSets {
		w.says(t, address, certificates)
	}
	for address, document := range documents {
		w.says(t, address, document)
	}
	for address, file := range documentFiles {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "discovery", file))
		if err != nil {
			t.Fatal(err)
		}
		w.says(t, address, json.RawMessage(text))
	}
	public, err := x509.MarshalPKIXPublicKey(w.keys["ES256"].Public())
	if err != nil {
		t.Fatal(err)
	}
	w.says(t, "https://www.gstatic.com/iap/verify/public_key", map[string]string{
		w.keys["ES256"].ID(): string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	})
	w.put("https://my-domain.auth0.com/oauth/token", func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, map[string]any{"id_token": r.FormValue("code"), "access_token": "example", "token_type": "Bearer"})
	})
	w.put("https://api.workos.com/user_management/authenticate", func(rw http.ResponseWriter, r *http.Request) {
		var asked struct{ Code string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		answer(rw, map[string]any{"access_token": asked.Code, "refresh_token": "example", "user": map[string]any{"id": "user_1", "object": "user"}})
	})
	w.put("https://pipelines.example.com/", func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, map[string]any{"value": r.FormValue("value")})
	})
	// Supabase's server knows no token, so that nothing but a verifier's own checks
	// can let one pass.
	w.put(supabaseURL+"/user", func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusForbidden)
		answer(rw, map[string]any{"code": 403, "error_code": "bad_jwt", "msg": "invalid JWT"})
	})
}

func answer(rw http.ResponseWriter, document any) { json.NewEncoder(rw).Encode(document) }

const (
	supabaseURL  = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
	entraTenant  = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	entraTenant1 = "f24341ef-7a6f-4cff-abb7-99a11ab11127"
	b2cHost      = "https://contosob2c.b2clogin.com/"
	b2cTenant    = "775527ff-9a37-4307-8b3d-cc311f58d925"
	entraHost    = "https://login.microsoftonline.com/"
)

var keySets = []string{
	"https://api.clerk.com/v1/jwks",
	"https://your-site.clerk.accounts.dev/.well-known/jwks.json",
	"https://my-domain.auth0.com/.well-known/jwks.json",
	"https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
	"https://www.googleapis.com/oauth2/v3/certs",
	"https://cognito-idp.us-east-2.amazonaws.com/us-east-2_XXXXXXX/.well-known/jwks.json",
	"https://oie-8764513.oktapreview.com/oauth2/default/v1/keys",
	entraHost + entraTenant + "/discovery/v2.0/keys",
	entraHost + "common/discovery/keys",
	"https://appleid.apple.com/auth/keys",
	supabaseURL + "/.well-known/jwks.json",
	"https://api.workos.com/sso/jwks/client_01EXAMPLE",
	"https://token.actions.githubusercontent.com/.well-known/jwks",
	"https://yourteam.cloudflareaccess.com/cdn-cgi/access/certs",
	"https://www.gstatic.com/iap/verify/public_key-jwk",
	"https://firebaseappcheck.googleapis.com/v1/jwks",
	"https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/B2C_1_signin/discovery/v2.0/keys",
}

// certificateSets hold the keys as certificates.
var certificateSets = []string{
	"https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com",
	"https://www.googleapis.com/oauth2/v1/certs",
}

// documentFiles are discovery documents as their providers publish them.
var documentFiles = map[string]string{
	"https://accounts.google.com/.well-known/openid-configuration":                                   "google.json",
	"https://cognito-idp.us-east-2.amazonaws.com/us-east-2_XXXXXXX/.well-known/openid-configuration": "cognito.json",
	"https://oie-8764513.oktapreview.com/oauth2/default/.well-known/openid-configuration":            "okta-custom-default.json",
	entraHost + entraTenant1 + "/.well-known/openid-configuration":                                   "entra-tenant-v1.json",
	"https://appleid.apple.com/.well-known/openid-configuration":                                     "apple.json",
	"https://token.actions.githubusercontent.com/.well-known/openid-configuration":                   "github-actions.json",
}

// documents are those of which no copy is in testdata.
var documents = map[string]any{
	b2cHost + "contosob2c.onmicrosoft.com/B2C_1_signin/v2.0/.well-known/openid-configuration": map[string]any{
		"issuer": b2cHost + b2cTenant + "/v2.0/", "jwks_uri": b2cHost + "contosob2c.onmicrosoft.com/B2C_1_signin/discovery/v2.0/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	},
	"https://my-domain.auth0.com/.well-known/openid-configuration": map[string]any{
		"issuer": "https://my-domain.auth0.com/", "jwks_uri": "https://my-domain.auth0.com/.well-known/jwks.json",
		"id_token_signing_alg_values_supported": []string{"HS256", "RS256", "PS256"},
	},
	entraHost + entraTenant + "/v2.0/.well-known/openid-configuration": map[string]any{
		"issuer": entraHost + entraTenant + "/v2.0", "jwks_uri": entraHost + entraTenant + "/discovery/v2.0/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	},
}
