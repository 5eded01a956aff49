package oidcauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

// number is a JSON number, written as it stands.
type number = json.RawMessage

// Subjects as people's pipelines and workloads have them.
func TestAuthenticate_LongSubject(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test/" + strings.Repeat("i", 492)})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for name, subject := range map[string]string{
		"255 characters, as OpenID Connect allows": strings.Repeat("s", 255),
		"a service account of 339":                 "system:serviceaccount:" + strings.Repeat("n", 63) + ":" + strings.Repeat("a", 253),
		"a SPIFFE ID of 2048":                      "spiffe://example.org/" + strings.Repeat("w", 2027),
	} {
		c, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": subject}))
		if err != nil || c.Subject() != subject || c.Identity() != identity.New(issuer.URL(), subject) {
			t.Errorf("%s: Authenticate() error = %v, %v", name, err, c)
		}
	}
	long := strings.Repeat("s", 2048)
	if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: long}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": long})); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("revoked: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
}

// A number is a subject where the description says so, and then nothing else is.
func TestIssuer_NumericSubject(t *testing.T) {
	t.Parallel()
	id := []oidcauth.Path{{"user", "id"}}
	for _, tt := range []struct {
		name    string
		subject []oidcauth.Path
		claims  map[string]any
		want    string // the subject; empty for none
	}{
		{"an integer", nil, map[string]any{"sub": number("7")}, "7"},
		{"nought", nil, map[string]any{"sub": number("0")}, "0"},
		{"the largest", nil, map[string]any{"sub": number("9007199254740991")}, "9007199254740991"},
		{"one that is not alone", nil, map[string]any{"sub": number("9007199254740992")}, ""},
		{"its neighbour", nil, map[string]any{"sub": number("9007199254740993")}, ""},
		{"twenty digits", nil, map[string]any{"sub": number("18446744073709551623")}, ""},
		{"a fraction", nil, map[string]any{"sub": number("7.5")}, ""},
		{"a fraction of nothing", nil, map[string]any{"sub": number("7.0")}, ""},
		{"an exponent", nil, map[string]any{"sub": number("7e0")}, ""},
		{"below nought", nil, map[string]any{"sub": number("-7")}, ""},
		{"minus nought", nil, map[string]any{"sub": number("-0")}, ""},
		{"the same digits as a string", nil, map[string]any{"sub": "7"}, ""},
		{"a name", nil, map[string]any{"sub": "alice"}, ""},
		{"true", nil, map[string]any{"sub": true}, ""},
		{"null", nil, map[string]any{"sub": number("null")}, ""},
		{"nothing", nil, map[string]any{"sub": nil}, ""},
		{"another claim", id, map[string]any{"sub": "x", "user": map[string]any{"id": 7}}, "7"},
		{"another claim, a string", id, map[string]any{"sub": number("8"), "user": map[string]any{"id": "7"}}, ""},
		{"another claim that is not there", id, map[string]any{"sub": number("8")}, ""},
	} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.NumericSubject, trusted.Subject = true, tt.subject
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		c, err := a.Authenticate(t.Context(), issuer.Token(tt.claims))
		switch {
		case tt.want == "" && !errors.Is(err, oidcauth.ErrClaim):
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, oidcauth.ErrClaim)
		case tt.want != "" && (err != nil || c.Subject() != tt.want || c.Identity() != identity.New(issuer.URL(), tt.want)):
			t.Errorf("%s: Authenticate() = %v, %v, want subject %q", tt.name, c, err, tt.want)
		}
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": number("7")})); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("where numbers are no subjects: Authenticate() error = %v, want %v", err, oidcauth.ErrClaim)
	}
}

// What could give a number and a string one identity is no description.
func TestIssuer_NumericSubject_Alone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*oidcauth.Issuer){
		"two claims":         func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"a"}, {"b"}} },
		"and another, or it": func(i *oidcauth.Issuer) { i.SubjectElse = []oidcauth.Path{{"name"}} },
	} {
		_, trusted := newIssuer(t, oidctest.Config{})
		trusted.NumericSubject = true
		change(&trusted)
		if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}); err == nil || !strings.Contains(err.Error(), "NumericSubject") {
			t.Errorf("%s: New() error = %v, want one about NumericSubject", name, err)
			if err == nil {
				a.Close()
			}
		}
	}
}

// "sub" is no reason to refuse a token whose subject is another claim, and a
// revocation finds it there all the same.
func TestAuthenticate_SubBesideTheSubject(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Subject = []oidcauth.Path{{"uid"}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := func(sub any) string { return issuer.Token(map[string]any{"uid": "alice", "sub": sub}) }
	for _, sub := range []any{nil, "", number("null"), number("7"), number("7.5"), true, []string{"x"}, map[string]any{"x": 1}, strings.Repeat("s", 4000)} {
		if c, err := a.Authenticate(t.Context(), token(sub)); err != nil || c.Subject() != "alice" {
			t.Errorf("sub %v: Authenticate() = %v, %v, want alice", fmt.Sprintf("%.20v", sub), c, err)
		}
	}
	if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "7"}); err != nil {
		t.Fatal(err)
	}
	for sub, want := range map[string]error{"7": oidcauth.ErrRevoked, "8": nil} {
		if _, err := a.Authenticate(t.Context(), token(number(sub))); !errors.Is(err, want) {
			t.Errorf("sub %s: Authenticate() error = %v, want %v", sub, err, want)
		}
	}
}

// A logout reaches callers who are named by numbers, and those whose "sub" is one
// though they are named by another claim.
func TestLogoutHandler_NumericSubject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*oidcauth.Issuer)
		sub    any
		status int
	}{
		{"a number", func(i *oidcauth.Issuer) { i.NumericSubject = true }, 7, 200},
		{"a word where numbers are wanted", func(i *oidcauth.Issuer) { i.NumericSubject = true }, "alice", 400},
		{"digits that nobody is named by", func(i *oidcauth.Issuer) { i.NumericSubject = true }, "07", 400},
		{"a number beside the subject", func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"uid"}} }, 7, 200},
		{"a number where strings are wanted", func(*oidcauth.Issuer) {}, 7, 400},
		{"the longest", func(*oidcauth.Issuer) {}, strings.Repeat("s", 2048), 200},
		{"a longer one", func(*oidcauth.Issuer) {}, strings.Repeat("s", 2049), 400},
	} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		tt.change(&trusted)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"sub": tt.sub, "uid": "alice"})
		if _, err := a.Authenticate(t.Context(), token); err != nil && tt.status == 200 {
			t.Errorf("%s: Authenticate() error = %v", tt.name, err)
		}
		if got := postLogout(a, logoutToken(issuer, map[string]any{"sub": tt.sub})).StatusCode; got != tt.status {
			t.Errorf("%s: logout answered %d, want %d", tt.name, got, tt.status)
		}
		if _, err := a.Authenticate(t.Context(), token); tt.status == 200 && !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("%s: after the logout: Authenticate() error = %v, want %v", tt.name, err, oidcauth.ErrRevoked)
		}
	}
}

// OpenID Connect has strings for subjects. An issuer that names callers by numbers may
// keep to that in its logout tokens: nobody but the caller of that number is meant.
func TestLogoutHandler_NumberInAString(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.NumericSubject = true
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	seven, eight := issuer.Token(map[string]any{"sub": 7}), issuer.Token(map[string]any{"sub": 8})
	refuses(t, a, seven, nil)
	if got := postLogout(a, logoutToken(issuer, map[string]any{"sub": "7"})).StatusCode; got != 200 {
		t.Errorf("logout answered %d", got)
	}
	refuses(t, a, seven, oidcauth.ErrRevoked)
	refuses(t, a, eight, nil)
}

// bundle returns an issuer's keys as a trust domain publishes them, for that use.
func bundle(t *testing.T, issuer *oidctest.Issuer, use string) json.RawMessage {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		key["use"] = use
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A JWT-SVID names no issuer: its subject's trust domain has to vouch for it, and
// for its own workloads alone.
func TestAuthenticate_JWTSVID(t *testing.T) {
	t.Parallel()
	const domain, workload = "spiffe://example.org", "spiffe://example.org/ns/default/sa/web"
	issuer, _ := newIssuer(t, oidctest.Config{})
	other, ordinary := newIssuer(t, oidctest.Config{URL: "https://other.test"})
	ordinary.Keys.JWKS = other.KeySet()
	trusted := oidcauth.Issuer{URL: domain, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: bundle(t, issuer, "jwt-svid")}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, ordinary}})
	for _, tt := range []struct {
		name   string
		header map[string]any
		claims map[string]any
		want   error
	}{
		{"as it should be", nil, map[string]any{"sub": workload}, nil},
		{"of type JOSE", map[string]any{"typ": "JOSE"}, map[string]any{"sub": workload}, nil},
		{"without type", map[string]any{"typ": nil}, map[string]any{"sub": workload}, nil},
		{"an issuer that is the trust domain", nil, map[string]any{"iss": domain, "sub": workload}, nil},
		{"an access token's type", map[string]any{"typ": "at+jwt"}, map[string]any{"sub": workload}, oidcauth.ErrTokenType},
		{"another audience", nil, map[string]any{"sub": workload, "aud": "x"}, oidcauth.ErrAudience},
		{"no expiry", nil, map[string]any{"sub": workload, "exp": nil}, oidcauth.ErrClaim},
		{"another trust domain", nil, map[string]any{"sub": "spiffe://example.com/ns/default/sa/web"}, oidcauth.ErrUnknownIssuer},
		{"a trust domain below", nil, map[string]any{"sub": "spiffe://a.example.org/web"}, oidcauth.ErrUnknownIssuer},
		{"its trust domain, and another's workload", nil, map[string]any{"iss": domain, "sub": "spiffe://example.com/web"}, oidcauth.ErrClaim},
		{"its trust domain, and a name", nil, map[string]any{"iss": domain, "sub": "alice"}, oidcauth.ErrClaim},
		{"another issuer's name", nil, map[string]any{"iss": "https://other.test", "sub": workload}, oidcauth.ErrUnknownKey},
		{"an issuer that is null", nil, map[string]any{"iss": json.RawMessage("null"), "sub": workload}, oidcauth.ErrClaim},
		{"the trust domain alone", nil, map[string]any{"sub": domain}, oidcauth.ErrClaim},
		{"nothing behind the slash", nil, map[string]any{"sub": domain + "/"}, oidcauth.ErrClaim},
		{"a slash at the end", nil, map[string]any{"sub": workload + "/"}, oidcauth.ErrClaim},
		{"two slashes", nil, map[string]any{"sub": domain + "//web"}, oidcauth.ErrClaim},
		{"a way up", nil, map[string]any{"sub": domain + "/ns/../web"}, oidcauth.ErrClaim},
		{"an escape", nil, map[string]any{"sub": domain + "/%77eb"}, oidcauth.ErrClaim},
		{"a query", nil, map[string]any{"sub": workload + "?x"}, oidcauth.ErrClaim},
		{"a port", nil, map[string]any{"sub": "spiffe://example.org:443/web"}, oidcauth.ErrClaim},
		{"capitals in the trust domain", nil, map[string]any{"sub": "spiffe://Example.org/web"}, oidcauth.ErrClaim},
		{"capitals in the scheme", nil, map[string]any{"sub": "SPIFFE://example.org/web"}, oidcauth.ErrClaim},
		{"2049 bytes", nil, map[string]any{"sub": domain + "/" + strings.Repeat("w", 2028)}, oidcauth.ErrClaim},
		{"no subject", nil, nil, oidcauth.ErrClaim},
	} {
		claims := map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Minute).Unix()}
		for name, value := range tt.claims {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		token := issuer.Sign(maps.Clone(tt.header), claims)
		c, err := a.Authenticate(t.Context(), token)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && (c.Issuer() != domain || c.Identity() != identity.New(domain, workload)) {
			t.Errorf("%s: issuer %q, identity %v", tt.name, c.Issuer(), c.Identity())
		}
	}
}

// Which keys a trust domain signs tokens with, and where they can come from.
func TestNew_TrustDomain(t *testing.T) {
	t.Parallel()
	issuer, _ := newIssuer(t, oidctest.Config{})
	token := issuer.Sign(nil, map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Minute).Unix(), "sub": "spiffe://example.org/web"})
	for _, tt := range []struct {
		name, url, use string
		good           bool // New
		want           error
	}{
		{"for JWT-SVIDs", "spiffe://example.org", "jwt-svid", true, nil},
		{"for signatures", "spiffe://example.org", "sig", true, nil},
		{"for X.509-SVIDs", "spiffe://example.org", "x509-svid", false, nil},
		{"for JWT-SVIDs of an issuer with a URL", "https://example.org", "jwt-svid", false, nil},
		{"a slash at the end", "spiffe://example.org/", "jwt-svid", false, nil},
		{"a workload", "spiffe://example.org/web", "jwt-svid", false, nil},
		{"capitals", "spiffe://Example.org", "jwt-svid", false, nil},
		{"no name", "spiffe://", "jwt-svid", false, nil},
	} {
		trusted := oidcauth.Issuer{URL: tt.url, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: bundle(t, issuer, tt.use)}}
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
		if (err == nil) != tt.good {
			t.Errorf("%s: New() error = %v, want one: %v", tt.name, err, !tt.good)
		}
		if err != nil {
			continue
		}
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
		a.Close()
	}
	nowhere := oidcauth.Issuer{URL: "spiffe://example.org", Audiences: []string{testAudience}}
	if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{nowhere}}); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Errorf("without keys: New() error = %v, want one that says where they could come from", err)
		if err == nil {
			a.Close()
		}
	}
}

// Where no trust domain is configured, a token without issuer stays one.
func TestAuthenticate_JWTSVID_OfNobody(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for name, cfg := range map[string]oidcauth.Config{
		"configured issuers": {Issuers: []oidcauth.Issuer{trusted}},
		"strangers too":      {Issuers: []oidcauth.Issuer{trusted}, AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{testAudience}}},
	} {
		a := newAuthenticator(t, cfg)
		token := issuer.Sign(nil, map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Minute).Unix(), "sub": "spiffe://example.org/web"})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("%s: Authenticate() error = %v, want %v", name, err, oidcauth.ErrUnknownIssuer)
		}
	}
}
