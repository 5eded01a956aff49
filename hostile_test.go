package oidcauth_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// sentinels are the reasons for a refusal by their names in errors.go.
var sentinels = map[string]error{
	"ErrNoToken": oidcauth.ErrNoToken, "ErrMalformedRequest": oidcauth.ErrMalformedRequest,
	"ErrMalformedToken": oidcauth.ErrMalformedToken, "ErrUnknownIssuer": oidcauth.ErrUnknownIssuer,
	"ErrAlgorithm": oidcauth.ErrAlgorithm, "ErrUnknownKey": oidcauth.ErrUnknownKey,
	"ErrSignature": oidcauth.ErrSignature, "ErrExpired": oidcauth.ErrExpired,
	"ErrNotYetValid": oidcauth.ErrNotYetValid, "ErrIssuedInFuture": oidcauth.ErrIssuedInFuture,
	"ErrClaim": oidcauth.ErrClaim, "ErrAudience": oidcauth.ErrAudience,
	"ErrTokenType": oidcauth.ErrTokenType, "ErrRule": oidcauth.ErrRule,
	"ErrForbidden": oidcauth.ErrForbidden, "ErrOrigin": oidcauth.ErrOrigin,
	"ErrKeysUnavailable": oidcauth.ErrKeysUnavailable, "ErrClosed": oidcauth.ErrClosed,
	"ErrTicketUsed": oidcauth.ErrTicketUsed,
	"ErrRevoked":    oidcauth.ErrRevoked, "ErrIdentityMismatch": oidcauth.ErrIdentityMismatch,
	"ErrRevocationsUnavailable": oidcauth.ErrRevocationsUnavailable,
	"ErrAnswerUnavailable":      oidcauth.ErrAnswerUnavailable,
}

// A hostile is a token, or a request, that must be refused for one reason, and
// its twin in which nothing but that reason is mended, which must pass.
type hostile struct {
	name string
	want error
	bad  func() (*oidcauth.Claims, error)
	good func() (*oidcauth.Claims, error)

	badToken, goodToken string // what is presented to world.auth; empty if it is something else
}

// everyHostile returns all rows of all tables.
func everyHostile(t *testing.T, w *world) []hostile {
	var all []hostile
	for _, table := range []func(*testing.T, *world) []hostile{
		formRows, textRows, headerRows, algorithmRows, confusionRows, keyRows, strangerRows,
		issuerRows, timeRows, audienceRows, typeRows, subjectRows, otherClaimRows, ruleRows,
		serverRows, requestRows, revocationRows, ticketRows, supplementRows,
	} {
		all = append(all, table(t, w)...)
	}
	return all
}

func TestHostile(t *testing.T) {
	w := newWorld(t)
	rows := everyHostile(t, w)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if c, err := row.good(); err != nil {
				t.Errorf("the twin is refused: %v", err)
			} else if c == nil {
				t.Error("the twin is accepted without claims")
			}
			for range 2 {
				c, err := row.bad()
				checkSole(t, err, row.want)
				if c != nil {
					t.Errorf("refused with claims: %s", c.Payload())
				}
			}
		})
	}
	if n := w.evil.Fetches(); n != (oidctest.Fetches{}) {
		t.Errorf("an address in a token was fetched: %+v", n)
	}
	if n := w.main.Fetches().Other; n != 0 {
		t.Errorf("%d requests to addresses in tokens", n)
	}
	if len(rows) < 1000 {
		t.Errorf("%d rows: some of the tables are gone", len(rows))
	}
	t.Run("every sentinel has a row", func(t *testing.T) { checkEverySentinel(t, rows) })
}

// checkSole fails unless err is that sentinel, no other, and in a Refusal.
func checkSole(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
		return
	}
	for name, other := range sentinels {
		if other != want && errors.Is(err, other) {
			t.Errorf("error = %v, which is %s beside %v", err, name, want)
		}
	}
	if refusal, ok := errors.AsType[*oidcauth.Refusal](err); !ok || refusal.Check == "" {
		t.Errorf("error = %#v, want a *Refusal that names its check", err)
	}
}

// checkEverySentinel compares the rows with the source: a reason for which
// nothing is ever refused in a test is one that nobody has seen work.
func checkEverySentinel(t *testing.T, rows []hostile) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if !strings.HasPrefix(name.Name, "Err") {
					continue
				}
				declared++
				if n := countRows(rows, sentinels[name.Name]); n == 0 {
					t.Errorf("%s has no row", name.Name)
				}
			}
		}
	}
	if declared != len(sentinels) {
		t.Errorf("errors.go declares %d sentinels, the test knows %d", declared, len(sentinels))
	}
}

func countRows(rows []hostile, want error) int {
	n := 0
	for _, row := range rows {
		if want != nil && row.want == want {
			n++
		}
	}
	return n
}

// A world is one Authenticator and the issuers that it trusts, each described
// in another way, and a host that it must never ask.
type world struct {
	t      *testing.T
	auth   *oidcauth.Authenticator
	config oidcauth.Config             // of auth
	main   *oidctest.Issuer            // one key of each kind, none with its algorithm stated
	keys   map[string]*oidctest.Key    // of main, by the algorithm that they sign with
	by     map[string]*oidctest.Issuer // the other issuers, by their hosts' first names
	evil   *oidctest.Issuer
}

const mainURL = "https://issuer.test"

// newWorld starts the issuers and the Authenticator.
func newWorld(t *testing.T) *world {
	w := &world{t: t, keys: map[string]*oidctest.Key{}, by: map[string]*oidctest.Issuer{}}
	w.main = oidctest.NewIssuer(t, oidctest.Config{URL: mainURL})
	w.main.RemoveKeys()
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "RS256"} {
		k := w.main.NewKey(oidctest.KeyConfig{Algorithm: alg, ID: "main-" + alg, JWK: map[string]any{"alg": nil}})
		w.main.Publish(k)
		w.keys[alg] = k
	}
	w.main.SignWith(w.keys["ES256"])
	w.evil = oidctest.NewIssuer(t, oidctest.Config{URL: "https://evil.test"})

	descriptions := w.descriptions()
	servers := []*oidctest.Issuer{w.main, w.evil}
	for i := range descriptions {
		host, _, _ := strings.Cut(strings.TrimPrefix(descriptions[i].URL, "https://"), ".")
		if host != "issuer" {
			w.by[host] = oidctest.NewIssuer(t, oidctest.Config{URL: descriptions[i].URL})
			servers = append(servers, w.by[host])
		}
	}
	w.by["down"].Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusInternalServerError})
	w.config = oidcauth.Config{Issuers: descriptions, Client: oidctest.Client(servers...)}
	w.auth = newAuthenticator(t, w.config)
	return w
}

// judge returns the Authenticator to present a token to that is to be refused so.
// One that has just looked for another unknown key does not know yet about this.
func (w *world) judge(want error) *oidcauth.Authenticator {
	if want == oidcauth.ErrUnknownKey {
		return newAuthenticator(w.t, w.config)
	}
	return w.auth
}

// descriptions lists what the Authenticator is told about its issuers.
func (w *world) descriptions() []oidcauth.Issuer {
	named := func(name string, change func(*oidcauth.Issuer)) oidcauth.Issuer {
		i := oidcauth.Issuer{URL: "https://" + name + ".test", Audiences: []string{testAudience, "my-other-db"}}
		if change != nil {
			change(&i)
		}
		return i
	}
	return []oidcauth.Issuer{
		named("issuer", nil),
		named("other", nil),
		named("many", nil),
		named("down", nil),
		named("access", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"at+jwt"} }),
		named("both", func(i *oidcauth.Issuer) { i.TokenTypes = []string{"JWT", "at+jwt"} }),
		named("narrow", func(i *oidcauth.Issuer) { i.Algorithms = []string{"ES384"} }),
		named("client", func(i *oidcauth.Issuer) { i.AudienceClaim = "client_id" }),
		named("anyone", func(i *oidcauth.Issuer) { i.Audiences, i.InsecureAnyAudience = nil, true }),
		named("tuple", func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"tid"}, {"user", "oid"}} }),
		named("ruled", func(i *oidcauth.Issuer) { i.ClaimRules = hostileClaimRules }),
		named("program", func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasRole("writer")} }),
	}
}

// authenticate is the usual way to present a token.
func (w *world) authenticate(tok string) func() (*oidcauth.Claims, error) {
	return func() (*oidcauth.Claims, error) { return w.auth.Authenticate(context.Background(), tok) }
}

// row makes a row of two tokens.
func (w *world) row(name string, want error, bad, good string) hostile {
	presentBad := func() (*oidcauth.Claims, error) { return w.judge(want).Authenticate(context.Background(), bad) }
	return hostile{name, want, presentBad, w.authenticate(good), bad, good}
}

// members are the members of a JSON object in their order: names without
// quotes, values as JSON text.
type members [][2]string

// set returns a copy with the member changed, added, or for "" removed.
func (m members) set(name, value string) members {
	var changed members
	found := false
	for _, member := range m {
		if member[0] == name {
			found = true
			member[1] = value
		}
		if member[1] != "" {
			changed = append(changed, member)
		}
	}
	if !found && value != "" {
		changed = append(changed, [2]string{name, value})
	}
	return changed
}

// with returns a copy with a member more, whether or not it is there already.
func (m members) with(name, value string) members {
	return append(m[:len(m):len(m)], [2]string{name, value})
}

// String returns the object.
func (m members) String() string {
	var parts []string
	for _, member := range m {
		parts = append(parts, `"`+member[0]+`":`+member[1])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// goodExpiry is a time that tokens of these tests expire at: long from now.
const goodExpiry = "4102444800"

// goodClaims are the claims of a token that is accepted.
func goodClaims(issuer string) members {
	return members{
		{"iss", `"` + issuer + `"`}, {"sub", `"alice"`}, {"aud", `"` + testAudience + `"`},
		{"exp", goodExpiry}, {"iat", "1700000000"},
	}
}

// goodHeader is the header that goes with a key.
func goodHeader(k *oidctest.Key) members {
	return members{{"alg", `"` + k.Algorithm() + `"`}, {"kid", `"` + k.ID() + `"`}, {"typ", `"JWT"`}}
}

// signRaw signs a header and claims just as they are.
func signRaw(k *oidctest.Key, header, claims members) string {
	return k.Sign([]byte(header.String()), claims.String())
}

// key is the key that most rows use.
func (w *world) key() *oidctest.Key { return w.keys["ES256"] }

// withClaims signs claims as the main issuer does.
func (w *world) withClaims(claims members) string {
	return signRaw(w.key(), goodHeader(w.key()), claims)
}

// withHeader signs the good claims under a header.
func (w *world) withHeader(header members) string {
	return signRaw(w.key(), header, goodClaims(mainURL))
}

// of signs with the current key of another issuer, whose name the claims bear
// unless they are changed.
func (w *world) of(host string, change func(header, claims members) (members, members)) string {
	i := w.by[host]
	header, claims := goodHeader(i.Key()), goodClaims(i.URL())
	if change != nil {
		header, claims = change(header, claims)
	}
	return signRaw(i.Key(), header, claims)
}

// unix writes the time some way from now as a claim.
func unix(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
