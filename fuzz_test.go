package oidcauth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// FuzzAuthenticate changes the header, the payload and the signature of a good
// token. Whatever is accepted is the good token itself, or has been signed
// anew: nothing unsigned passes, nothing panics, and every refusal is one of
// this package's. Each process that fuzzes has keys of its own, so that an input
// says "$H", "$P" and "$S" where it means the parts of its good token.
func FuzzAuthenticate(f *testing.F) {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{}) // nil: a fuzz target must not use f
	f.Cleanup(issuer.Close)
	a := newAuthenticator(f, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}}, Client: issuer.Client(),
	})
	good := issuer.Token(map[string]any{"aud": testAudience, "exp": int64(4102444800)})
	header, payload, signature, err := taken(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("$H", "$P", "$S")
	f.Add(strings.Replace(header, "ES256", "none", 1), "$P", "")
	f.Add("$H", strings.Replace(payload, "alice", "admin", 1), "$S")
	f.Add("$H", "$P ", "$S")
	f.Add("$H", "$P", "$S.")
	f.Add(" $H", "$P", "$S=")
	f.Add("$H", "$P", "$S\n")
	f.Add("$H", "$P", "$S$S")
	f.Add(`{"alg":"ES256"}`, `{"iss":"https://issuer.test","sub":"alice","exp":1e400}`, "AAAA")
	for _, row := range hostile.NewWorld(f).Rows() {
		if header, payload, signature, err := taken(row.BadToken); err == nil {
			f.Add(header, payload, signature)
		}
	}

	parts := strings.NewReplacer("$H", header, "$P", payload, "$S", signature)
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		header, payload, signature = parts.Replace(header), parts.Replace(payload), parts.Replace(signature)
		token := hostile.Encode(header) + "." + hostile.Encode(payload) + "." + signature
		if c, err := a.Authenticate(t.Context(), token); err == nil && token != good {
			t.Errorf("accepted a changed token: %s %s: %s", header, payload, c.Payload())
		} else if err != nil {
			checkRefusal(t, err)
		}
		signed := issuer.Sign(map[string]any{}, payload)
		if c, err := a.Authenticate(t.Context(), signed); err != nil {
			checkRefusal(t, err)
		} else if c.Issuer() != issuer.URL() || c.Subject() == "" || !c.HasAudience(testAudience) || string(c.Payload()) != payload {
			t.Errorf("accepted %s as %s of %s", payload, c.Subject(), c.Issuer())
		}
	})
}

// taken takes a token apart: what its header and payload stand for, and its
// signature.
func taken(token string) (header, payload, signature string, err error) {
	parts := strings.SplitN(token, ".", 3)
	if len(parts) < 3 {
		return "", "", "", errors.New("no token")
	}
	h, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return "", "", "", err
	}
	p, err := base64.RawURLEncoding.DecodeString(parts[1])
	return string(h), string(p), parts[2], err
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*oidcauth.Refusal](err); !ok {
		t.Errorf("error = %v, not a *Refusal", err)
	}
	if status, _, _ := oidcauth.Answer(err); status == 500 {
		t.Errorf("error = %v, none of the package's", err)
	}
}

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

// FuzzAuthenticateTicket: nothing is a ticket but what the local issuer sold, each for
// its database and origin and once, and nothing that is none brings the process down.
// "$H", "$P" and "$S" are the parts of one that is not used.
func FuzzAuthenticateTicket(f *testing.F) {
	local := newLocal(f, localissuer.Config{})
	auth := trusting(f, local)
	var ticket string
	var bought time.Time
	var filled *strings.Replacer
	buy := func(t testing.TB) {
		claims, err := auth.Authenticate(t.Context(), issue(t, local, localissuer.Request{}))
		if err != nil {
			t.Fatal(err)
		}
		if ticket, err = local.Ticket(from(), claims, "chat"); err != nil {
			t.Fatal(err)
		}
		bought = time.Now()
		parts := strings.Split(ticket, ".")
		filled = strings.NewReplacer("$H", parts[0], "$P", parts[1], "$S", parts[2])
	}
	use := func(t testing.TB) {
		if age := time.Since(bought); age > 50*time.Second {
			return // a machine that slept, or the process that has others try
		}
		if _, err := auth.AuthenticateTicket(from(), ticket, "chat"); err != nil {
			t.Error(err)
		}
	}
	buy(f)
	for _, seed := range []string{"$H.$P.$S", "", ".", "..", "$H.$P.$S.", "$H.$P.", ".$P.$S", "$P.$P.$S", "$H.$P.AAAA", "$H.$P.$S=", "$H.$P.$S\n", "$H.$P..$S"} {
		f.Add(seed, "chat", "")
		f.Add(seed, "chat ", "")
		f.Add(seed, "chat", "https://app.example.com")
	}
	f.Cleanup(func() { use(f) })
	f.Fuzz(func(t *testing.T, text, database, origin string) {
		if time.Since(bought) > 30*time.Second { // it lives for a minute
			use(t)
			buy(t)
		}
		text = filled.Replace(text)
		if text == ticket && database == "chat" && origin == "" {
			return // that is what it is good for
		}
		r := from()
		if origin != "" {
			r.Header["Origin"] = []string{origin}
		}
		claims, err := auth.AuthenticateTicket(r, text, database)
		if err == nil || claims != nil {
			t.Fatalf("AuthenticateTicket(%q, %q) from %q: error = %v", text, database, origin, err)
		}
		checkRefusal(t, err)
	})
}
