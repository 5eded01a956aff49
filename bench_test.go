package oidcauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// benchmarkClaims make a token of about 900 bytes when signed with RS256.
var benchmarkClaims = map[string]any{
	"sub": "auth0|64f1c0ffee0ddba11c0de123", "aud": testAudience, "azp": "wGtwKYkhLRqTSB5Zi8BsXbTNCOsY1Xqp",
	"jti": "f3b9a1f2-6c0f-4b8b-9d8e-2a7c1e5d4b60", "scope": "openid profile email read:messages write:messages",
	"email": "alice@example.com", "name": "Alice Example", "roles": []string{"reader", "writer"},
}

// BenchmarkAuthenticate compares a token's first use (cold), its later uses
// (hot) and the bare signature check of the standard library.
func BenchmarkAuthenticate(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		issuer, trusted := newIssuer(b, oidctest.Config{Algorithm: alg, Claims: benchmarkClaims})
		token := issuer.Token(nil)
		b.Run(alg+"/bare", func(b *testing.B) { benchmarkBare(b, token, issuer) })
		for name, size := range map[string]int64{"cold": -1, "hot": 0} {
			a := newAuthenticator(b, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: size,
			})
			authenticate := func() {
				if _, err := a.Authenticate(context.Background(), token); err != nil {
					b.Error(err)
				}
			}
			authenticate()
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					authenticate()
				}
			})
			b.Run(alg+"/"+name+"/parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						authenticate()
					}
				})
			})
		}
	}
}

func BenchmarkMiddleware(b *testing.B) {
	issuer, trusted := newIssuer(b, oidctest.Config{Algorithm: "RS256", Claims: benchmarkClaims})
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	authorization := []string{"Bearer " + issuer.Token(nil)}
	served := 0
	handler := a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := oidcauth.FromContext(r.Context()); ok {
			served++
		}
	}))
	r, err := http.NewRequest(http.MethodGet, "/v1/whoami", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		r.Header["Authorization"] = authorization
		handler.ServeHTTP(nil, r)
	}
	if served != n {
		b.Fatalf("served %d of %d requests", served, n)
	}
}

func benchmarkBare(b *testing.B, token string, issuer *oidctest.Issuer) {
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	verify := bareCheck(b, issuer.Key().Public(), signature)
	b.ReportAllocs()
	for b.Loop() {
		if !verify(input) {
			b.Fatal("signature not valid")
		}
	}
}

// bareCheck returns the standard library's check of one signature.
func bareCheck(b *testing.B, key crypto.PublicKey, signature []byte) func(input []byte) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return func(input []byte) bool {
			digest := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
		}
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		der, err := asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]),
		})
		if err != nil {
			b.Fatal(err)
		}
		return func(input []byte) bool {
			digest := sha256.Sum256(input)
			return ecdsa.VerifyASN1(key, digest[:], der)
		}
	case ed25519.PublicKey:
		return func(input []byte) bool { return ed25519.Verify(key, input, signature) }
	}
	b.Fatalf("unknown key type %T", key)
	return nil
}

// BenchmarkWorstToken shows what one token of 16 KiB can cost, as a multiple of
// a bare ES256 check that is measured in turn with it (x-ES256): without a valid
// signature ("unsigned"), and with one by the issuer, which is a check of its own
// ("signed").
func BenchmarkWorstToken(b *testing.B) {
	issuer, trusted := worstIssuer(b)
	ordinary := issuer.Token(nil)
	signature := ordinary[strings.LastIndexByte(ordinary, '.')+1:]
	verify := bareCheck(b, issuer.Key().Public(), decoded(b, signature))
	signed := []byte(strings.TrimSuffix(ordinary, "."+signature))
	bare := func() {
		if !verify(signed) {
			b.Fatal("signature not valid")
		}
	}
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, CacheBytes: -1})
	run := func(name string, tokens ...string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			b.ReportMetric(ratio(b, bare, func() {
				n++
				_, _ = a.Authenticate(context.Background(), tokens[n%len(tokens)])
			}), "x-ES256")
			b.ReportMetric(0, "ns/op")
		})
	}
	run("signed/ordinary", ordinary)
	for _, s := range unsignedShapes() {
		other := s // so that no header comes twice in a row
		if s.header != "" {
			other.header += " "
		}
		run("unsigned/"+s.name, s.unsigned(), other.unsigned())
	}
	for _, s := range signedShapes(issuer) {
		run("signed/"+s.name, issuer.Sign(map[string]any{}, s.payload))
	}
}

// ratio runs work for as long as b wants, each time after unit, and returns how
// many units it took: of both the first decile, because other programs on the
// machine only add to the time.
func ratio(b *testing.B, unit, work func()) float64 {
	var units, works []time.Duration
	for b.Loop() {
		start := time.Now()
		unit()
		middle := time.Now()
		work()
		units, works = append(units, middle.Sub(start)), append(works, time.Since(middle))
	}
	slices.Sort(units)
	slices.Sort(works)
	return float64(works[len(works)/10]) / float64(units[len(units)/10])
}

func decoded(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// worstIssuer returns an issuer whose description makes the most of a token.
func worstIssuer(tb testing.TB) (*oidctest.Issuer, oidcauth.Issuer) {
	tb.Helper()
	issuer, trusted := newIssuer(tb, oidctest.Config{})
	trusted.Keys.JWKS = issuer.KeySet()
	trusted.Audiences = append(trusted.Audiences, "b", "c", "d", "e", "f", "g", "h", "i", "j")
	trusted.Roles = []oidcauth.Path{
		{"roles"}, {"realm_access", "roles"}, {"realm_access", "groups", "all"}, {"realm_access", "others"},
	}
	trusted.ClaimRules = []oidcauth.ClaimRule{
		{Claim: oidcauth.Path{"azp"}, In: []string{"x", "y"}, Optional: true},
		{Claim: oidcauth.Path{"realm_access", "blocked"}, Absent: true},
	}
	return issuer, trusted
}

// The shapes are what they are meant to be: as large as a token may be, and
// refused by the check that reads them, or not at all.
func TestWorstToken(t *testing.T) {
	t.Parallel()
	issuer, trusted := worstIssuer(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	wants(t, a, issuer.Token(nil), nil)
	for _, s := range unsignedShapes() {
		t.Run("unsigned "+s.name, func(t *testing.T) {
			token := s.unsigned()
			_, err := a.Authenticate(t.Context(), token)
			if len(token) > largestToken || len(token) < largestToken-2*aroundPayload {
				t.Errorf("the token has %d bytes, want %d or a few less", len(token), largestToken)
			}
			if want := s.wanted(); !errors.Is(err, want) {
				t.Errorf("Authenticate() error = %v, want %v", err, want)
			}
		})
	}
	for _, s := range signedShapes(issuer) {
		t.Run("signed "+s.name, func(t *testing.T) {
			token := issuer.Sign(map[string]any{}, s.payload)
			if len(token) > largestToken || len(token) < largestToken-2*aroundPayload {
				t.Errorf("the token has %d bytes, want %d or a few less", len(token), largestToken)
			}
			wants(t, a, token, s.want)
		})
	}
}

// largestToken is how many bytes a token may have by default.
const largestToken = 16 << 10

// A worstShape is a kind of token that costs as much as its kind can.
type worstShape struct {
	name    string
	header  string // the JSON text; empty for an ordinary one
	payload string // the JSON text; empty for an ordinary one
	// token is the whole token where it is not made of the two; otherwise an
	// unsigned one has a signature of zeros.
	token string
	want  error // with which it is refused
}

// unsigned returns the token, whose signature is worth nothing.
func (s worstShape) unsigned() string {
	if s.token != "" {
		return s.token
	}
	header := s.header
	if header == "" {
		header = worstHeader
	}
	return hostile.Encode(header) + "." + hostile.Encode(s.payload) + "." + hostile.Encode(strings.Repeat("\x00", 64))
}

// wanted returns what an unsigned token is refused with: nobody knows its
// issuer, unless its form or that issuer's name is worse.
func (s worstShape) wanted() error {
	if s.want == nil {
		return oidcauth.ErrUnknownIssuer
	}
	return s.want
}

const (
	worstHeader = `{"alg":"ES256","kid":"k"}`

	// aroundPayload is for a header, dots and a signature.
	aroundPayload = 256
)

// filled returns head, then units until the token is full, then tail. The comma
// that ends the last unit is cut off.
func filled(head string, unit func(i int) string, tail string) string {
	size := base64.RawURLEncoding.DecodedLen(largestToken-aroundPayload) - len(head) - len(tail)
	var b strings.Builder
	for i := 0; ; i++ {
		u := unit(i)
		if b.Len()+len(u) > size {
			break
		}
		b.WriteString(u)
	}
	return head + strings.TrimSuffix(b.String(), ",") + tail
}

// always is a unit that is the same each time.
func always(text string) func(int) string { return func(int) string { return text } }

// shortName returns the i-th of the shortest names.
func shortName(i int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	name := ""
	for {
		name = letters[i%len(letters):i%len(letters)+1] + name
		if i = i/len(letters) - 1; i < 0 {
			return name
		}
	}
}

// The names that a token may have, and those with escapes among them, are bounded
// by its length. These are nearly as many as may stand in one of 16 KiB, and in a
// header.
const mostNames, mostEscaped, headerNames = 1400, 230, 128

// first returns one unit as often as n says, and then the other.
func first(n int, unit, other func(int) string) func(int) string {
	return func(i int) string {
		if i < n {
			return unit(i)
		}
		return other(i)
	}
}

// repeated returns the first n of such members.
func repeated(n int, member func(int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(member(i))
	}
	return b.String()
}

// crowded is a unit of members with as many names as may be, the first of them
// escaped in one way or the other, and after these of members with long values.
func crowded(escaped, member func(int) string) func(int) string {
	long := func(i int) string { return `"` + shortName(i) + `":"` + strings.Repeat("x", 200) + `",` }
	return first(mostEscaped, escaped, first(mostNames, member, long))
}

// crowdedList is the same of objects with so many names each.
func crowdedList(names int, escaped, object string) func(int) string {
	return first(mostEscaped/names, always(escaped), first(mostNames/names, always(object), always(`"`+strings.Repeat("x", 200)+`",`)))
}

// escapedMember and shortMember are members with the i-th of such names.
func escapedMember(i int) string { return `"\n` + shortName(i) + `":0,` }

func shortMember(i int) string { return `"` + shortName(i) + `":0,` }

// alikeName returns the i-th of names that begin alike, end alike and have one
// length, so that whatever is looked at first tells nothing.
func alikeName(i int) string { return fmt.Sprintf("a%03xa", i) }

// unsignedShapes are tokens that anybody can send: they get as far as their
// issuer at most, whom nobody trusts.
func unsignedShapes() []worstShape {
	const head, tail = `{"iss":"https://nobody.example","sub":"a","a":[`, `]}`
	const top = `{"iss":"https://nobody.example",`
	largest, below, above := worstNumbers()
	list := func(unit string) string { return filled(head, always(unit), tail) }
	return []worstShape{
		{name: "text, plain", payload: filled(head+`"`, always("a"), `"`+tail)},
		{name: "numbers, subnormal", payload: list(`1e-310,`)},
		{name: "numbers, subnormal with digits", payload: list(`2.2250738585072011e-308,`)},
		{name: "numbers, largest", payload: list(largest + `,`)},
		{name: "numbers, just in range", payload: list(below + `.9,`)},
		{name: "numbers, just in range, point first", payload: list(below[:1] + "." + below[1:] + `e308,`)},
		{name: "numbers, halfway between doubles", payload: list(`9007199254740993.00000000000000000000000000000000000001e2,`)},
		{name: "numbers, one digit", payload: list(`0,`)},
		{name: "numbers, exponent", payload: list(`1e0,`)},
		{name: "number, one of all digits", payload: filled(head, always("7"), "e-99999"+tail)},
		{name: "number, zeros before digits", payload: filled(head+"0.", always("0"), above+"e9999"+tail)},
		{name: "number, zeros in the exponent", payload: filled(head+"1e", always("0"), "308"+tail)},
		{name: "literals", payload: list(`null,`)},
		{name: "strings, empty", payload: list(`"",`)},
		{name: "strings, one letter", payload: list(`"a",`)},
		{name: "strings, eight letters", payload: list(`"abcdefgh",`)},
		{name: "strings, one escape each", payload: list(`"\n",`)},
		{name: "escapes, short", payload: filled(head+`"`, always(`\n`), `"`+tail)},
		{name: "escapes, long", payload: filled(head+`"`, always(`\u0000`), `"`+tail)},
		{name: "escapes, pairs", payload: filled(head+`"`, always(`\ud83d\ude00`), `"`+tail)},
		{name: "escapes after one letter", payload: filled(head+`"`, always(`a\n`), `"`+tail)},
		{name: "text, two bytes a letter", payload: filled(head+`"`, always("é"), `"`+tail)},
		{name: "text, three bytes a letter", payload: filled(head+`"`, always("€"), `"`+tail)},
		{name: "text, mixed", payload: filled(head+`"`, always("aé€\U0001F600"), `"`+tail)},
		{name: "text, not UTF-8 at the end", payload: filled(head+`"`, always("aé€"), "\xff\""+tail), want: oidcauth.ErrMalformedToken},
		{name: "control character at the end", payload: filled(head+`"`, always("a"), "\x01\""+tail), want: oidcauth.ErrMalformedToken},
		{name: "white space", payload: filled(head, always(" "), tail)},
		{name: "white space between", payload: list(" 0 ,")},
		{name: "names, shortest", payload: filled(top, crowded(shortMember, shortMember), `}`)},
		{name: "names, too many", payload: filled(top, shortMember, `}`), want: oidcauth.ErrMalformedToken},
		{name: "names, alike", payload: filled(top, func(i int) string { return `"` + alikeName(i) + `":0,` }, `}`)},
		{name: "names, escaped", payload: filled(top, crowded(escapedMember, shortMember), `}`)},
		{name: "names, escaped, too many", payload: filled(top, escapedMember, `}`), want: oidcauth.ErrMalformedToken},
		{name: "names, escaped to the end", payload: filled(top, crowded(func(i int) string { return fmt.Sprintf(`"\u%04x":0,`, i+0x4e00) }, shortMember), `}`)},
		{name: "names, nested and escaped", payload: filled(head, crowdedList(1, `{"\n":0},`, `{"a":0},`), tail)},
		{name: "names, nested pairs", payload: filled(head, crowdedList(2, `{"a":0,"b":0},`, `{"a":0,"b":0},`), tail)},
		{name: "names, nested escaped pairs", payload: filled(head, crowdedList(2, `{"\n":0,"\t":0},`, `{"a":0,"b":0},`), tail)},
		{name: "names, long", payload: filled(top, func(i int) string { return `"` + strings.Repeat("x", 100) + shortName(i) + `":0,` }, `}`)},
		{name: "names, one long and escaped", payload: filled(top+`"`, always(`\n`), `":0}`)},
		{name: "names, 32 alike in each object", payload: list(alikeObject(32) + `,`)},
		{name: "names, 33 alike in each object", payload: list(alikeObject(33) + `,`)},
		{name: "names, 32 escaped and alike in each object", payload: filled(head, crowdedList(32, escapedObject(32)+`,`, alikeObject(32)+`,`), tail)},
		{name: "names, 33 escaped and alike in each object", payload: filled(head, crowdedList(33, escapedObject(33)+`,`, alikeObject(33)+`,`), tail)},
		{name: "names, twice at the end", payload: filled(top, crowded(shortMember, shortMember), `,"iss":0}`), want: oidcauth.ErrMalformedToken},
		{name: "objects, empty", payload: list(`{},`)},
		{name: "arrays, empty", payload: list(`[],`)},
		{name: "objects, deep", payload: filled(head, crowdedList(30, deepObject, deepObject), tail)},
		{name: "arrays, deep", payload: list(strings.Repeat(`[`, 30) + strings.Repeat(`]`, 30) + `,`)},
		{name: "arrays, too deep", payload: filled(head, always(`[`), ``), want: oidcauth.ErrMalformedToken},
		{name: "issuer, all escapes", payload: filled(`{"iss":"`, always(`\n`), `"}`), want: oidcauth.ErrClaim},
		{name: "issuer, long", payload: filled(`{"iss":"`, always(`a`), `"}`), want: oidcauth.ErrClaim},
		{name: "issuer, not the first claim", payload: filled(`{`, crowded(shortMember, shortMember), `,"iss":"https://nobody.example"}`)},
		{name: "issuer, a list", payload: filled(`{"iss":[`, always(`"a",`), `]}`), want: oidcauth.ErrClaim},
		{name: "header, names", header: filled(`{"alg":"ES256",`+repeated(headerNames-2, escapedMember)+`"x":"`, always(`\n`), `"}`), payload: `{}`, want: oidcauth.ErrClaim},
		{name: "header, too many names", header: filled(`{"alg":"ES256",`, shortMember, `}`), payload: `{}`, want: oidcauth.ErrMalformedToken},
		{name: "header, key ID of escapes", header: filled(`{"alg":"ES256","kid":"`, always(`\n`), `"}`), payload: `{}`, want: oidcauth.ErrClaim},
		{name: "header, type of escapes", header: filled(`{"alg":"ES256","typ":"`, always(`\n`), `"}`), payload: `{}`, want: oidcauth.ErrClaim},
		{name: "header, numbers", header: filled(`{"alg":"ES256","a":[`, always(`1e-310,`), `]}`), payload: `{}`, want: oidcauth.ErrClaim},
		{name: "base64, dots", token: strings.Repeat(".", largestToken), want: oidcauth.ErrMalformedToken},
		{name: "base64, padding", token: "e30." + strings.Repeat("=", largestToken-8) + ".AA", want: oidcauth.ErrMalformedToken},
		{name: "base64, line ends", token: hostile.Encode(worstHeader) + "." + strings.Repeat("\n", largestToken-100) + ".AA", want: oidcauth.ErrMalformedToken},
		{name: "base64, line ends in the signature", token: hostile.Encode(worstHeader) + ".e30." + strings.Repeat("AAA\n", (largestToken-100)/4), want: oidcauth.ErrMalformedToken},
		{name: "base64, noise at the end", token: hostile.Encode(worstHeader) + "." + strings.Repeat("A", largestToken-100) + "!.AA", want: oidcauth.ErrMalformedToken},
		{name: "base64, a long signature", token: hostile.Encode(worstHeader) + "." + hostile.Encode(`{"iss":"https://nobody.example"}`) + "." + strings.Repeat("A", largestToken-128)},
	}
}

func alikeObject(n int) string {
	return objectOf(n, func(i int) string { return "a" + shortName(i%64) + "a" })
}

func escapedObject(n int) string {
	return objectOf(n, func(i int) string { return `\n` + shortName(i%64) + `\n` })
}

var deepObject = strings.Repeat(`{"":`, 30) + `0` + strings.Repeat(`}`, 30) + `,`

func objectOf(n int, name func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%s":0,`, name(i))
	}
	return "{" + strings.TrimSuffix(b.String(), ",") + "}"
}

// worstNumbers are the largest double, the last whole number that rounds to it,
// and the one after that, which rounds to infinity.
func worstNumbers() (largest, below, above string) {
	power := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	middle := new(big.Int).Sub(power(1024), power(970))
	return new(big.Int).Sub(power(1024), power(971)).String(), new(big.Int).Sub(middle, big.NewInt(1)).String(), middle.String()
}

// signedShapes are tokens that their issuer signed, as a stranger can let an
// own issuer do: everything in them is read.
func signedShapes(issuer *oidctest.Issuer) []worstShape {
	claims := fmt.Sprintf(`{"iss":%q,"sub":"alice","exp":4102444800,`, issuer.URL())
	head := claims + `"aud":"` + testAudience + `",`
	list := func(name, unit string) string { return filled(head+`"`+name+`":[`, always(unit), `]}`) }
	text := func(name, unit string) string { return filled(head+`"`+name+`":"`, always(unit), `"}`) }
	names := filled(head, crowded(shortMember, shortMember), `}`)
	return []worstShape{
		{name: "one long claim", payload: text("a", "x")},
		{name: "claims, many", payload: names},
		{name: "claims, many, escaped", payload: filled(head, crowded(escapedMember, shortMember), `}`)},
		{name: "audiences, none accepted but the last", payload: filled(claims+`"aud":[`, always(`"a",`), `,"`+testAudience+`"]}`)},
		{name: "audiences, many after the first", payload: filled(claims+`"aud":["`+testAudience+`",`, always(`"a",`), `]}`)},
		{name: "audiences, escaped", payload: filled(claims+`"aud":["`+testAudience+`",`, always(`"\n",`), `]}`)},
		{name: "roles, list", payload: list("roles", `"a",`)},
		{name: "roles, list of escapes", payload: list("roles", `"\n",`)},
		{name: "roles, not all strings", payload: filled(head+`"roles":[`, always(`"a",`), `,0]}`)},
		{name: "roles, one string", payload: text("roles", "a,")},
		{name: "roles, object", payload: filled(head+`"roles":{`, func(i int) string { return `"` + shortName(i) + `":true,` }, `}}`)},
		{name: "roles, three paths into one object", payload: filled(head+`"realm_access":{"roles":["a"],`, crowded(shortMember, shortMember), `}}`)},
		{name: "scopes, one string", payload: text("scope", "a ")},
		{name: "scopes, escapes", payload: text("scope", `\n`)},
		{name: "scopes, list", payload: list("scp", `"a",`)},
		{name: "subject of escapes", payload: filled(strings.Replace(head, `"sub":"alice",`, ``, 1)+`"sub":"`, always(`\n`), `"}`), want: oidcauth.ErrClaim},
		{name: "hex_identity of escapes", payload: text("hex_identity", `\n`), want: oidcauth.ErrClaim},
		{name: "token ID of escapes", payload: text("jti", `\n`)},
		{name: "expiry of many digits", payload: filled(strings.Replace(head, `"exp":4102444800,`, ``, 1)+`"exp":4102444800.`, always(`0`), `}`)},
		{name: "expiry of many zeros before digits", payload: filled(strings.Replace(head, `"exp":4102444800,`, ``, 1)+`"exp":0.`, always(`0`), `4102444800e9}`), want: oidcauth.ErrExpired},
		{name: "numbers, subnormal", payload: list("a", `1e-310,`)},
		{name: "objects, empty", payload: list("a", `{},`)},
		{name: "strings, empty", payload: list("a", `"",`)},
	}
}
