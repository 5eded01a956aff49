package issuers_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// What docs/providers.md says of tokens that are for nobody here: each is refused by the
// description that would be tried first, and its twin, which the page names instead, is
// accepted.
func TestNotThisOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := func(call, sample string) string { return w.sign(t, sampleOf(t, providerOf(t, call).tokens, sample)) }
	graph := func(i *oidcauth.Issuer) { i.Audiences = append(i.Audiences, "00000003-0000-0000-c000-000000000000") }
	tests := []struct {
		what, call string
		change     func(*oidcauth.Issuer)
		twin       string
		token      string
		want       error
	}{
		{
			"a load balancer's", "CognitoAccess", nil,
			good("CognitoAccess", "access token"),
			padded(t, good("CognitoAccess", "access token")), oidcauth.ErrMalformedToken,
		}, {
			"Microsoft Graph's", "EntraSingleV1", graph,
			good("EntraSingleV1", "access token of version 1"),
			forGraph(t, w), oidcauth.ErrSignature,
		}, {
			"what Cloud Run leaves of one", "GoogleServiceAccount", nil,
			good("GoogleServiceAccount", "ID token"),
			stripped(good("GoogleServiceAccount", "ID token")), oidcauth.ErrSignature,
		}, {
			"GitHub's login", "GitHubActions", nil,
			good("GitHubActions", "job"),
			"gho_" + strings.Repeat("x", 36), oidcauth.ErrMalformedToken,
		}, {
			"Facebook's login", "FacebookLimitedLogin", nil,
			good("FacebookLimitedLogin", "ID token"),
			"EAA" + strings.Repeat("x", 180), oidcauth.ErrMalformedToken,
		}, {
			"Okta's organization's", "Okta", nil,
			good("Okta", "access token"),
			good("Okta", "access token of the organization"), oidcauth.ErrUnknownIssuer,
		},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			p := providerOf(t, tt.call)
			i := p.issuer(t)
			if tt.change != nil {
				tt.change(&i)
			}
			a := w.authenticator(t, p, i)
			if _, err := a.Authenticate(t.Context(), tt.twin); err != nil {
				t.Errorf("its twin: Authenticate() error = %v", err)
			}
			if _, err := a.Authenticate(t.Context(), tt.token); !errors.Is(err, tt.want) {
				t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
			}
		})
	}
}

// padded encodes the parts of a token as the load balancers do, so that one at least
// ends with "=".
func padded(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	for n, part := range parts {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		parts[n] = base64.URLEncoding.EncodeToString(text)
	}
	if !strings.Contains(strings.Join(parts, "."), "=") {
		t.Fatal("no padding")
	}
	return strings.Join(parts, ".")
}

// forGraph is signed while the nonce in its header is hashed, and has it plain.
func forGraph(t *testing.T, w *world) string {
	t.Helper()
	const nonce = "example"
	hashed := sha256.Sum256([]byte(nonce))
	s := sampleOf(t, "entra", "access token of version 1")
	token := w.sign(t, s.changed(claims{"nonce": base64.RawURLEncoding.EncodeToString(hashed[:])}, claims{"aud": "00000003-0000-0000-c000-000000000000"}))
	head, rest, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]any
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	header["nonce"] = nonce
	if text, err = json.Marshal(header); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text) + "." + rest
}

// stripped has words in place of the signature, as Cloud Run hands it on.
func stripped(token string) string {
	return token[:strings.LastIndexByte(token, '.')] + ".SIGNATURE_REMOVED_BY_GOOGLE"
}
