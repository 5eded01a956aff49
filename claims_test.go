package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestClaims_Scopes(t *testing.T) {
	tests := []struct {
		name, claims string
		want         []string
		err          error
	}{
		{"string", `"scope":"a b"`, []string{"a", "b"}, nil},
		{"string, many spaces", `"scope":" a  b "`, []string{"a", "b"}, nil},
		{"string, another kind of space", `"scope":"a\u00a0b"`, []string{"a\u00a0b"}, nil},
		{"array", `"scope":["a","b"]`, []string{"a", "b"}, nil},
		{"array element with a space is none", `"scope":["a b","c"]`, []string{"c"}, nil},
		{"scp array", `"scp":["a","b"]`, []string{"a", "b"}, nil},
		{"scp string", `"scp":"a b"`, []string{"a", "b"}, nil},
		{"scope goes before scp", `"scp":"a","scope":"b"`, []string{"b"}, nil},
		{"null", `"scope":null`, nil, nil},
		{"null scope, scp", `"scope":null,"scp":"a"`, []string{"a"}, nil},
		{"none", `"Scope":"a"`, nil, nil},
		{"number", `"scope":1`, nil, oidcauth.ErrClaim},
		{"array of numbers", `"scope":[1]`, nil, oidcauth.ErrClaim},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := oidcauth.UnverifiedClaims([]byte(`{"iss":"https://issuer.test","sub":"alice","exp":1,`+tt.claims+`}`),
				oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if got := slices.Collect(c.Scopes()); !slices.Equal(got, tt.want) {
				t.Errorf("Scopes() = %q, want %q", got, tt.want)
			}
			for _, scope := range tt.want {
				if !c.HasScope(scope) || c.HasScope("") || c.HasScope(scope+" ") {
					t.Errorf("HasScope() does not agree with Scopes() = %q", tt.want)
				}
			}
		})
	}
}

func TestClaims_Subject(t *testing.T) {
	entra := []oidcauth.Path{{"tid"}, {"oid"}}
	tests := []struct {
		name, claims string
		subject      []oidcauth.Path
		want         string
		err          error
	}{
		{"sub", `"sub":"alice"`, nil, "alice", nil},
		{"sub with a bar", `"sub":"auth0|1"`, nil, "auth0|1", nil},
		{"2048 bytes", `"sub":"` + strings.Repeat("é", 1024) + `"`, nil, strings.Repeat("é", 1024), nil},
		{"2049 bytes", `"sub":"a` + strings.Repeat("é", 1024) + `"`, nil, "", oidcauth.ErrClaim},
		{"empty", `"sub":""`, nil, "", oidcauth.ErrClaim},
		{"missing", `"x":1`, nil, "", oidcauth.ErrClaim},
		{"number", `"sub":1`, nil, "", oidcauth.ErrClaim},
		{"null", `"sub":null`, nil, "", oidcauth.ErrClaim},
		{"mapped", `"sub":"x","uid":"alice"`, []oidcauth.Path{{"uid"}}, "alice", nil},
		{"mapped, sub empty", `"sub":"","uid":"alice"`, []oidcauth.Path{{"uid"}}, "alice", nil},
		{"mapped, sub of another type", `"sub":1,"uid":"alice"`, []oidcauth.Path{{"uid"}}, "alice", nil},
		{"mapped, missing", `"sub":"alice"`, []oidcauth.Path{{"uid"}}, "", oidcauth.ErrClaim},
		{"tuple", `"tid":"t","oid":"o"`, entra, "t|o", nil},
		{"tuple, last has a bar", `"tid":"t","oid":"o|p"`, entra, "t|o|p", nil},
		{"tuple, first has a bar", `"tid":"t|o","oid":"p"`, entra, "", oidcauth.ErrClaim},
		{"tuple, one empty", `"tid":"","oid":"o"`, entra, "", oidcauth.ErrClaim},
		{"tuple, a number", `"tid":"t","oid":1`, entra, "", oidcauth.ErrClaim},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := oidcauth.UnverifiedClaims([]byte(`{"iss":"https://issuer.test","exp":1,`+tt.claims+`}`),
				oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}, Subject: tt.subject})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if c.Subject() != tt.want || c.Identity() != identity.New("https://issuer.test", tt.want) {
				t.Errorf("Subject() = %q, identity %v, want %q", c.Subject(), c.Identity(), tt.want)
			}
		})
	}
}

func TestClaims_Decode(t *testing.T) {
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","SUB":"admin","ſub":"root","exp":1,"email":"a@b.test","n":9007199254740993}`)
	var v struct {
		Sub   string `json:"sub"`
		Email string `json:"email"`
		N     int64  `json:"n"`
	}
	if err := c.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if v.Sub != "alice" || v.Email != "a@b.test" || v.N != 9007199254740993 {
		t.Errorf("Decode() = %+v", v)
	}
	var wrong struct {
		Email int `json:"email"`
	}
	if err := c.Decode(&wrong); err == nil {
		t.Error("Decode() into a field of another type gave no error")
	}
}

func TestClaims_Lookup(t *testing.T) {
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1,"a":{"b":[1, 2]},"x":null}`)
	tests := []struct {
		path  []string
		want  string
		found bool
	}{
		{[]string{"a", "b"}, "[1, 2]", true},
		{[]string{"x"}, "null", true},
		{[]string{"A"}, "", false},
		{[]string{"a", "c"}, "", false},
		{[]string{"sub", "b"}, "", false},
		{nil, string(c.Payload()), true},
	}
	for _, tt := range tests {
		if got, found := c.Lookup(tt.path...); string(got) != tt.want || found != tt.found {
			t.Errorf("Lookup(%q) = %s, %v, want %s, %v", tt.path, got, found, tt.want, tt.found)
		}
	}
}

// A name is found however the payload writes it and whatever stands before it.
func TestClaims_LookupString(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	payloads := map[string]string{
		"usual":           `"email":"a@b.test"`,
		"white space":     " \n\"email\" :\t\"a@b.test\" ",
		"escaped name":    `"\u0065mail":"a@b.test"`,
		"another escaped": `"\u0061bc":1,"email":"a@b.test"`,
		"escaped value":   `"email":"a\u0040b.test"`,
		"inside others":   `"a":{"email":"no"},"b":["email"],"c":"\"email\":\"no\"","email":"a@b.test"`,
		"far away":        `"a":"` + long + `","email":"a@b.test"`,
		"many claims":     manyClaims(200) + `,"email":"a@b.test"`,
		"similar names":   `"emai":"no","emails":"no","Email":"no","work_email":"no","mail":"no","email":"a@b.test"`,
		"a quoted name":   `"q\"":"quote","email":"a@b.test"`,
	}
	unindexed := []string{"escaped name", "another escaped", "a quoted name", "far away"}
	others := `,"object":{"city":"x","n":{"a.b":"y"}},"n":1,"null":null,"":"no name"}`
	for name, payload := range payloads {
		t.Run(name, func(t *testing.T) {
			c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1,`+payload+others)
			quote := ""
			if name == "a quoted name" {
				quote = "quote"
			}
			if got, want := c.Indexed(), !slices.Contains(unindexed, name); got != want {
				t.Errorf("has an index: %v, want %v", got, want)
			}
			tests := []struct {
				path  []string
				want  string
				found bool
			}{
				{[]string{"email"}, "a@b.test", true},
				{[]string{"sub"}, "alice", true},
				{[]string{"object", "city"}, "x", true},
				{[]string{"object", "n", "a.b"}, "y", true},
				{[]string{""}, "no name", true},
				{[]string{`q"`}, quote, quote != ""},
				{[]string{`iss":"https://issuer.test","sub`}, "", false},
				{[]string{"ub"}, "", false},
				{[]string{"EMAIL"}, "", false},
				{[]string{`sub":`}, "", false},
				{[]string{`sub":"alice`}, "", false},
				{[]string{"city"}, "", false},
				{[]string{"object"}, "", false},
				{[]string{"object", "town"}, "", false},
				{[]string{"sub", "alice"}, "", false},
				{[]string{"n"}, "", false},
				{[]string{"null"}, "", false},
				{nil, "", false},
			}
			for _, tt := range tests {
				if got, found := c.LookupString(tt.path...); got != tt.want || found != tt.found {
					t.Errorf("LookupString(%q) = %q, %v, want %q, %v", tt.path, got, found, tt.want, tt.found)
				}
			}
		})
	}
}

func manyClaims(n int) string {
	claims := make([]string, n)
	for i := range claims {
		claims[i] = fmt.Sprintf(`"claim%d":%d`, i, i)
	}
	return strings.Join(claims, ",")
}

// A handler asks at every call, so that asking may cost no memory.
func TestClaims_Allocations(t *testing.T) {
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1,"aud":["a","b"],"scope":"c d","roles":["e","f"],
		"email":"a@b.test","address":{"country":"NO"}}`)
	seen := make([]string, 0, 6)
	allocs := testing.AllocsPerRun(100, func() {
		seen = slices.AppendSeq(seen[:0], c.Audience())
		seen = slices.AppendSeq(seen, c.Scopes())
		for role := range c.Roles() {
			seen = append(seen, role)
		}
		email, _ := c.LookupString("email")
		country, _ := c.LookupString("address", "country")
		if email != "a@b.test" || country != "NO" || !c.HasRole("f") || !c.HasScope("d") || !c.HasAudience("b") {
			t.Errorf("got email %q, country %q", email, country)
		}
	})
	if want := []string{"a", "b", "c", "d", "e", "f"}; !slices.Equal(seen, want) || allocs != 0 {
		t.Errorf("got %q with %v allocations, want %q with none", seen, allocs, want)
	}
}

// The cache is bounded in bytes, so that claims must own up to all they hold.
func TestClaims_Size(t *testing.T) {
	size := func(claims string) (size, payload int) {
		c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1`+claims+`}`)
		return c.Size(), len(c.Payload())
	}
	const text = int(unsafe.Sizeof("")) // beside the bytes of a string
	none, short := size("")
	for claims, want := range map[string]int{
		`,"aud":["a","b","c"]`:                     2 + 3*text,
		`,"roles":["a","b"]`:                       2 + 2*text,
		`,"aud":["a"],"roles":{"a":true,"b":true}`: 2*2 + 3*text,
		"," + manyClaims(200):                      2 * 200,
	} {
		got, long := size(claims)
		if got -= none + long - short; got != want {
			t.Errorf("%.40s counts %d bytes beside the payload, want %d", claims, got, want)
		}
	}
}

// So many audiences are nobody's, and no reason to count them wrong.
func TestClaims_ManyAudiences(t *testing.T) {
	for audiences, want := range map[int]error{1<<16 - 1: nil, 1 << 16: oidcauth.ErrClaim} {
		payload := `{"iss":"https://issuer.test","sub":"alice","exp":1,"roles":["writer"],"aud":["first"` +
			strings.Repeat(`,"x"`, audiences-1) + `]}`
		c, err := oidcauth.UnverifiedClaims([]byte(payload), oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}})
		if !errors.Is(err, want) {
			t.Errorf("%d audiences: error = %v, want %v", audiences, err, want)
		}
		if err == nil && (!c.HasAudience("first") || c.HasRole("x") || !c.HasRole("writer") || c.HasAudience("writer")) {
			t.Errorf("%d audiences: roles and audiences are mixed up", audiences)
		}
	}
}

// A loop over claims may end early.
func TestClaims_LoopsEnd(t *testing.T) {
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1,"aud":["a","x"],"scope":" a x","roles":["a","x"]}`)
	for name, values := range map[string]iter.Seq[string]{"Audience": c.Audience(), "Scopes": c.Scopes(), "Roles": c.Roles()} {
		for value := range values {
			if value != "a" {
				t.Errorf("%s() goes on to %q", name, value)
			}
			break
		}
	}
}

// What a caller does to the slices it was given changes nothing for others.
func TestClaims_Immutable(t *testing.T) {
	c := unverified(t, `{"iss":"https://issuer.test","sub":"alice","exp":1,"aud":["a"],"roles":["b"],"scope":"c"}`)
	slices.Collect(c.Audience())[0], slices.Collect(c.Roles())[0], c.Payload()[0] = "x", "admin", 'x'
	if raw, _ := c.Lookup("aud"); len(raw) > 0 {
		raw[0] = 'x'
	}
	if !c.HasAudience("a") || !c.HasRole("b") || c.HasRole("admin") || !c.HasScope("c") || !json.Valid(c.Payload()) {
		t.Errorf("claims changed: %s", c.Payload())
	}
}

// Replay from a commit log gives the claims that the call had.
func TestUnverifiedClaims_Replay(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Roles = []oidcauth.Path{{"groups"}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	live, err := a.Authenticate(context.Background(), issuer.Token(map[string]any{"groups": []string{"g"}, "jti": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := oidcauth.UnverifiedClaims(live.Payload(), trusted)
	if err != nil {
		t.Fatal(err)
	}
	if replayed.Identity() != live.Identity() || !replayed.HasRole("g") || replayed.TokenID() != "1" ||
		!replayed.Expiry().Equal(live.Expiry()) || !replayed.IssuedAt().Equal(live.IssuedAt()) || replayed.KeyID() != "" {
		t.Errorf("replayed claims differ: %s", replayed.Payload())
	}
	if live.KeyID() != issuer.Key().ID() {
		t.Errorf("KeyID() = %q, want %q", live.KeyID(), issuer.Key().ID())
	}
}

func TestUnverifiedClaims_Refuses(t *testing.T) {
	trusted := oidcauth.Issuer{URL: "https://issuer.test", Aliases: []string{"issuer.test"}, Audiences: []string{"x"}}
	tests := []struct {
		name, payload string
		want          error
	}{
		{"good", `{"iss":"https://issuer.test","sub":"a","exp":1}`, nil},
		{"alias", `{"iss":"issuer.test","sub":"a","exp":1}`, nil},
		{"not JSON", `{`, oidcauth.ErrMalformedToken},
		{"a name twice", `{"iss":"https://issuer.test","sub":"a","sub":"b","exp":1}`, oidcauth.ErrMalformedToken},
		{"another issuer", `{"iss":"https://b.test","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer},
		{"no subject", `{"iss":"https://issuer.test","exp":1}`, oidcauth.ErrClaim},
		{"expiry a string", `{"iss":"https://issuer.test","sub":"a","exp":"1"}`, oidcauth.ErrClaim},
		{"audience a number", `{"iss":"https://issuer.test","sub":"a","exp":1,"aud":1}`, oidcauth.ErrClaim},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := oidcauth.UnverifiedClaims([]byte(tt.payload), trusted); !errors.Is(err, tt.want) {
				t.Errorf("UnverifiedClaims() error = %v, want %v", err, tt.want)
			}
		})
	}
}
