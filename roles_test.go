package oidcauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// rolesOf returns the roles that claims grant by an issuer's description.
func rolesOf(t *testing.T, claims string, trusted oidcauth.Issuer) []string {
	t.Helper()
	trusted.URL, trusted.Audiences = "https://issuer.test", []string{"x"}
	c, err := oidcauth.UnverifiedClaims([]byte(`{"iss":"https://issuer.test","sub":"alice","exp":1,`+claims+`}`), trusted)
	if err != nil {
		t.Fatal(err)
	}
	if c.HasRole("") {
		t.Error("the empty name is a role")
	}
	return slices.Collect(c.Roles())
}

func TestClaims_Roles(t *testing.T) {
	tests := []struct {
		name   string
		paths  []oidcauth.Path
		claims string
		want   []string
	}{
		{"default path", nil, `"roles":["a","b"]`, []string{"a", "b"}},
		{"no roles", nil, `"role":["a"]`, nil},
		{"a string", nil, `"roles":"a"`, []string{"a"}},
		{"an object's member that is true", nil, `"roles":{"a":true}`, []string{"a"}},
		{"nested", []oidcauth.Path{{"realm_access", "roles"}}, `"realm_access":{"roles":["a"]},"roles":["b"]`, []string{"a"}},
		{"two paths", []oidcauth.Path{{"x"}, {"y", "z"}}, `"x":["a"],"y":{"z":"b"}`, []string{"a", "b"}},
		{"two paths, the first not understood", []oidcauth.Path{{"x"}, {"y", "z"}}, `"x":["c",1],"y":{"z":"b"}`, []string{"b"}},
		{"a dot in a name", []oidcauth.Path{{"kubernetes.io", "namespace"}}, `"kubernetes.io":{"namespace":"a"}`, []string{"a"}},
		{"path through a string", []oidcauth.Path{{"roles", "x"}}, `"roles":"x"`, nil},
		{"path to a member of an object", []oidcauth.Path{{"roles", "x"}}, `"roles":{"x":true}`, nil},
		{"another case", nil, `"Roles":["a"]`, nil},
		{"an escaped role", nil, `"roles":["\u0061\n"]`, []string{"a\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := rolesOf(t, tt.claims, oidcauth.Issuer{Roles: tt.paths}); !slices.Equal(got, tt.want) {
				t.Errorf("Roles() = %q, want %q", got, tt.want)
			}
		})
	}
}

// What a role claim is made of never makes a role of something that the issuer
// did not grant, whatever the description says of the issuer's other forms.
func TestClaims_RolesNotGranted(t *testing.T) {
	shapes := map[string]string{
		"null": `null`, "true": `true`, "false": `false`, "a number": `1`, "an empty string": `""`, "an empty array": `[]`, "an empty object": `{}`,
		"an array with a number": `["admin",1]`, "an array with null": `["admin",null]`, "an array with false": `["admin",false]`,
		"an array with true": `["admin",true]`, "an array with an array": `["admin",["a"]]`, "an array of arrays": `[["admin"]]`,
		"an array with an object": `["a",{"admin":true}]`, "an array of objects": `[{"name":"admin"}]`, "an array with an empty string": `[""]`,
		"denied": `{"admin":false}`, "denied, escaped": `{"\u0061dmin":false}`, "a member that is null": `{"admin":null}`,
		"a member that is 0": `{"admin":0}`, "a member that is 1": `{"admin":1}`, "a member that is -0.0": `{"admin":-0.0}`,
		"a member that is an empty string": `{"admin":""}`, "a member that is a string": `{"admin":"yes"}`, "a member that is the string true": `{"admin":"true"}`,
		"a member that is the string false": `{"admin":"false"}`, "a member that is an empty object": `{"admin":{}}`,
		"a member that says not": `{"admin":{"enabled":false}}`, "a member that says yes": `{"admin":{"enabled":true}}`,
		"a member that says null": `{"admin":{"id":null}}`, "a member that says nothing": `{"admin":{"id":""}}`,
		"a member that says and does not": `{"admin":{"id":"domain","enabled":false}}`, "a member that is an empty array": `{"admin":[]}`,
		"a member that is an array": `{"admin":[true]}`, "a member that is an array of strings": `{"admin":["id"]}`, "an object too deep": `{"a":{"admin":true}}`,
		"an empty name": `{"":true}`, "a member of a list of denials": `{"deny":["admin"]}`,
		"JSON text of an object": `"{\"admin\":true}"`, "JSON text of a string": `"\"admin\""`, "JSON text of a mixed array": `"[\"admin\",1]"`,
		"JSON text with more behind it": `"[\"admin\"] x"`, "JSON text that ends the object around it": `"[\"admin\"]}"`,
		"JSON text of two members": `"[\"admin\"],\"x\":[]"`, "JSON text of a name twice": `"[],\"\":[\"admin\"]"`, "JSON text without an end": `"[\"admin\""`,
		"JSON text with a lone surrogate": `"[\"admin\",\"\\ud800\"]"`, "JSON text of nothing": `"null"`, "blanks": `" "`,
	}
	forms := map[string]oidcauth.Issuer{
		"default": {}, "comma": {RoleSeparator: ","}, "space": {RoleSeparator: " "}, "JSON text": {RoleSeparator: "json"},
		"objects": {RoleObjects: true}, "objects and JSON text": {RoleObjects: true, RoleSeparator: "json"},
	}
	for name, shape := range shapes {
		for form, trusted := range forms {
			for _, role := range rolesOf(t, `"roles":`+shape, trusted) {
				// A string that is not JSON text to the description is its own name.
				if text := strings.HasPrefix(shape, `"`) && trusted.RoleSeparator != "json"; !text || role == "admin" {
					t.Errorf("%s, %s: %s grants %q", form, name, shape, role)
				}
			}
		}
	}
}

// Several roles in one string are told apart where the description names what is
// between them, and nowhere else.
func TestIssuer_RoleSeparator(t *testing.T) {
	const ldap = "cn=admin,ou=groups,dc=example,dc=com"
	tests := []struct{ name, separator, roles, want string }{ // what is wanted, with | between
		{"one string", "", `"guests,admin"`, "guests,admin"},
		{"one string with blanks", "", `" guests admin "`, " guests admin "},
		{"one string of JSON text", "", `"[\"admin\"]"`, `["admin"]`},
		{"an LDAP name", "", `"` + ldap + `"`, ldap},
		{"an LDAP name in an array", ",", `["` + ldap + `"]`, ldap},
		{"comma", ",", `"guests,admin"`, "guests|admin"},
		{"comma and blanks", ",", `" a, b c,,d ,"`, "a|b c|d"},
		{"comma, blanks of another kind", ",", `"a,\u00a0b,\tc"`, "a|\u00a0b|\tc"},
		{"comma, one role", ",", `"admin"`, "admin"},
		{"comma, an array", ",", `["a,b","c"]`, "a,b|c"},
		{"comma, a member's name", ",", `{"a,b":true}`, "a,b"},
		{"space", " ", `"guests admin"`, "guests|admin"},
		{"many spaces", " ", `"  a  b,c "`, "a|b,c"},
		{"space, an array", " ", `["a b"]`, "a b"},
		{"JSON text", "json", `"[\"guests\",\"admin\"]"`, "guests|admin"},
		{"JSON text with blanks", "json", `" [ \"a\" , \"b, c\" ] "`, "a|b, c"},
		{"JSON text with escapes", "json", `"[\"\\u0061\"]"`, "a"},
		{"JSON text, an array", "json", `["[\"a\"]"]`, `["a"]`},
		{"JSON text, a plain string", "json", `"admin"`, ""},
		{"JSON text, an object", "json", `{"a":true}`, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(rolesOf(t, `"roles":`+tt.roles, oidcauth.Issuer{RoleSeparator: tt.separator}), "|"); got != tt.want {
				t.Errorf("Roles() = %q, want %q", got, tt.want)
			}
		})
	}
}

// The names of objects are roles where the description says so.
func TestIssuer_RoleObjects(t *testing.T) {
	tests := []struct {
		name, roles   string
		want, without []string
	}{
		{"one organization", `{"admin":{"1":"a.example"}}`, []string{"admin"}, nil},
		{"two organizations", `{"admin":{"1":"a.example","2":"b.example"}}`, []string{"admin"}, nil},
		{"two roles, one denied", `{"admin":false,"reader":{"1":"a.example"}}`, []string{"reader"}, nil},
		{"true is true", `{"admin":true,"reader":{"1":"a.example"}}`, []string{"admin", "reader"}, []string{"admin"}},
		{"one role of no organization", `{"admin":{},"reader":{"1":"a.example"}}`, []string{"reader"}, nil},
		{"an array", `["admin"]`, []string{"admin"}, []string{"admin"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for objects, want := range map[bool][]string{true: tt.want, false: tt.without} {
				if got := rolesOf(t, `"roles":`+tt.roles, oidcauth.Issuer{RoleObjects: objects}); !slices.Equal(got, want) {
					t.Errorf("RoleObjects %t: Roles() = %q, want %q", objects, got, want)
				}
			}
		})
	}
}
