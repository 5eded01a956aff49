package oidcauth_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// FuzzClaims_Roles compares the roles in a claim with those that the rules find
// in what encoding/json decodes from it.
func FuzzClaims_Roles(f *testing.F) {
	for _, seed := range []string{
		`["a","b"]`, `["a",1]`, `["a",null]`, `[""]`, `"a"`, `"a, b,,c"`, `" a b "`, `""`, `"[\"a\",\"b\"]"`, `"[\"a\"],\"x\":[]"`, `"[]}"`, `"[\"\\ud800\"]"`,
		`{"a":true,"b":false,"c":null,"":true}`, `{"a":{"1":"x"},"b":{},"c":{"1":""},"d":{"enabled":false}}`, `{"a":1,"b":"true","c":[true]}`,
		`null`, `true`, `1`, `"\u0061\n"`, `"cn=admin,ou=groups"`, `{"\u0061":true}`, `{"a":{"1":"x","1":"y"}}`,
	} {
		for form := range uint8(8) {
			f.Add(seed, form)
		}
	}
	f.Fuzz(func(t *testing.T, roles string, form uint8) {
		trusted := oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}, RoleObjects: form&4 != 0}
		trusted.RoleSeparator = []string{"", ",", " ", "json"}[form&3]
		payload := `{"iss":"https://issuer.test","sub":"alice","exp":1,"roles":` + roles + `}`
		c, err := oidcauth.UnverifiedClaims([]byte(payload), trusted)
		if err != nil {
			return
		}
		value, found := decodeObject(t, payload)["roles"]
		if !found {
			t.Fatalf("no roles in %q", payload)
		}
		var text string
		if json.Unmarshal(value, &text) == nil && trusted.RoleSeparator == "json" && strings.Contains(text, `\u`) {
			return // in which encoding/json lets half a character pass
		}
		got, want := slices.Sorted(c.Roles()), wantedRoles(value, trusted)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("roles of %s with separator %q, objects %t: got %q, want %q", value, trusted.RoleSeparator, trusted.RoleObjects, got, want)
		}
	})
}

// wantedRoles are the rules of [oidcauth.Issuer.Roles] in other words.
func wantedRoles(value json.RawMessage, trusted oidcauth.Issuer) []string {
	var decoded any
	if json.Unmarshal(value, &decoded) != nil {
		return nil
	}
	var roles []string
	switch v := decoded.(type) {
	case string:
		switch trusted.RoleSeparator {
		case "":
			roles = []string{v}
		case "json":
			roles = wantedStrings([]byte(v))
		default:
			for _, part := range strings.Split(v, trusted.RoleSeparator) {
				roles = append(roles, strings.Trim(part, " "))
			}
		}
	case []any:
		roles = wantedStrings(value)
	case map[string]any:
		for name, granted := range v {
			if by, object := granted.(map[string]any); granted == true || object && trusted.RoleObjects && allTexts(by) {
				roles = append(roles, name)
			}
		}
	}
	return slices.DeleteFunc(roles, func(role string) bool { return role == "" })
}

// wantedStrings returns the elements of an array of strings and nothing else.
func wantedStrings(text []byte) []string {
	var elements []any
	if json.Unmarshal(text, &elements) != nil {
		return nil
	}
	var list []string
	for _, e := range elements {
		s, ok := e.(string)
		if !ok {
			return nil
		}
		list = append(list, s)
	}
	return list
}

func allTexts(by map[string]any) bool {
	for _, v := range by {
		if s, ok := v.(string); !ok || s == "" {
			return false
		}
	}
	return len(by) > 0
}
