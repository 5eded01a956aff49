package issuers_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// What the documentation offers as additions does what it says.
func TestAdditions(t *testing.T) {
	t.Parallel()
	in := func(value string, path ...string) oidcauth.ClaimRule {
		return oidcauth.ClaimRule{Claim: path, In: []string{value}}
	}
	notIn := func(value string, path ...string) oidcauth.ClaimRule {
		return oidcauth.ClaimRule{Claim: path, NotIn: []string{value}}
	}
	rule := func(r oidcauth.ClaimRule) func(*oidcauth.Issuer) {
		return func(i *oidcauth.Issuer) { i.ClaimRules = append(i.ClaimRules, r) }
	}
	ownApplication := func(i *oidcauth.Issuer) {
		i.ClaimRules[1] = oidcauth.ClaimRule{Claim: oidcauth.Path{"client_id"}, In: []string{"ours"}, Optional: true}
	}
	tests := []struct {
		what, call, sample string
		add                func(*oidcauth.Issuer)
		change             claims // of the token that is refused then
		want               error
	}{
		{"Workspace domain", "Google", "ID token", rule(in("example.com", "hd")), claims{"hd": "evil.example"}, oidcauth.ErrRule},
		{"Workspace domain", "Google", "ID token", rule(in("example.com", "hd")), claims{"hd": nil}, oidcauth.ErrRule},
		{"no anonymous users", "Firebase", "ID token", rule(notIn("anonymous", "firebase", "sign_in_provider")), claims{"firebase": claims{"sign_in_provider": "anonymous"}}, oidcauth.ErrRule},
		{"no tenants", "Firebase", "ID token", rule(oidcauth.ClaimRule{Claim: oidcauth.Path{"firebase", "tenant"}, Absent: true}), claims{"firebase": claims{"sign_in_provider": "password", "tenant": "other-x1y2z"}}, oidcauth.ErrRule},
		{"no anonymous users", "Supabase", "access token", rule(in("false", "is_anonymous")), claims{"is_anonymous": true}, oidcauth.ErrRule},
		{"no anonymous users", "Supabase", "access token", rule(in("false", "is_anonymous")), claims{"is_anonymous": 1}, oidcauth.ErrRule},
		{"no anonymous users", "Supabase", "access token", rule(in("false", "is_anonymous")), claims{"is_anonymous": nil}, oidcauth.ErrRule},
		{"an application of one's own", "Supabase", "access token", ownApplication, claims{"client_id": "other"}, oidcauth.ErrRule},
		{"an application of one's own", "Supabase", "access token", ownApplication, claims{"client_id": "ours"}, nil},
		{"one branch", "GitHubActions", "job", rule(in("refs/heads/main", "ref")), claims{"ref": "refs/pull/1/merge"}, oidcauth.ErrRule},
		{"protected branches", "GitLabCI", "job", rule(in("false", "ref_protected")), claims{"ref_protected": "true"}, oidcauth.ErrRule},
		{"one namespace", "Kubernetes", "bound token", rule(in("my-namespace", "kubernetes.io", "namespace")), claims{"kubernetes.io": claims{"namespace": "other"}}, oidcauth.ErrRule},
		{"one project", "SpacetimeAuth", "ID token", rule(in("project_xyz123", "project_id")), claims{"project_id": "project_other"}, oidcauth.ErrRule},
		{"e-mail verified", "Apple", "identity token", rule(in("true", "email_verified")), claims{"email_verified": "false"}, oidcauth.ErrRule},
		{"e-mail verified", "Apple", "identity token", rule(in("true", "email_verified")), claims{"email_verified": false}, oidcauth.ErrRule},
		{"one organization", "Clerk", "session token", rule(in("org_123", "o", "id")), claims{"o": claims{"id": "org_mine"}}, oidcauth.ErrRule},
		{"one client", "Okta", "access token", rule(in("client_id", "cid")), claims{"cid": "other"}, oidcauth.ErrRule},
		{"two policies", "AzureB2C", "access token", func(i *oidcauth.Issuer) { i.ClaimRules[0].In = append(i.ClaimRules[0].In, "B2C_1_edit") }, claims{"tfp": "B2C_1_edit"}, nil},
		{"two policies", "AzureB2C", "access token", func(i *oidcauth.Issuer) { i.ClaimRules[0].In = append(i.ClaimRules[0].In, "B2C_1_edit") }, claims{"tfp": "B2C_1_other"}, oidcauth.ErrRule},
		{"a template's audience", "Clerk", "session token", func(i *oidcauth.Issuer) { i.Audiences = []string{"my-db"} }, claims{"aud": "other"}, oidcauth.ErrAudience},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.call+"/"+tt.what, func(t *testing.T) {
			p := providerOf(t, tt.call)
			issuer := p.issuer(t)
			tt.add(&issuer)
			a := w.authenticator(t, p, issuer)
			s := sampleOf(t, p.tokens, tt.sample)
			if _, err := a.Authenticate(t.Context(), w.sign(t, s)); err != nil {
				t.Errorf("Authenticate() error = %v", err)
			}
			if _, err := a.Authenticate(t.Context(), w.sign(t, s.changed(nil, tt.change))); !errors.Is(err, tt.want) {
				t.Errorf("Authenticate(changed) error = %v, want %v", err, tt.want)
			}
		})
	}
}

func providerOf(t *testing.T, name string) provider {
	t.Helper()
	for _, p := range providers {
		if p.name() == name {
			return p
		}
	}
	t.Fatalf("no provider %s", name)
	return provider{}
}

// No provider's description makes a role of what was not granted, at any of the
// claims that it takes roles from.
func TestRolesNotGranted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value any
		want  bool // the role admin
	}{
		{claims{
			"admin": false, "not null": nil, "not 1": 1, "not a string": "true", "not empty": claims{}, "not enabled": claims{"enabled": false},
			"not an array": []bool{true}, "reader": true,
		}, false},
		{claims{"admin": true, "reader": true}, true},
		{[]any{"admin", 1}, false},
		{[]string{"reader", "admin"}, true},
		{`["admin"]`, false},
		{"cn=admin;admin,ou=admin", false},
		{"admin", true},
	}
	w := newWorld(t)
	for _, p := range providers {
		issuer := p.issuer(t)
		issuer.ClaimRules = nil // some demand one role
		a := w.authenticator(t, p, issuer)
		paths := issuer.Roles
		if len(paths) == 0 {
			paths = []oidcauth.Path{{"roles"}}
		}
		name := slices.Sorted(maps.Keys(p.accepts))[0]
		for _, path := range paths {
			for _, tt := range tests {
				c, err := a.Authenticate(t.Context(), w.sign(t, sampleOf(t, p.tokens, name).changed(nil, rolesAt(paths, path, tt.value))))
				if err != nil {
					t.Fatalf("%s: Authenticate() error = %v", p.name(), err)
				}
				got := slices.Collect(c.Roles())
				if c.HasRole("admin") != tt.want || slices.ContainsFunc(got, func(role string) bool { return strings.HasPrefix(role, "not ") }) {
					t.Errorf("%s: %v at %s gives the roles %q", p.name(), tt.value, path, got)
				}
			}
		}
	}
}

// rolesAt puts a value at one of the paths and nothing at the others.
func rolesAt(paths []oidcauth.Path, at oidcauth.Path, value any) claims {
	changed := claims{}
	for _, path := range paths {
		changed[path[0]] = nil
	}
	for i := len(at) - 1; i > 0; i-- {
		value = claims{at[i]: value}
	}
	changed[at[0]] = value
	return changed
}

// Roles are found in each of the shapes in which providers write them.
func TestRoleShapes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		call, sample string
		roles        []oidcauth.Path // nil as described
		separator    string          // with roles
		change       claims
		want         string
	}{
		{"Keycloak", "access token", nil, "", claims{"resource_access": claims{"my-db": claims{"roles": []string{"writer"}}}}, "writer"},
		{"Zitadel", "access token", nil, "", nil, "streaming"},
		{"BetterAuth", "token", nil, "", claims{"role": "user,admin"}, "admin"},
		{"Supabase", "access token", nil, "", claims{"app_metadata": claims{"roles": []string{"writer"}}}, "writer"},
		{"Auth0Access", "access token", nil, "", claims{"permissions": []string{"read:patients"}}, "read:patients"},
		{"Okta", "access token", nil, "", claims{"groups": []string{"Everyone"}}, "Everyone"},
		{"Clerk", "session token", []oidcauth.Path{{"o", "rol"}}, "", nil, "admin"},
		{"Clerk", "session token", []oidcauth.Path{{"o", "per"}}, ",", nil, "manage"},
		{"Auth0ID", "ID token", []oidcauth.Path{{"https://example.com/roles"}}, "", claims{"https://example.com/roles": []string{"x"}}, "x"},
	}
	w := newWorld(t)
	for _, tt := range tests {
		p := providerOf(t, tt.call)
		issuer := p.issuer(t)
		if tt.roles != nil {
			issuer.Roles, issuer.RoleSeparator = tt.roles, tt.separator
		}
		a := w.authenticator(t, p, issuer)
		c, err := a.Authenticate(t.Context(), w.sign(t, sampleOf(t, p.tokens, tt.sample).changed(nil, tt.change)))
		if err != nil || !c.HasRole(tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want the role %q", tt.call, err, tt.want)
		}
	}
}
