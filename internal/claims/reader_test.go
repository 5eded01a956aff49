package claims_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// read reads a payload whose issuer is known already.
func read(t *testing.T, payload string, shape claims.Shape) (*claims.Record, error) {
	t.Helper()
	members, err := jws.ParseObject(nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	r := claims.Reader{Members: members, Record: &claims.Record{Payload: payload, Issuer: "https://issuer.test"}, Shape: &shape}
	return r.Record, r.ReadAll()
}

// with returns a good payload with further members.
func with(members string) string {
	return strings.TrimSuffix(`{"exp":2000000000,"sub":"alice",`+members, ",") + "}"
}

// Who has to vouch for a token is read from its issuer, or from the trust domain of a
// workload where it has none, and from nothing else.
func TestReader_UntrustedIssuer(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 512)
	for _, tt := range []struct {
		payload, want string
		err           error
	}{
		{`{"iss":"https://issuer.test","sub":"spiffe://example.org/db"}`, "https://issuer.test", nil},
		{`{"sub":"spiffe://example.org/db"}`, "spiffe://example.org", nil},
		{`{"sub":"alice"}`, "", refusal.ErrClaim},
		{`{"sub":7}`, "", refusal.ErrClaim},
		{`{"aud":"a"}`, "", refusal.ErrClaim},
		{`{"iss":"","sub":"spiffe://example.org/db"}`, "", refusal.ErrClaim},
		{`{"iss":null,"sub":"spiffe://example.org/db"}`, "", refusal.ErrClaim},
		{`{"iss":"` + longest + `"}`, longest, nil},
		{`{"iss":"` + longest + `a"}`, "", refusal.ErrClaim},
	} {
		members, err := jws.ParseObject(nil, tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		r := claims.Reader{Members: members, Record: &claims.Record{Payload: tt.payload}}
		if got, err := r.UntrustedIssuer(); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: UntrustedIssuer() = %q, %v, want %q, %v", tt.payload, got, err, tt.want, tt.err)
		}
	}
}

func TestReader_Forms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, payload string
		want          error
		check         string // that fails
	}{
		{"nothing more than is needed", `{"exp":2000000000,"sub":"alice"}`, nil, ""},
		{"no expiry", `{"sub":"alice"}`, refusal.ErrClaim, refusal.Expiry},
		{"expiry null", `{"exp":null,"sub":"alice"}`, refusal.ErrClaim, refusal.Expiry},
		{"expiry as a string", `{"exp":"2000000000","sub":"alice"}`, refusal.ErrClaim, refusal.Expiry},
		{"expiry with a fraction", `{"exp":2000000000.5,"sub":"alice"}`, nil, ""},
		{"expiry out of range", `{"exp":1e300,"sub":"alice"}`, refusal.ErrClaim, refusal.Expiry},
		{"not-before null", with(`"nbf":null`), refusal.ErrClaim, refusal.NotBefore},
		{"time of issue as an array", with(`"iat":[1]`), refusal.ErrClaim, refusal.IssuedAt},
		{"audience as a string", with(`"aud":"a"`), nil, ""},
		{"audiences", with(`"aud":["a","b"]`), nil, ""},
		{"audience null", with(`"aud":null`), refusal.ErrClaim, refusal.Audience},
		{"null among the audiences", with(`"aud":["a",null]`), refusal.ErrClaim, refusal.Audience},
		{"no subject", `{"exp":2000000000}`, refusal.ErrClaim, refusal.Subject},
		{"subject as a number", `{"exp":2000000000,"sub":7}`, refusal.ErrClaim, refusal.Subject},
		{"subject of 2048 bytes", `{"exp":2000000000,"sub":"` + strings.Repeat("a", 2048) + `"}`, nil, ""},
		{"subject of 2049 bytes", `{"exp":2000000000,"sub":"` + strings.Repeat("a", 2049) + `"}`, refusal.ErrClaim, refusal.Subject},
		{"the right identity", with(`"hex_identity":"` + identity.New("https://issuer.test", "alice").String() + `"`), nil, ""},
		{"another's identity", with(`"hex_identity":"` + identity.New("https://issuer.test", "bob").String() + `"`), refusal.ErrClaim, refusal.Subject},
		{"token ID as a number", with(`"jti":1`), refusal.ErrClaim, refusal.Claims},
		{"session ID null", with(`"sid":null`), refusal.ErrClaim, refusal.Claims},
		{"scope as an object", with(`"scope":{}`), refusal.ErrClaim, refusal.Claims},
		{"scope null", with(`"scope":null`), nil, ""},
		{"names in another case", `{"EXP":1,"exp":2000000000,"Sub":"bob","sub":"alice"}`, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			record, err := read(t, tt.payload, claims.Shape{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("ReadAll() error = %v, want %v", err, tt.want)
			}
			if refused, ok := errors.AsType[*refusal.Refusal](err); ok && refused.Check != tt.check {
				t.Errorf("check %q failed, want %q", refused.Check, tt.check)
			}
			if err == nil && record.Identity != identity.New("https://issuer.test", record.Subject) {
				t.Errorf("identity is %v, want that of %q", record.Identity, record.Subject)
			}
		})
	}
}

func TestReader_Shape(t *testing.T) {
	t.Parallel()
	path := func(names ...string) []claims.Path { return []claims.Path{names} }
	for _, tt := range []struct {
		name, members  string
		shape          claims.Shape
		subject, roles string // roles with "+" between them
		scopes         string
		want           error
	}{
		{"the usual claims", `"roles":["a","b"],"scope":"x y"`, claims.Shape{Roles: path("roles")}, "alice", "a+b", "x y", nil},
		{"scopes as an array", `"scp":["x","y z"]`, claims.Shape{}, "alice", "", "x", nil},
		{"scopes that do not count", `"scope":"x"`, claims.Shape{IgnoreScopes: true}, "alice", "", "", nil},
		{"roles below a claim", `"realm_access":{"roles":["a"]}`, claims.Shape{Roles: path("realm_access", "roles")}, "alice", "a", "", nil},
		{"one role as a string with a comma", `"roles":"a,b"`, claims.Shape{Roles: path("roles")}, "alice", "a,b", "", nil},
		{"roles with commas between them", `"roles":"a, b"`, claims.Shape{Roles: path("roles"), RoleForm: claims.RoleForm{Separator: ","}}, "alice", "a+b", "", nil},
		{"roles as JSON text", `"roles":"[\"a\",\"b\"]"`, claims.Shape{Roles: path("roles"), RoleForm: claims.RoleForm{Separator: claims.RoleText}}, "alice", "a+b", "", nil},
		{"roles as members that are true", `"roles":{"a":true,"b":false,"c":{"d":"e"}}`, claims.Shape{Roles: path("roles")}, "alice", "a", "", nil},
		{"roles as members that are objects", `"roles":{"a":{"1":"org"},"b":{}}`, claims.Shape{Roles: path("roles"), RoleForm: claims.RoleForm{Objects: true}}, "alice", "a", "", nil},
		{"roles in an array of more than strings", `"roles":["a",1]`, claims.Shape{Roles: path("roles")}, "alice", "", "", nil},
		{"a mapped subject", `"oid":"1","tid":"2"`, claims.Shape{Subject: []claims.Path{{"tid"}, {"oid"}}}, "2|1", "", "", nil},
		{"a mapped subject whose first part has the separator", `"oid":"1","tid":"2|3"`, claims.Shape{Subject: []claims.Path{{"tid"}, {"oid"}}}, "", "", "", refusal.ErrClaim},
		{"the other subject where the first is missing", `"appid":"9"`, claims.Shape{Subject: path("oid"), SubjectElse: path("appid")}, "9", "", "", nil},
		{"the other subject where the first is empty", `"oid":"","appid":"9"`, claims.Shape{Subject: path("oid"), SubjectElse: path("appid")}, "9", "", "", nil},
		{"no other subject where the first is no string", `"oid":true,"appid":"9"`, claims.Shape{Subject: path("oid"), SubjectElse: path("appid")}, "", "", "", refusal.ErrClaim},
		{"no other subject where the first is null", `"oid":null,"appid":"9"`, claims.Shape{Subject: path("oid"), SubjectElse: path("appid")}, "", "", "", refusal.ErrClaim},
		{"no other subject where the path leads through a string", `"oid":"1","appid":"9"`, claims.Shape{Subject: path("oid", "id"), SubjectElse: path("appid")}, "", "", "", refusal.ErrClaim},
	} {
		t.Run(tt.name, func(t *testing.T) {
			record, err := read(t, with(tt.members), tt.shape)
			if !errors.Is(err, tt.want) {
				t.Fatalf("ReadAll() error = %v, want %v", err, tt.want)
			}
			if err != nil {
				return
			}
			var roles []string
			if tt.roles != "" {
				roles = strings.Split(tt.roles, "+")
			}
			if !slices.Equal(record.RoleList(), roles) || record.Subject != tt.subject || record.Scopes != tt.scopes {
				t.Errorf("got subject %q, roles %q, scopes %q", record.Subject, record.RoleList(), record.Scopes)
			}
		})
	}
}

// A token without expiry never expires where that is permitted, and only there.
// A claim that holds something and grants nothing is what a person looks for.
func TestReader_IdleRoles(t *testing.T) {
	t.Parallel()
	shape := claims.Shape{Roles: []claims.Path{{"roles"}, {"a", "b"}}}
	objects := shape
	objects.RoleForm.Objects = true
	text := shape
	text.RoleForm.Separator = claims.RoleText
	for _, tt := range []struct {
		members string
		shape   claims.Shape
		want    string
	}{
		{`"roles":["x"],"a":{"b":"y"}`, shape, ""},
		{`"roles":[],"a":{"b":{}}`, shape, ""},
		{`"roles":[ ],"a":{"b":{ }}`, shape, ""},
		{`"roles":null,"a":{"b":""}`, shape, ""},
		{`"other":1`, shape, ""},
		{`"roles":["x",1],"a":{"b":{"y":{"1":"org"}}}`, shape, "roles a/b"},
		{`"roles":["x"],"a":{"b":{"y":{"1":"org"}}}`, objects, ""},
		{`"roles":1,"a":{"b":true}`, shape, "roles a/b"},
		{`"roles":"x,y"`, text, "roles"},
		{`"roles":"[\"x\"]"`, text, ""},
	} {
		members, err := jws.ParseObject(nil, with(tt.members))
		if err != nil {
			t.Fatal(err)
		}
		r := claims.Reader{Members: members, Shape: &tt.shape}
		if got := r.IdleRoles(); strings.Join(got, " ") != tt.want {
			t.Errorf("%s: IdleRoles() = %q, want %q", tt.members, got, tt.want)
		}
	}
}

func TestReader_NoExpiry(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{`{"sub":"alice"}`, `{"sub":"alice","exp":null}`} {
		if record, err := read(t, payload, claims.Shape{NoExpiry: true}); err != nil || !record.NeverExpires {
			t.Errorf("%s: never expires %t, error %v", payload, record.NeverExpires, err)
		}
	}
	if record, err := read(t, `{"sub":"alice","exp":5}`, claims.Shape{NoExpiry: true}); err != nil || record.NeverExpires || record.Expiry.Time().Unix() != 5 {
		t.Errorf("never expires %t, at %v, error %v", record.NeverExpires, record.Expiry.Time(), err)
	}
}

// Claims are found where the index says, and without an index too.
func TestRecord_Text(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		with(`"a":"x","b":{"c":"y"},"d":1`),
		with(`"\u0061":"x","b":{"c":"y"},"d":1`), // an escaped name: no index
	} {
		record, err := read(t, payload, claims.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			path  []string
			want  string
			found bool
		}{{[]string{"a"}, "x", true}, {[]string{"b", "c"}, "y", true}, {[]string{"b"}, "", false}, {[]string{"d"}, "", false}, {[]string{"A"}, "", false}, {[]string{"a", "c"}, "", false}} {
			if got, found := record.Text(tt.path...); got != tt.want || found != tt.found {
				t.Errorf("index %t: Text(%q) = %q, %t, want %q, %t", record.Index != "", tt.path, got, found, tt.want, tt.found)
			}
		}
	}
}

// A reader keeps nothing of one payload for the next.
func TestReader_Reset(t *testing.T) {
	t.Parallel()
	var r claims.Reader
	for _, payload := range []string{with(`"aud":["secret-a","secret-b"],"roles":["secret-c"]`), with(`"x":1`)} {
		var err error
		if r.Members, err = jws.ParseObject(r.Members[:0], payload); err != nil {
			t.Fatal(err)
		}
		r.Record, r.Shape = &claims.Record{Payload: payload, Issuer: "i"}, &claims.Shape{Roles: []claims.Path{{"roles"}}}
		if err := r.ReadAll(); err != nil {
			t.Fatal(err)
		}
		if payload == with(`"x":1`) && len(r.Record.Lists) != 0 {
			t.Errorf("the second record has %q of the first", r.Record.Lists)
		}
		r.Reset()
		if r.Record != nil || r.Shape != nil || len(r.Members) != 0 {
			t.Error("Reset left something")
		}
		for _, m := range r.Members[:cap(r.Members)] {
			if m.Value != "" {
				t.Fatalf("a member of the last payload is left: %q", m.Value)
			}
		}
	}
}

// The buffers that a usual payload needs are kept, and those of an unusual one are not.
func TestReader_ResetBuffers(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{4096: 4096, 4097: 0} {
		r := claims.Reader{Members: make([]jws.Member, 1, size)}
		if r.Reset(); cap(r.Members) != want || len(r.Members) != 0 {
			t.Errorf("of %d members' memory that for %d is kept, want %d", size, cap(r.Members), want)
		}
	}
	var r claims.Reader
	audience := func(payload string) (room int) {
		r.Members, _ = jws.ParseObject(nil, payload)
		r.Record = new(claims.Record)
		if err := r.ReadAudience(); err != nil {
			t.Fatal(err)
		}
		defer r.Reset()
		return cap(r.Record.Lists)
	}
	for n := 2; n < 200; n++ {
		r = claims.Reader{}
		had := audience(`{"aud":[` + strings.TrimSuffix(strings.Repeat(`"a",`, n), ",") + `]}`)
		if has := audience(`{"aud":"a"}`); (has == had) != (had <= 64) {
			t.Errorf("after %d audiences, of room for %d that for %d is left", n, had, has)
		}
	}
}

func TestReader_Lookup(t *testing.T) {
	t.Parallel()
	members, err := jws.ParseObject(nil, `{"a":{"b":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	r := claims.Reader{Members: members}
	for _, tt := range []struct {
		path  claims.Path
		value string // empty where there is none
		err   error
	}{
		{nil, "", nil},
		{claims.Path{"a"}, `{"b":1}`, nil},
		{claims.Path{"b"}, "", nil},
		{claims.Path{"a", "b"}, "1", nil},
		{claims.Path{"a", "c"}, "", nil},
		{claims.Path{"b", "c"}, "", nil},
		{claims.Path{"a", "b", "c"}, "", jws.ErrKind},
	} {
		m, found, err := r.Lookup(tt.path)
		if m.Value != tt.value || found != (tt.value != "") || !errors.Is(err, tt.err) {
			t.Errorf("Lookup(%q) = %q, %t, %v, want %q, %v", tt.path, m.Value, found, err, tt.value, tt.err)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	if got := (claims.Time(0)).Time(); got != (time.Time{}) {
		t.Errorf("the zero Time is %#v, want the zero time", got)
	}
	if first := claims.Time(1).Time(); !first.Equal(time.Time{}.Add(time.Microsecond)) {
		t.Errorf("the Time after the zero Time is %v", first)
	}
	if far, further := claims.At(time.Unix(1<<42, 0)), claims.At(time.Unix(1<<62, 0)); far != further || far == claims.At(time.Unix(1<<42-1, 0)) {
		t.Errorf("a clock 140,000 years ahead reads %d, one further ahead %d", far, further)
	}
	for _, tt := range []time.Time{{}, time.Unix(0, 0), time.Unix(1_700_000_000, 123456000), time.Unix(-5, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := claims.At(tt).Time(); !got.Equal(tt) {
			t.Errorf("At(%v).Time() = %v", tt, got)
		}
	}
	if far := time.Unix(1<<60, 0); claims.At(far) <= claims.At(time.Now()) {
		t.Error("a clock far ahead is taken for one in the past")
	}
	if got := claims.At(time.Unix(1, 0)).Plus(1500 * time.Millisecond).Time(); !got.Equal(time.Unix(2, 5e8)) {
		t.Errorf("Plus() = %v", got)
	}
}
