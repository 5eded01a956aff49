package oidcauth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// FuzzClaims_Lookup compares what claims find in a payload with what
// encoding/json decodes from it: every claim that is there, and no other.
func FuzzClaims_Lookup(f *testing.F) {
	for _, seed := range []struct{ claims, name string }{
		{`"email":"a@b.test"`, "mail"},
		{`"xemail":"no","email":"a@b.test","emailx":"no"`, "email"},
		{`"":"no name","a":""`, ""},
		{`"\u0065mail":"a@b.test"`, "email"},
		{`"q\"":"quote","\\":"backslash"`, `q"`},
		{`"a\\":"b","c":"\\\",\"d\":\"e"`, "d"},
		{"\n\"a\" :\t\"\\u00e9é\" , \"é\":[\"a\",{\"b\":\"c\"}]", "é"},
		{`"a":{"b":"c","d":{"e":"f"}},"b":"no"`, "b"},
		{`"n":1,"t":true,"z":null,"l":[],"o":{}`, "z"},
		{`"a":"` + strings.Repeat("x", 300) + `","b":"c"`, "b"},
	} {
		f.Add(seed.claims, seed.name)
	}
	trusted := oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{testAudience}}
	f.Fuzz(func(t *testing.T, claims, name string) {
		payload := `{"iss":"https://issuer.test","sub":"alice","exp":1,` + claims + `}`
		c, err := oidcauth.UnverifiedClaims([]byte(payload), trusted)
		if err != nil {
			return
		}
		want := decodeObject(t, payload)
		// What stands between quotes, or is a part of that, is all that could be
		// taken for a name.
		for part := range strings.SplitSeq(payload, `"`) {
			checkLookup(t, c, want, part)
			checkLookup(t, c, want, part[len(part)/2:])
		}
		for known, value := range want {
			checkLookup(t, c, want, known)
			var inner map[string]json.RawMessage
			if value[0] == '{' && json.Unmarshal(value, &inner) == nil {
				checkLookup(t, c, inner, name, known)
				for deeper := range inner {
					checkLookup(t, c, inner, deeper, known)
				}
			}
		}
		checkLookup(t, c, want, name)
	})
}

func decodeObject(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("accepted %q: %v", text, err)
	}
	return object
}

// checkLookup asks for a name in the object that the path before it leads to,
// whose members are given.
func checkLookup(t *testing.T, c *oidcauth.Claims, members map[string]json.RawMessage, name string, before ...string) {
	t.Helper()
	path := append(before, name)
	want, found := members[name]
	if got, ok := c.Lookup(path...); ok != found || string(got) != string(want) {
		t.Errorf("Lookup(%q) = %s, %v, want %s, %v in %s", path, got, ok, want, found, c.Payload())
	}
	var text string
	isText := found && want[0] == '"' && json.Unmarshal(want, &text) == nil
	if got, ok := c.LookupString(path...); ok != isText || got != text {
		t.Errorf("LookupString(%q) = %q, %v, want %q, %v in %s", path, got, ok, text, isText, c.Payload())
	}
}
