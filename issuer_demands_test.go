package oidcauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The type is that of the token's header, in one spelling, and none of a token that
// has none.
func TestClaims_Type(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.TokenTypes = []string{"JWT", "at+jwt", "Application/Example+JWT"}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name string
		typ  any
		want string
	}{
		{"JWT", "JWT", "jwt"},
		{"another spelling of it", "jwt", "jwt"},
		{"an access token", "at+jwt", "at+jwt"},
		{"an access token's media type", "application/AT+JWT", "at+jwt"},
		{"one of the program's own", "example+jwt", "example+jwt"},
		{"none", nil, ""},
	} {
		token := issuer.Sign(map[string]any{"typ": tt.typ}, claimsOf(t, issuer.Token(nil)))
		for _, use := range []string{"first use", "second use"} {
			c, err := a.Authenticate(t.Context(), token)
			if err != nil || c.Type() != tt.want {
				t.Errorf("%s, %s: Authenticate() error = %v, type %q, want %q", tt.name, use, err, typeOf(c), tt.want)
			}
		}
	}
	c, err := a.UnverifiedClaims([]byte(claimsOf(t, issuer.Token(nil))), nil)
	if err != nil || c.Type() != "" {
		t.Errorf("UnverifiedClaims() error = %v, type %q, want none", err, typeOf(c))
	}
}

func typeOf(c *oidcauth.Claims) string {
	if c == nil {
		return "of nothing"
	}
	return c.Type()
}

// claimsOf returns the payload of a token.
func claimsOf(t *testing.T, token string) string {
	t.Helper()
	_, payload, _ := hostile.Parts(token)
	return hostile.Decode(t, payload)
}

// All wants every one of its values, whatever else there is.
func TestClaimRule_All(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, tt := range []struct {
		name     string
		optional bool
		amr      any
		want     error
	}{
		{"both", false, []string{"pwd", "otp"}, nil},
		{"both in another order, and more", false, []string{"otp", "x", "pwd"}, nil},
		{"one", false, []string{"pwd"}, oidcauth.ErrRule},
		{"one twice", false, []string{"pwd", "pwd"}, oidcauth.ErrRule},
		{"in one string", false, "pwd otp", oidcauth.ErrRule},
		{"none", false, []string{}, oidcauth.ErrRule},
		{"a number among them", false, []any{"pwd", "otp", 1}, oidcauth.ErrRule},
		{"missing", false, nil, oidcauth.ErrRule},
		{"missing, and it may", true, nil, nil},
		{"one, where it may be missing", true, []string{"pwd"}, oidcauth.ErrRule},
	} {
		trusted.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"amr"}, All: []string{"pwd", "otp"}, Optional: tt.optional}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"amr": tt.amr})); !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
	}
	for name, rule := range map[string]oidcauth.ClaimRule{
		"no value":        {Claim: oidcauth.Path{"amr"}, All: []string{}},
		"and another one": {Claim: oidcauth.Path{"amr"}, All: []string{"a"}, In: []string{"b"}},
	} {
		trusted.ClaimRules = []oidcauth.ClaimRule{rule}
		if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}); err == nil {
			t.Errorf("%s: New() error = nil", name)
			a.Close()
		}
	}
}

// Whatever is refused with 401 or 403 has a parameter in its challenge, and an error
// code exactly if there was a token (RFC 6750, sections 3 and 3.1).
func TestRefuse_ChallengeHasAParameter(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, metadata := range []string{"", "https://db.test/.well-known/oauth-protected-resource"} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), ResourceMetadataURL: metadata})
		for _, refused := range sentinels {
			resp := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Refuse(w, r, refused) }), newRequest(t, "GET /"))
			if resp.StatusCode >= http.StatusInternalServerError {
				continue
			}
			challenge := resp.Header.Get("WWW-Authenticate")
			scheme, parameters, _ := strings.Cut(challenge, " ")
			if scheme != "Bearer" || !strings.Contains(parameters, `="`) {
				t.Errorf("%v: challenge = %q, want a parameter", refused, challenge)
			}
			if strings.Contains(challenge, "error=") == errors.Is(refused, oidcauth.ErrNoToken) {
				t.Errorf("%v: challenge = %q, want an error code exactly if there was a token", refused, challenge)
			}
			if strings.Contains(challenge, "realm=") != (metadata == "" && errors.Is(refused, oidcauth.ErrNoToken)) {
				t.Errorf("%v: challenge = %q, want a realm where there is nothing else", refused, challenge)
			}
		}
	}
}

// A subject made of an e-mail address needs a word about who verified it.
func TestNew_EmailAsSubject(t *testing.T) {
	t.Parallel()
	path := func(names ...string) oidcauth.Path { return names }
	verified := oidcauth.ClaimRule{Claim: path("email_verified"), In: []string{"true"}}
	for _, tt := range []struct {
		name    string
		subject []oidcauth.Path
		other   []oidcauth.Path
		rules   []oidcauth.ClaimRule
		good    bool
	}{
		{"no e-mail address", []oidcauth.Path{path("uid")}, nil, nil, true},
		{"an e-mail address", []oidcauth.Path{path("email")}, nil, nil, false},
		{"one that is verified", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{verified}, true},
		{"one that is verified, or another demand", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{{Claim: verified.Claim, In: verified.In, Or: []oidcauth.ClaimRule{{Claim: path("hd"), In: []string{"example.com"}}}}}, false},
		{"one of which the issuer says nothing", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{{Claim: path("email_verified"), Absent: true}}, true},
		{"verified or not", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{{Claim: path("email_verified"), In: []string{"true", "false"}}}, false},
		{"verified or missing", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{{Claim: path("email_verified"), In: []string{"true"}, Optional: true}}, false},
		{"present", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{{Claim: path("email_verified"), Present: true}}, false},
		{"another claim that is verified", []oidcauth.Path{path("email")}, nil, []oidcauth.ClaimRule{{Claim: path("phone_verified"), In: []string{"true"}}}, false},
		{"as a part", []oidcauth.Path{path("tid"), path("email")}, nil, nil, false},
		{"where the subject is missing", nil, []oidcauth.Path{path("email")}, nil, false},
		{"where the subject is missing, verified", nil, []oidcauth.Path{path("email")}, []oidcauth.ClaimRule{verified}, true},
		{"below another claim", []oidcauth.Path{path("user", "email")}, nil, nil, false},
		{"below another claim, verified above", []oidcauth.Path{path("user", "email")}, nil, []oidcauth.ClaimRule{verified}, false},
		{"below another claim, verified there", []oidcauth.Path{path("user", "email")}, nil, []oidcauth.ClaimRule{{Claim: path("user", "email_verified"), In: []string{"true"}}}, true},
		{"with a namespace", []oidcauth.Path{path("https://example.com/email")}, nil, nil, false},
		{"with a namespace, verified in it", []oidcauth.Path{path("https://example.com/email")}, nil, []oidcauth.ClaimRule{{Claim: path("https://example.com/email_verified"), In: []string{"true"}}}, true},
		{"a word that ends alike", []oidcauth.Path{path("voicemail")}, nil, nil, true},
	} {
		_, trusted := newIssuer(t, oidctest.Config{})
		trusted.Subject, trusted.SubjectElse, trusted.ClaimRules = tt.subject, tt.other, tt.rules
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
		if (err == nil) != tt.good {
			t.Errorf("%s: New() error = %v, want one: %v", tt.name, err, !tt.good)
		}
		if err == nil {
			a.Close()
		}
	}
}

// Both names of the signature that every Ed25519 key makes are accepted where
// nothing is said of algorithms.
func TestAuthenticate_Ed25519(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: "EdDSA"})
	key := issuer.NewKey(oidctest.KeyConfig{Algorithm: "EdDSA", JWK: map[string]any{"alg": nil}})
	issuer.Publish(key)
	issuer.SignWith(key)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for alg, want := range map[string]error{"EdDSA": nil, "Ed25519": nil, "ed25519": oidcauth.ErrAlgorithm, "Ed448": oidcauth.ErrAlgorithm} {
		if _, err := a.Authenticate(t.Context(), issuer.Sign(map[string]any{"alg": alg}, claimsOf(t, issuer.Token(nil)))); !errors.Is(err, want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", alg, err, want)
		}
	}
}
