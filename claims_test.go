package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestClaims_Scopes(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	trusted.Audiences = nil
	if _, err := oidcauth.UnverifiedClaims([]byte(tests[0].payload), trusted); err == nil || !strings.Contains(err.Error(), "Audiences") {
		t.Errorf("UnverifiedClaims() by a description that New refuses: error = %v", err)
	}
}

// listsOf returns what claims say in lists, and what they find by name.
func listsOf(c *oidcauth.Claims) []string {
	name, _ := c.LookupString("name")
	return slices.Concat(slices.Collect(c.Audience()), []string{"|"}, slices.Collect(c.Roles()), []string{"|"}, slices.Collect(c.Scopes()), []string{name})
}

// The memory in which a token is judged is used again for the next one. Claims
// have none of it, however they came about: those that a rule has seen before it
// refused or panicked, too.
func TestClaims_KeepTheirOwn(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	seen := map[string]*oidcauth.Claims{}
	refused := errors.New("refused")
	trusted.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
		seen[c.TokenID()] = c
		switch {
		case strings.HasPrefix(c.TokenID(), "panic"):
			panic("rule")
		case strings.HasPrefix(c.TokenID(), "refuse"):
			return refused
		}
		return nil
	}}
	local := newLocal(t, localissuer.Config{})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), CacheBytes: -1, MaxTokenBytes: 1 << 20,
	})
	token := func(id string, n int) (string, []string) {
		audience, roles := []string{testAudience}, []string{}
		for i := range n {
			audience = append(audience, fmt.Sprint(id, " audience ", i))
			roles = append(roles, fmt.Sprint(id, " role ", i))
		}
		tok := issuer.Token(map[string]any{"jti": id, "aud": audience, "roles": roles, "scope": "of-" + id, "name": "name of " + id})
		return tok, slices.Concat(audience, []string{"|"}, roles, []string{"|", "of-" + id, "name of " + id})
	}
	want := map[string][]string{}
	for round := range 5 {
		for n, use := range map[int]func(tok string) error{
			0: func(tok string) error { _, err := a.Authenticate(t.Context(), tok); return err },
			1: func(tok string) error { return a.Explain(t.Context(), tok).Err },
			2: func(tok string) error {
				ticket, err := local.Ticket(from(), authenticate(t, a, tok), localissuer.AnyDatabase)
				if err != nil {
					t.Fatal(err)
				}
				_, err = a.AuthenticateTicket(from(), ticket, localissuer.AnyDatabase)
				return err
			},
		} {
			for i, id := range []string{"accept", "refuse", "panic"} {
				if n == 2 && id != "accept" {
					continue
				}
				id = fmt.Sprintf("%s-%d-%d", id, n, round)
				tok, lists := token(id, []int{1, 5, 40, 0, 100}[(round+i)%5])
				want[id] = lists
				outcome := map[string]error{"refuse": oidcauth.ErrRule, "panic": oidcauth.ErrAnswerUnavailable}[strings.Split(id, "-")[0]]
				if err := use(tok); !errors.Is(err, outcome) {
					t.Errorf("%s: error = %v, want %v", id, err, outcome)
				}
			}
		}
		// Refusals on the way leave nothing behind for the next token.
		for _, changes := range []map[string]any{
			{"roles": []any{"admin", "admin", 1}}, {"aud": []any{testAudience, "admin", nil}}, {"aud": []string{"admin", "admin"}},
			{"roles": []string{"admin", "admin"}, "sub": 1}, {"roles": []string{"admin", "admin"}, "jti": 1},
			{"roles": []string{"admin", "admin"}, "exp": time.Now().Add(-time.Hour)},
		} {
			_, _ = a.Authenticate(t.Context(), issuer.Token(changes))
		}
		for _, none := range []any{nil, []string{}, []any{"admin", 1}, map[string]any{}} {
			if c := authenticate(t, a, issuer.Token(map[string]any{"roles": none, "jti": "none"})); len(slices.Collect(c.Roles())) > 0 || c.HasRole("admin") || c.HasRole("") {
				t.Errorf("roles %v are %q", none, slices.Collect(c.Roles()))
			}
		}
	}
	if len(want) != 5*7 {
		t.Fatalf("%d tokens, want 35", len(want))
	}
	for id, lists := range want {
		if got := listsOf(seen[id]); !slices.Equal(got, lists) {
			t.Errorf("%s: got %.300q, want %.300q", id, strings.Join(got, ","), strings.Join(lists, ","))
		}
	}
}

// What is kept of a token when the caller has let go of its claims is nothing:
// neither is its payload, which the memory for the next token could hold.
func TestAuthenticate_LetsGo(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
	for _, lists := range []map[string]any{
		{"aud": testAudience, "roles": nil}, {"aud": []string{"a", testAudience}, "roles": "b"}, {"roles": []string{"a", "b", "c", "d"}},
	} {
		c := authenticate(t, a, issuer.Token(lists))
		payload := weak.Make(unsafe.StringData(c.Subject()))
		runtime.KeepAlive(c)
		runtime.GC() // once: a pool holds on for as long
		if payload.Value() != nil {
			t.Errorf("the payload with %v is still in memory", lists)
		}
	}
}

// wantsReplay fails the test unless the payload of live claims gives the same
// claims again, with nothing verified.
func wantsReplay(t *testing.T, a *oidcauth.Authenticator, live *oidcauth.Claims) {
	t.Helper()
	got, err := a.UnverifiedClaims(live.Payload(), nil)
	if err != nil {
		t.Fatalf("UnverifiedClaims() error = %v", err)
	}
	if got.Identity() != live.Identity() || got.Issuer() != live.Issuer() || got.Subject() != live.Subject() ||
		!got.Expiry().Equal(live.Expiry()) || got.KeyID() != "" ||
		!slices.Equal(slices.Collect(got.Roles()), slices.Collect(live.Roles())) ||
		!slices.Equal(slices.Collect(got.Scopes()), slices.Collect(live.Scopes())) {
		t.Errorf("of %s replayed: issuer %q, subject %q, roles %q, scopes %q, want %q, %q, %q, %q", live.Payload(),
			got.Issuer(), got.Subject(), slices.Collect(got.Roles()), slices.Collect(got.Scopes()),
			live.Issuer(), live.Subject(), slices.Collect(live.Roles()), slices.Collect(live.Scopes()))
	}
	s := a.NewSession(context.Background(), got)
	expectEnd(t, s, oidcauth.ErrSignature)
}

// A replay gives a stranger what the token had: no roles and scopes, unless
// AnyIssuer grants them; and a configured issuer's caller what its description
// says. It needs no issuer.
func TestAuthenticator_UnverifiedClaims(t *testing.T) {
	t.Parallel()
	for _, grants := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuers, client := strangers(t, 2)
			settings := oidcauth.AnyIssuer{KeepScopes: grants}
			if grants {
				settings.Roles = []oidcauth.Path{{"roles"}}
			}
			cfg := open(client, settings)
			cfg.Issuers = []oidcauth.Issuer{{
				URL: issuers[1].URL(), Aliases: []string{"alias"}, Audiences: []string{testAudience},
				Roles: []oidcauth.Path{{"groups"}}, Subject: []oidcauth.Path{{"oid"}},
			}}
			a, later := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
			claims := map[string]any{
				"roles": []string{"admin"}, "groups": []string{"readers"}, "scope": "write", "oid": "object-1",
			}
			stranger := wants(t, a, issuers[0].Token(claims), nil)
			if stranger.HasRole("admin") != grants || stranger.HasScope("write") != grants {
				t.Fatal("the test's own expectation of AnyIssuer is wrong")
			}
			known := wants(t, a, issuers[1].Token(claims), nil)
			claims["iss"] = "alias"
			alias := wants(t, a, issuers[1].Token(claims), nil)
			fetches := issuers[0].Fetches()
			for _, live := range []*oidcauth.Claims{stranger, known, alias} {
				wantsReplay(t, a, live)
				wantsReplay(t, later, live)
			}
			if got := issuers[0].Fetches(); got != fetches {
				t.Errorf("a replay costs fetches: %+v, before %+v", got, fetches)
			}
			if known, _, _ := oidcauth.OpenIssuers(later); known != 0 {
				t.Errorf("a replay makes the server remember %d issuers", known)
			}
			a.Close()
			wantsReplay(t, a, stranger)
		})
	}
}

// Payloads that no accepted token can have had.
func TestAuthenticator_UnverifiedClaims_Refuses(t *testing.T) {
	t.Parallel()
	trusted := oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}}
	closed := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	opened := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, AnyIssuer: &oidcauth.AnyIssuer{
		Audiences: []string{"x"}, Accept: func(string) bool { return false }, // is not asked
	}})
	tests := []struct {
		name, payload  string
		closed, opened error
	}{
		{"a configured issuer", `{"iss":"https://issuer.test","sub":"a","exp":1}`, nil, nil},
		{"a stranger's", `{"iss":"https://stranger.test","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, nil},
		{"a stranger's over http", `{"iss":"http://stranger.test","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"a stranger's with a query", `{"iss":"https://stranger.test?a=b","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"a stranger's with the separator", `{"iss":"https://stranger.test/|b","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"a bare word", `{"iss":"localhost","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"no issuer", `{"sub":"a","exp":1}`, oidcauth.ErrClaim, oidcauth.ErrClaim},
		{"no subject", `{"iss":"https://issuer.test","exp":1}`, oidcauth.ErrClaim, oidcauth.ErrClaim},
		{"not JSON", `{`, oidcauth.ErrMalformedToken, oidcauth.ErrMalformedToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := closed.UnverifiedClaims([]byte(tt.payload), nil); !errors.Is(err, tt.closed) {
				t.Errorf("error = %v, want %v", err, tt.closed)
			}
			if _, err := opened.UnverifiedClaims([]byte(tt.payload), nil); !errors.Is(err, tt.opened) {
				t.Errorf("with AnyIssuer: error = %v, want %v", err, tt.opened)
			}
		})
	}
}

// Each tenant is the issuer of its own callers in a replay too.
func TestAuthenticator_UnverifiedClaims_Tenant(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{newTenantKeys(t).trusted}})
	c, err := a.UnverifiedClaims([]byte(`{"iss":"`+tenantURL(tenantB)+`","tid":"`+tenantB+`","sub":"a","exp":1}`), nil)
	if err != nil || c.Issuer() != tenantURL(tenantB) {
		t.Fatalf("got %v, %v, want claims of the tenant", c, err)
	}
	if _, err := a.UnverifiedClaims([]byte(`{"iss":"`+tenantURL(tenantB)+`","tid":"`+tenantA+`","sub":"a","exp":1}`), nil); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("of another tenant: error = %v, want %v", err, oidcauth.ErrClaim)
	}
}

// Digits that are too fine to keep are cut off: they never prolong a life.
func TestClaims_TimesAreCutOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"1700000000.0000019": time.Unix(1700000000, 1000),
		"-0.0000001":         time.Unix(0, -1000),
		"-62135596800":       {},
		"-62135596799.5":     time.Time{}.Add(time.Second / 2),
		"-100000000000":      time.Unix(-100000000000, 0),
	} {
		c := unverified(t, strings.Replace(`{"iss":"https://issuer.test","sub":"alice","exp":1,"nbf":TIME}`, "TIME", text, 1))
		if got := c.NotBefore(); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("NotBefore() of %s = %v, want %v", text, got, want)
		}
	}
}
