package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// reader returns a reader of a payload whose audiences have been read.
func reader(t *testing.T, payload string) *claims.Reader {
	t.Helper()
	members, err := jws.ParseObject(nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	r := &claims.Reader{Members: members, Record: &claims.Record{Payload: payload}, Shape: &claims.Shape{}}
	if err := r.ReadAudience(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPolicy_CheckAudience(t *testing.T) {
	t.Parallel()
	one, many := []string{"a"}, []string{"a", "b", "c", "d", "e"}
	for _, tt := range []struct {
		name    string
		policy  policy.Policy
		payload string
		want    error
	}{
		{"the one", policy.Policy{Audiences: one}, `{"aud":"a"}`, nil},
		{"another", policy.Policy{Audiences: one}, `{"aud":"A"}`, refusal.ErrAudience},
		{"ours is its beginning", policy.Policy{Audiences: one}, `{"aud":"ab"}`, refusal.ErrAudience},
		{"it is the beginning of ours", policy.Policy{Audiences: []string{"ab"}}, `{"aud":"a"}`, refusal.ErrAudience},
		{"ours is its end", policy.Policy{Audiences: one}, `{"aud":"ba"}`, refusal.ErrAudience},
		{"among others", policy.Policy{Audiences: one}, `{"aud":["x","a"]}`, nil},
		{"none", policy.Policy{Audiences: one}, `{}`, refusal.ErrAudience},
		{"the last of many", policy.Policy{Audiences: many}, `{"aud":"e"}`, nil},
		{"none of many", policy.Policy{Audiences: many}, `{"aud":"f"}`, refusal.ErrAudience},
		{"any", policy.Policy{AnyAudience: true}, `{"aud":"x"}`, nil},
		{"none, keys of their own", policy.Policy{DedicatedKeys: true}, `{}`, nil},
		{"another's, keys of their own", policy.Policy{DedicatedKeys: true}, `{"aud":"x"}`, refusal.ErrAudience},
		{"ours, keys of their own", policy.Policy{DedicatedKeys: true, Audiences: one}, `{"aud":"a"}`, nil},
		{"in another claim", policy.Policy{Audiences: one, AudienceClaim: "azp"}, `{"aud":"x","azp":"a"}`, nil},
		{"not in that claim", policy.Policy{Audiences: one, AudienceClaim: "azp"}, `{"aud":"a","azp":"x"}`, refusal.ErrAudience},
		{"that claim is missing", policy.Policy{Audiences: one, AudienceClaim: "azp"}, `{"aud":"a"}`, refusal.ErrAudience},
		{"that claim is a number", policy.Policy{Audiences: one, AudienceClaim: "azp"}, `{"azp":1}`, refusal.ErrClaim},
		{"aud by its name", policy.Policy{Audiences: one, AudienceClaim: "aud"}, `{"aud":"a"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.policy.Complete()
			err := tt.policy.CheckAudience(reader(t, tt.payload))
			if !errors.Is(err, tt.want) {
				t.Errorf("CheckAudience() error = %v, want %v", err, tt.want)
			}
			if refused, ok := errors.AsType[*refusal.Refusal](err); ok && (refused.Check != refusal.Audience || refused.Want == "") {
				t.Errorf("CheckAudience() error = %+v, want what passes", refused)
			}
		})
	}
}

// Tokens that end sessions are for the audiences of the others, unless they have their own.
func TestPolicy_Complete(t *testing.T) {
	t.Parallel()
	same := policy.Policy{Audiences: []string{"a"}, AudienceClaim: "aud"}
	same.Complete()
	if !slices.Equal(same.Logout, []string{"a"}) {
		t.Errorf("logout tokens for %q, want those for a", same.Logout)
	}
	if got, want := same.WantedAudience(), `"a"`; got != want {
		t.Errorf("wanted audience: got %s, want %s", got, want)
	}
	own := policy.Policy{Audiences: []string{"a"}, Logout: []string{"b"}}
	own.Complete()
	if !slices.Equal(own.Logout, []string{"b"}) {
		t.Errorf("logout tokens for %q, want those for b", own.Logout)
	}
}

// Where nothing is said of algorithms, all are accepted that usual keys can be meant for.
func TestPolicy_Complete_Algorithms(t *testing.T) {
	t.Parallel()
	all := slices.Concat(jws.AlgorithmsOf("RSA", ""), jws.AlgorithmsOf("EC", "P-256"), jws.AlgorithmsOf("EC", "P-384"),
		jws.AlgorithmsOf("EC", "P-521"), jws.AlgorithmsOf("OKP", "Ed25519"))
	var p policy.Policy
	p.Complete()
	if got, want := slices.Sorted(slices.Values(p.Algorithms)), slices.Sorted(slices.Values(all)); len(all) != 11 || !slices.Equal(got, want) {
		t.Errorf("algorithms %q, want %q", got, want)
	}
	own := policy.Policy{Algorithms: []string{"ES256"}}
	own.Complete()
	if !slices.Equal(own.Algorithms, []string{"ES256"}) {
		t.Errorf("algorithms %q, want ES256 alone", own.Algorithms)
	}
}

func TestPolicy_CountDemands(t *testing.T) {
	t.Parallel()
	p := policy.Policy{Demands: []policy.Demand{{Claim: claims.Path{"a"}}, {Claim: claims.Path{"b"}, Supplement: true}, {Claim: claims.Path{"c"}}}}
	if alone, supplemented := p.CountDemands(); alone != 2 || supplemented != 1 {
		t.Errorf("got %d that the token decides and %d that it does not, want 2 and 1", alone, supplemented)
	}
}

// A workload is one of the trust domain that vouches for it, and is one.
func TestPolicy_CheckSubject(t *testing.T) {
	t.Parallel()
	domain := policy.Policy{URL: "spiffe://shop.test"}
	for payload, want := range map[string]error{
		`{"sub":"spiffe://shop.test/till"}`: nil, `{"sub":"spiffe://other.test/till"}`: refusal.ErrClaim,
		`{"sub":"https://shop.test/till"}`: refusal.ErrClaim, `{"sub":"till"}`: refusal.ErrClaim, `{"sub":1}`: refusal.ErrClaim, `{}`: refusal.ErrClaim,
	} {
		if err := domain.CheckSubject(reader(t, payload)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", payload, err, want)
		}
	}
	if err := (&policy.Policy{URL: "https://issuer.test"}).CheckSubject(reader(t, `{"sub":"till"}`)); err != nil {
		t.Errorf("of an issuer that is no trust domain: %v", err)
	}
}

func TestPolicy_CheckType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		types   []string // in the description
		typ     string   // "-" for none
		payload string
		want    error
	}{
		{"JWT", nil, "JWT", "{}", nil},
		{"none", nil, "-", "{}", nil},
		{"as a media type", nil, "application/jwt", "{}", nil},
		{"empty", nil, "", "{}", refusal.ErrTokenType},
		{"an access token", nil, "at+jwt", "{}", refusal.ErrTokenType},
		{"an access token where one is due", []string{"application/AT+JWT"}, "at+jwt", "{}", nil},
		{"a JWT where both are good", []string{"at+jwt", "JWT"}, "JWT", "{}", nil},
		{"none where both are good", []string{"at+jwt", "JWT"}, "-", "{}", nil},
		{"none where an access token is due", []string{"at+jwt"}, "-", "{}", refusal.ErrTokenType},
		{"a logout token, asked for", []string{"logout+jwt"}, "logout+jwt", "{}", refusal.ErrTokenType},
		{"a security event", nil, "JWT", `{"events":{}}`, refusal.ErrTokenType},
		{"events in another spelling", nil, "JWT", `{"Events":{}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy.Policy{Types: tt.types}
			p.Complete()
			token := &jws.Token{Type: strings.TrimPrefix(tt.typ, "-"), HasType: tt.typ != "-"}
			r := reader(t, tt.payload)
			if err := p.CheckType(token, r); !errors.Is(err, tt.want) {
				t.Errorf("CheckType() error = %v, want %v", err, tt.want)
			}
			of := ""
			if tt.want == nil {
				of = policy.MediaType(token.Type)
			}
			if got := p.TypeOf(r.Record); got != of {
				t.Errorf("TypeOf() = %q, want %q", got, of)
			}
		})
	}
}

const (
	tenantA  = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	tenantB  = "9188040d-6c67-4c5b-b112-36a304b66dad"
	template = "https://login.test/{tenant}/v2.0"
)

func named(tenant string) string { return strings.Replace(template, "{tenant}", tenant, 1) }

func TestTenants_Check(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, iss, claim string
		allowed          []string
		want             error
	}{
		{"a tenant", named(tenantA), `"` + tenantA + `"`, nil, nil},
		{"one of those allowed", named(tenantA), `"` + tenantA + `"`, []string{tenantB, tenantA}, nil},
		{"none of those allowed", named(tenantA), `"` + tenantA + `"`, []string{tenantB}, refusal.ErrUnknownIssuer},
		{"another tenant in the claim", named(tenantA), `"` + tenantB + `"`, nil, refusal.ErrClaim},
		{"the claim in capitals", named(tenantA), strings.ToUpper(`"` + tenantA + `"`), nil, refusal.ErrClaim},
		{"the claim a number", named(tenantA), "1", nil, refusal.ErrClaim},
		{"the template itself", template, `"{tenant}"`, nil, refusal.ErrUnknownIssuer},
		{"a name for a GUID", named("common"), `"common"`, nil, refusal.ErrUnknownIssuer},
		{"a GUID in capitals", named(strings.ToUpper(tenantA)), `"` + tenantA + `"`, nil, refusal.ErrUnknownIssuer},
		{"a GUID without hyphens", named(strings.ReplaceAll(tenantA, "-", "0")), `"x"`, nil, refusal.ErrUnknownIssuer},
		{"another end", named(tenantA) + "/", `"` + tenantA + `"`, nil, refusal.ErrUnknownIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tenants, err := policy.NewTenants(template, "tid", tt.allowed)
			if err != nil {
				t.Fatal(err)
			}
			p := policy.Policy{URL: template, Tenants: tenants}
			r := reader(t, `{"tid":`+tt.claim+`}`)
			if err := p.NameIssuer(r, tt.iss); !errors.Is(err, tt.want) {
				t.Errorf("NameIssuer() error = %v, want %v", err, tt.want)
			}
			if refused, ok := errors.AsType[*refusal.Refusal](p.NameIssuer(r, tt.iss)); ok && errors.Is(refused, refusal.ErrUnknownIssuer) {
				all := len(tt.allowed) == 0
				if strings.Contains(refused.Want, "GUID") != all || strings.Contains(refused.Want, tenantB) == all {
					t.Errorf("NameIssuer() wants %s, of those allowed %q", refused.Want, tt.allowed)
				}
			}
			if want := tt.want == nil; (r.Record.Issuer == tt.iss) != want {
				t.Errorf("the issuer's name is %q", r.Record.Issuer)
			}
		})
	}
}

// The names of the tenants that are listed are those that their tokens have.
func TestTenants_Names(t *testing.T) {
	t.Parallel()
	for _, allowed := range [][]string{nil, {tenantA}, {tenantB, tenantA}} {
		tenants, err := policy.NewTenants(template, "tid", allowed)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, tenant := range allowed {
			want = append(want, named(tenant))
		}
		if got := tenants.Names(); !slices.Equal(got, want) {
			t.Errorf("Names() = %q, want %q", got, want)
		}
	}
}

func TestTenants_Keys(t *testing.T) {
	t.Parallel()
	tenants, err := policy.NewTenants(template, "tid", []string{tenantA})
	if err != nil {
		t.Fatal(err)
	}
	accept := tenants.AcceptKey()
	for _, tt := range []struct {
		issuer        string
		belongs, owns bool // to the template; by tenant A
	}{
		{template, true, true}, {named(tenantA), true, true}, {named(tenantB), true, false}, {"", false, false}, {"https://evil.test", false, false},
	} {
		if accept(tt.issuer) != tt.belongs || tenants.Owns(tt.issuer, named(tenantA)) != tt.owns {
			t.Errorf("key of %q: accepted %t, owned %t, want %t, %t", tt.issuer, accept(tt.issuer), tenants.Owns(tt.issuer, named(tenantA)), tt.belongs, tt.owns)
		}
	}
	var none *policy.Tenants
	if none.AcceptKey() != nil || !none.Owns("", "https://issuer.test") || none.Match(named(tenantA)) {
		t.Error("an issuer without tenants looks at whose a key is, or stands for others")
	}
}

func TestNewTenants(t *testing.T) {
	t.Parallel()
	const longest = claims.MaxIssuerBytes - len("https://login.test/") - len(tenantA)
	for url, want := range map[string]bool{
		template: true, "https://{t}.login.test": true, "https://login.test": false, "https://login.test/{}": false,
		"{tenant}": false, "https://login.test/{a}/{b}": false, "https://login.test/{a": false,
		"https://login.test/{a}" + strings.Repeat("x", longest): true, "https://login.test/{a}" + strings.Repeat("x", longest+1): false,
	} {
		if _, err := policy.NewTenants(url, "tid", nil); (err == nil) != want {
			t.Errorf("NewTenants(%q) error = %v, want accepted %t", url, err, want)
		}
	}
	if _, err := policy.NewTenants(template, "tid", []string{strings.ToUpper(tenantA)}); err == nil {
		t.Error("NewTenants() accepts a tenant in capitals")
	}
}

func TestCheckIssuerName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"https://issuer.test": true, "localhost": true, strings.Repeat("i", claims.MaxIssuerBytes): true,
		"issuers.Auth0: it has a space": false,
		"":                              false, strings.Repeat("i", claims.MaxIssuerBytes+1): false, "https://issuer.test|x": false, "https://issuer.test\n": false, "a b": false, "a\x00": false,
	} {
		if err := policy.CheckIssuerName(name); (err == nil) != want {
			t.Errorf("CheckIssuerName(%q) error = %v, want accepted %t", name, err, want)
		}
	}
}
