package oidcauth_test

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/issuers"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An address that cannot be right is refused with what to write instead.
func TestMessages_Addresses(t *testing.T) {
	t.Parallel()
	keys := oidcauth.KeysFrom{JWKSURL: "https://i.test/keys"}
	for _, tt := range []struct {
		name   string
		issuer oidcauth.Issuer
		want   string // empty if it is accepted
	}{
		{"https", oidcauth.Issuer{URL: "https://i.test"}, ""},
		{"none", oidcauth.Issuer{}, `it is empty, want what tokens have in "iss"`},
		{"no scheme", oidcauth.Issuer{URL: "i.test"}, `no host in "i.test": want https:// and a host`},
		{"http", oidcauth.Issuer{URL: "http://i.test"}, "name it in InsecureHTTPHosts"},
		{"http, named", oidcauth.Issuer{URL: "http://i.test", Keys: oidcauth.KeysFrom{InsecureHTTPHosts: []string{"i.test"}}}, ""},
		{"http on this machine", oidcauth.Issuer{URL: "http://localhost:8080"}, "set InsecureHTTP"},
		{"http on this machine, permitted", oidcauth.Issuer{URL: "http://localhost:8080", Keys: oidcauth.KeysFrom{InsecureHTTP: true}}, ""},
		{"a discovery document", oidcauth.Issuer{URL: "https://i.test/realms/a/.well-known/openid-configuration"}, `write "https://i.test/realms/a"`},
		{"a document of RFC 8414", oidcauth.Issuer{URL: "https://i.test/.well-known/oauth-authorization-server/a"}, `write "https://i.test/a"`},
		{"a document whose keys are elsewhere", oidcauth.Issuer{URL: "https://i.test/.well-known/openid-configuration", Keys: keys}, ""},
		{"the issuer as document", oidcauth.Issuer{URL: "https://i.test", Keys: oidcauth.KeysFrom{DiscoveryURL: "https://i.test/"}}, "leave it empty"},
	} {
		tt.issuer.Audiences = []string{testAudience}
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{tt.issuer}})
		if err == nil {
			a.Close()
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New() error = %v, want one that says %q", tt.name, err, tt.want)
		}
	}
}

// A password in an address is in no error, whatever else is wrong, nor is a key in its
// query. It is refused where that address would be asked; where it is the mere name of an
// issuer it may stand.
func TestMessages_Password(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	const address = "https://user:" + password + "@i.test"
	for _, tt := range []struct {
		name   string
		issuer oidcauth.Issuer
		want   string // empty if it is accepted
	}{
		{"an issuer", oidcauth.Issuer{URL: address, Audiences: []string{testAudience}}, "user information"},
		{"one with a slash in the password", oidcauth.Issuer{URL: "https://user:a/" + password + "@i.test", Audiences: []string{testAudience}}, "user information"},
		{"one with a number sign in the password", oidcauth.Issuer{URL: "https://user:a#" + password + "@i.test", Audiences: []string{testAudience}}, "user information"},
		{"one without audience", oidcauth.Issuer{URL: address}, "user information"},
		{"one with a blank", oidcauth.Issuer{URL: address + " "}, "white space"},
		{"one with a bar", oidcauth.Issuer{URL: address + "|"}, "separates"},
		{"one that is long", oidcauth.Issuer{URL: address + strings.Repeat("/a", 300)}, "512"},
		{"a document", oidcauth.Issuer{URL: "https://i.test", Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{DiscoveryURL: address}}, "user information"},
		{"a key set", oidcauth.Issuer{URL: "https://i.test", Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKSURL: address + " "}}, "white space"},
		{"an issuer with a key", oidcauth.Issuer{URL: "https://i.test/?key=" + password}, "neither query"},
		{"one of tenants with a key", oidcauth.Issuer{URL: "https://i.test/{tenantid}?key=" + password, TenantClaim: "tid"}, "neither query"},
		{"one with a key and a blank", oidcauth.Issuer{URL: "https://i.test/?key=" + password + " "}, "white space"},
		{"a document with a key and a blank", oidcauth.Issuer{URL: "https://i.test", Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{DiscoveryURL: "https://i.test/document?key=" + password + " "}}, "white space"},
		{"a name", oidcauth.Issuer{URL: address, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKSURL: "https://i.test/keys"}}, ""},
	} {
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{tt.issuer}})
		if err == nil {
			a.Close()
		}
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), password)) {
			t.Errorf("%s: New() error = %v, want one that says %q, and not the password", tt.name, err, tt.want)
		}
	}
}

// Keys that the issuer's document sends us to in vain: the error says what to set.
func TestMessages_Documents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, jwks, want string }{
		{"good", "https://i.test/jwks.json", ""},
		{"relative", "/jwks.json", "set JWKSURL to the whole address"},
		{"inner", "http://keycloak:8080/jwks.json", "or set JWKSURL"},
		{"inner, by https", "https://keycloak:8443/jwks.json", "set JWKSURL to where it reaches the keys"},
		{"down, on the issuer's own host", "https://i.test/down", "connection refused"},
	} {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://i.test"})
		reach := issuer.Client().Transport
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
				return document(`{"issuer":"https://i.test","jwks_uri":"` + tt.jwks + `"}`), nil
			case r.URL.Host == "keycloak:8443":
				return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: "keycloak", Err: "no such host", IsNotFound: true}}
			case r.URL.Path == "/down":
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
			return reach.RoundTrip(r)
		})}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: client})
		_, err := a.Authenticate(t.Context(), issuer.Token(nil))
		if (err == nil) != (tt.want == "") || err != nil && (!errors.Is(err, oidcauth.ErrKeysUnavailable) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: Authenticate() error = %v, want one that says %q", tt.name, err, tt.want)
		}
		if strings.HasPrefix(tt.name, "down") && strings.Contains(err.Error(), "JWKSURL") {
			t.Errorf("%s: Authenticate() error = %v, which leads astray", tt.name, err)
		}
	}
}

// A token of the wrong kind, or without subject: the error says what to send, and what
// to set.
func TestMessages_Tokens(t *testing.T) {
	t.Parallel()
	keycloak := issuers.Keycloak("https://sso.test/realms/acme", testAudience)
	keycloakID := issuers.KeycloakID("https://sso.test/realms/acme", testAudience)
	plain := oidcauth.Issuer{URL: "https://plain.test", Audiences: []string{testAudience}}
	access := oidcauth.Issuer{URL: "https://access.test", Audiences: []string{testAudience}, TokenTypes: []string{"at+jwt"}}
	named := oidcauth.Issuer{URL: "https://named.test", Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{RequireKeyID: true}}
	exact := oidcauth.Issuer{URL: "https://exact.test", Audiences: []string{testAudience}, Leeway: -1}
	const idToken, mapper = "seems to be an ID token", `mapper "Subject (sub)"`
	for _, tt := range []struct {
		name   string
		issuer oidcauth.Issuer
		typ    string
		claims map[string]any
		err    error
		says   string
	}{
		{"Keycloak's access token", keycloak, "JWT", map[string]any{"typ": "Bearer"}, nil, ""},
		{"Keycloak's ID token", keycloak, "JWT", map[string]any{"typ": "ID"}, oidcauth.ErrRule, idToken},
		{"Keycloak's ID token, for the client", keycloak, "JWT", map[string]any{"typ": "ID", "aud": "app"}, oidcauth.ErrAudience, idToken},
		{"Keycloak's refresh token", keycloak, "JWT", map[string]any{"typ": "Refresh"}, oidcauth.ErrRule, ""},
		{"Keycloak's lightweight token", keycloak, "JWT", map[string]any{"typ": "Bearer", "sub": nil}, oidcauth.ErrClaim, mapper},
		{"Keycloak's ID token of another client, where they are taken", keycloakID, "JWT", map[string]any{"typ": "ID", "aud": "app"}, oidcauth.ErrAudience, ""},
		{"an access token", access, "at+jwt", nil, nil, ""},
		{"an ID token for access tokens", access, "JWT", map[string]any{"at_hash": "x"}, oidcauth.ErrTokenType, idToken},
		{"an ID token by its code's hash", access, "JWT", map[string]any{"c_hash": "x"}, oidcauth.ErrTokenType, idToken},
		{"an ID token as Keycloak marks it", access, "JWT", map[string]any{"typ": "ID"}, oidcauth.ErrTokenType, idToken},
		{"an ID token as Cognito marks it", access, "JWT", map[string]any{"token_use": "id"}, oidcauth.ErrTokenType, idToken},
		{"an ID token as Zitadel marks it", access, "JWT", map[string]any{"token_type": "id_token"}, oidcauth.ErrTokenType, idToken},
		{"an access token as Zitadel marks it", access, "JWT", map[string]any{"token_type": "Bearer"}, oidcauth.ErrTokenType, ""},
		{"a token of unknown kind for access tokens", access, "JWT", nil, oidcauth.ErrTokenType, ""},
		{"an ID token where they are taken", plain, "JWT", map[string]any{"at_hash": "x"}, nil, ""},
		{"an ID token for another, where they are taken", plain, "JWT", map[string]any{"at_hash": "x", "aud": "app"}, oidcauth.ErrAudience, ""},
		{"a token bound to a key", plain, "JWT", map[string]any{"cnf": map[string]any{"jkt": strings.Repeat("A", 43)}}, oidcauth.ErrTokenType, "Config.DPoP is not set"},
		{"a token bound to a certificate", plain, "JWT", map[string]any{"cnf": map[string]any{"x5t#S256": strings.Repeat("A", 43)}}, oidcauth.ErrTokenType, "Config.Certificate is not set"},
		{"an expiry as text", plain, "JWT", map[string]any{"exp": "tomorrow"}, oidcauth.ErrClaim, `got "exp": string, want seconds since 1970 as a number`},
		{"an expiry in milliseconds of another age", plain, "JWT", map[string]any{"exp": 1e18}, oidcauth.ErrClaim, `got "exp": a time out of range (perhaps in milliseconds), want seconds since 1970`},
		{"an empty subject", plain, "JWT", map[string]any{"sub": ""}, oidcauth.ErrClaim, "a subject of 0 bytes"},
		{"no audience", plain, "JWT", map[string]any{"aud": []string{}}, oidcauth.ErrAudience, "it is for nobody: got []"},
		{"a ticket", plain, "ticket+jwt", nil, oidcauth.ErrTokenType, `a ticket: got "ticket+jwt"`},
		{"no key ID", named, "JWT", nil, oidcauth.ErrUnknownKey, "Keys.RequireKeyID"},
		{"expired", plain, "JWT", map[string]any{"exp": 1e9}, oidcauth.ErrExpired, " (now, less 30s of leeway)"},
		{"expired, without leeway", exact, "JWT", map[string]any{"exp": 1e9}, oidcauth.ErrExpired, " (now)"},
		{"not yet valid", plain, "JWT", map[string]any{"nbf": 4e9}, oidcauth.ErrNotYetValid, " (now, plus 30s of leeway)"},
		{"issued in the future", plain, "JWT", map[string]any{"iat": 4e9}, oidcauth.ErrIssuedInFuture, " (now, plus 30s of leeway)"},
	} {
		issuer, _ := newIssuer(t, oidctest.Config{URL: tt.issuer.URL})
		tt.issuer.Keys.JWKS = issuer.KeySet()
		tt.issuer.Algorithms = nil
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{tt.issuer}})
		claims := map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": testAudience, "azp": "app", "jti": "1", "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(claims, tt.claims)
		if claims["sub"] == nil {
			delete(claims, "sub")
		}
		header := map[string]any{"typ": tt.typ}
		if tt.name == "no key ID" {
			header["kid"] = nil
		}
		token := issuer.Sign(header, claims)
		_, err := a.Authenticate(t.Context(), token)
		if !errors.Is(err, tt.err) || tt.says != "" && !strings.Contains(err.Error(), tt.says) || tt.says == "" && err != nil && strings.Contains(err.Error(), idToken) {
			t.Errorf("%s: Authenticate() error = %v, want %v that says %q", tt.name, err, tt.err, tt.says)
		}
		if advised := slices.ContainsFunc(a.Explain(t.Context(), token).Steps, func(s explain.Step) bool {
			return strings.Contains(s.Advice, "Have it send the access token")
		}); advised != (tt.says == idToken) {
			t.Errorf("%s: advised to send the access token: %t", tt.name, advised)
		}
	}
}

// document is an answer with JSON.
func document(body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// A token by an algorithm that its key is not for passes by no setting, nor does one by an
// algorithm that nobody may list; one by an algorithm that the description leaves out does.
func TestExplain_Algorithm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		algorithms       []string
		of, setting, tip string
	}{
		{[]string{"ES256", "RS256"}, "ES256", "", "no setting changes that"},
		{[]string{"RS256"}, "ES256", "Algorithms", "list the issuer's in Issuer.Algorithms"},
		{[]string{"RS256"}, "HS256", "", "No setting accepts this algorithm"},
		{[]string{"RS256"}, "none", "", "No setting accepts this algorithm"},
		{[]string{"RS256"}, "rs256", "", "No setting accepts this algorithm"},
	} {
		issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: "RS256"})
		trusted.Algorithms = tt.algorithms
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		key := issuer.Key()
		report := a.Explain(t.Context(), hostile.Sign(key, hostile.Header(key).Set("alg", strconv.Quote(tt.of)), hostile.Claims(issuer.URL())))
		if !errors.Is(report.Err, oidcauth.ErrAlgorithm) {
			t.Fatalf("%v: error = %v", tt, report.Err)
		}
		first := report.Steps[slices.IndexFunc(report.Steps, func(s explain.Step) bool { return s.Verdict == explain.Failed })]
		if first.Setting != tt.setting || !strings.Contains(first.Advice, tt.tip) {
			t.Errorf("%v: %s: Setting = %q, Advice = %q", tt, first.Check, first.Setting, first.Advice)
		}
	}
}
