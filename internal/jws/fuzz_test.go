package jws_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// maxSeconds is the last second of the year 9999.
const maxSeconds = 253402300799

// joseAlgorithms are those that both sides know. Ed25519 is EdDSA under its
// newer name, which go-jose does not know.
var joseAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// seedHeaders and seedPayloads lead a fuzzer to every rule; %ALG% becomes the
// algorithm that signs.
var seedHeaders = []string{
	`{"alg":"%ALG%","kid":"k1","typ":"JWT"}`, `{"alg":"%ALG%"}`, "\n{ \"typ\":\"at+jwt\",\r\n\t\"alg\" : \"%ALG%\" } ",
	`{"\u0061lg":"%ALG%"}`, `{"alg":"%ALG%","alg":"none"}`, `{"alg":"none"}`, `{"alg":"HS256"}`, `{"ALG":"%ALG%"}`,
	`{"alg":"%ALG%","crit":[]}`, `{"alg":"%ALG%","crit":["b64"],"b64":true}`, `{"alg":"%ALG%","b64":false}`, `{"alg":"%ALG%","zip":"DEF"}`,
	`{"alg":"%ALG%","kid":null}`, `{"alg":"%ALG%","kid":1}`, `{"alg":"%ALG%","nonce":1}`, `{"alg":"%ALG%","nonce":"n"}`,
	`{"alg":"%ALG%","x":{"a":1,"a":2}}`, `{"alg":"%ALG%","x":1e400}`, `{"alg":"%ALG%","x":[1e-400,-0,1.5E+3]}`,
	`{"alg":"%ALG%","jwk":{"kty":"EC"}}`, `{"alg":"%ALG%","x5c":["AA=="]}`, `{"alg":"%ALG%","kid":"\ud800"}`, `{"alg":"%ALG%","kid":"\ud83d\ude00"}`,
	`{"alg":"%ALG%","":0," ":0,"\u0000":0}`, `{"alg":"%ALG%","a":[[[[{"b":{}}]]]]}`, `{}`, `[]`, `null`, ``, `{"alg":"%ALG%"`, `{"alg":"%ALG%"}}`,
	"{\"alg\":\"%ALG%\",\"kid\":\"\xff\"}", "\xef\xbb\xbf{\"alg\":\"%ALG%\"}", `{"alg":"%ALG%","enc":"A128GCM"}`, `{"alg":"EdDSA"}`, `{"alg":"Ed25519"}`,
}

var seedPayloads = []string{
	goodPayload, `{}`, `{"sub":"alice","SUB":"admin"}`, `{"sub":"alice","sub":"admin"}`, `{"sub":"alice","s\u0075b":"admin"}`, `{"a":{"b":1,"b":2}}`,
	`{"exp":1e400}`, `{"exp":1.5e9,"nbf":-0,"iat":null}`, `{"aud":["a","b",null]}`, `{"a":"\ud83d"}`, `{"a":"é\u00e9\n\\\""}`, `[]`, `null`, `1`, ``, `{`, `{"a":1}x`,
	" {\"a\" : [ true , false , null ] } \r\n", `{"a":"` + strings.Repeat("x", 100) + `"}`, members(40), `{"a":` + nested(31) + `}`, `{"a":` + nested(32) + `}`,
	"{\"a\":\"\x7f\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"1234567\\\"90\"}", `{"12345678":"12345678","123456789":"1234567"}`, `{"a":1e5,"b":1E-5,"c":0.0,"d":-1.0e+0}`,
}

// FuzzParse requires that no token makes the parser or the verifier panic, that
// the buffer makes no difference, and that nothing unsigned verifies.
func FuzzParse(f *testing.F) {
	key := testKey(f, "ES256")
	good := sign(f, "ES256", testSigner(f, "ES256"), goodHeader, goodPayload)
	f.Add(good)
	f.Add(good + ".")
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add(good[:len(good)-1])
	f.Add(strings.Repeat(".", 100))
	f.Add("{}")
	for _, header := range seedHeaders {
		f.Add(encode(header) + "." + encode(goodPayload) + ".AA")
	}
	for _, payload := range seedPayloads {
		f.Add(encode(goodHeader) + "." + encode(payload) + ".AA")
	}
	f.Fuzz(func(t *testing.T, text string) {
		var token, other jws.Token
		members, err := token.Parse(nil, text, maxBytes)
		if err != nil && !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("Parse() error = %v, want %v", err, jws.ErrMalformed)
		}
		buffer := []jws.Member{{Name: "there before"}}
		appended, otherErr := other.Parse(buffer, text, maxBytes)
		if (err == nil) != (otherErr == nil) || appended[0] != buffer[0] || !slices.Equal(members, appended[1:]) {
			t.Errorf("Parse() = %v, %v, and behind what was there before %v, %v", members, err, appended, otherErr)
		}
		if key.Verify(&token) == nil && !strings.HasPrefix(good, text[:strings.LastIndexByte(text, '.')]) {
			t.Error("a token that nobody signed verifies")
		}
	})
}

// FuzzDifferential signs whatever header and payload come, so that the forms
// behind a good signature are explored too, and changes the token with tail:
// where to cut it off, and what to put there. Whatever we accept, go-jose must
// accept with the same payload.
func FuzzDifferential(f *testing.F) {
	for i := range algorithms {
		for _, header := range seedHeaders {
			f.Add(uint8(i), []byte(header), []byte(goodPayload), uint16(0), "")
		}
		for _, payload := range seedPayloads {
			f.Add(uint8(i), []byte(seedHeaders[0]), []byte(payload), uint16(0), "")
		}
		for _, tail := range []string{"A", "=", ".", "\n", " ", "..", "AAAA", "+", "/w", "%"} {
			f.Add(uint8(i), []byte(seedHeaders[0]), []byte(goodPayload), uint16(0), tail)
			f.Add(uint8(i), []byte(seedHeaders[0]), []byte(goodPayload), uint16(len(tail)), tail)
		}
		f.Add(uint8(i), []byte(seedHeaders[0]), []byte(goodPayload), uint16(1), "")
		f.Add(uint8(i), []byte(seedHeaders[0]), []byte(goodPayload), uint16(86), "")
	}
	f.Fuzz(func(t *testing.T, which uint8, header, payload []byte, cut uint16, tail string) {
		alg := algorithms[int(which)%len(algorithms)]
		signer := testSigner(t, alg)
		text := strings.ReplaceAll(string(header), "%ALG%", alg)
		token := signIfRead(t, alg, signer, text, string(payload))
		if cut != 0 || tail != "" {
			token = token[:len(token)-int(cut)%(len(token)+1)] + tail
		}
		checkDifferential(t, alg, signer, token)
	})
}

// signIfRead is sign for a header and a payload that some reader accepts. No
// signature could save the others, and with RSA most of the time would go there.
func signIfRead(t *testing.T, alg string, signer crypto.Signer, header, payload string) string {
	t.Helper()
	unsigned := encode(header) + "." + encode(payload) + "."
	var probe jws.Token
	if form(&probe, unsigned+"AA", 64<<10) != nil && !bothAccept(header, payload) {
		return unsigned + strings.Repeat("A", 86)
	}
	return sign(t, alg, signer, header, payload)
}

// bothAccept reports whether the JSON readers of others take header and payload
// for objects, so that only our own rules refuse them.
func bothAccept(header, payload string) bool {
	var a, b map[string]any
	return josejson.Unmarshal([]byte(header), &a) == nil && josejson.Unmarshal([]byte(payload), &b) == nil
}

// checkDifferential compares what both sides make of one token.
func checkDifferential(t *testing.T, alg string, signer crypto.Signer, text string) {
	t.Helper()
	var token jws.Token
	if form(&token, text, 64<<10) != nil {
		return
	}
	key := testKey(t, alg)
	if key.Verify(&token) != nil {
		return
	}
	if token.Algorithm == "Ed25519" {
		checkBare(t, signer, text)
		return
	}
	parsed, err := jose.ParseSignedCompact(text, joseAlgorithms)
	if err != nil {
		if !carriesKey(t, text) {
			t.Fatalf("accepted, but go-jose refuses to parse %q: %v", text, err)
		}
		return
	}
	payload, err := parsed.Verify(signer.Public())
	if err != nil {
		t.Fatalf("accepted, but go-jose refuses to verify %q: %v", text, err)
	}
	if string(payload) != token.Payload {
		t.Fatalf("payload %q, but go-jose reads %q", token.Payload, payload)
	}
	if got := parsed.Signatures[0].Protected; got.KeyID != token.KeyID.Text || got.Algorithm != token.Algorithm {
		t.Fatalf("header %q, %q, but go-jose reads %q, %q", token.Algorithm, token.KeyID.Text, got.Algorithm, got.KeyID)
	}
}

// carriesKey reports whether a header has a key or a certificate in it. Go-jose
// parses those two and refuses what is broken; here they are never read, so
// whatever they hold changes nothing about who signed what.
func carriesKey(t *testing.T, text string) bool {
	t.Helper()
	header, err := base64.RawURLEncoding.DecodeString(text[:strings.IndexByte(text, '.')])
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(header, &fields); err != nil {
		t.Fatal(err)
	}
	return fields["jwk"] != nil || fields["x5c"] != nil
}

// checkBare requires the signature to verify without this package.
func checkBare(t *testing.T, signer crypto.Signer, text string) {
	t.Helper()
	dot := strings.LastIndexByte(text, '.')
	signature, err := base64.RawURLEncoding.DecodeString(text[dot+1:])
	if err != nil || !bareVerify(signer.Public(), []byte(text[:dot]), signature) {
		t.Fatalf("accepted, but the standard library does not verify %q", text)
	}
}

// FuzzObject compares ParseObject with two JSON readers: what it accepts, both
// decode to the same names and values; what it refuses, one of them refuses too
// or a rule of our own explains.
func FuzzObject(f *testing.F) {
	for _, text := range append(append([]string{}, seedHeaders...), seedPayloads...) {
		f.Add(text)
	}
	f.Add(`{"]]a":` + nested(32) + `}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jws.ParseObject(nil, text)
		strict, strictErr := decodeStrictly(text)
		if err != nil {
			if strictErr == nil && !ownRule(text) {
				t.Fatalf("ParseObject(%q) error = %v, but others accept it", text, err)
			}
			return
		}
		if strictErr != nil {
			t.Fatalf("ParseObject(%q) accepts, but go-jose's reader says %v", text, strictErr)
		}
		var plain map[string]any
		if err := json.Unmarshal([]byte(text), &plain); err != nil {
			t.Fatalf("ParseObject(%q) accepts, but encoding/json says %v", text, err)
		}
		if len(plain) != len(got) || len(strict) != len(got) {
			t.Fatalf("ParseObject(%q) = %d members, want %d", text, len(got), len(plain))
		}
		for _, m := range got {
			checkMember(t, text, m, plain, strict)
		}
	})
}

// decodeStrictly decodes with the reader of go-jose, which knows duplicates.
func decodeStrictly(text string) (map[string]any, error) {
	var object map[string]any
	if err := josejson.Unmarshal([]byte(text), &object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("null")
	}
	return object, nil
}

// ownRule reports whether a text breaks a rule that other readers do not have:
// valid UTF-8, no lone surrogates, bounded depth, and the range of numbers with
// more digits than Go before 1.27 could count.
func ownRule(text string) bool {
	if !utf8.ValidString(text) || strings.Contains(text, `\u`) {
		return true
	}
	digits := 0
	for _, c := range text {
		if digits++; c < '0' || c > '9' {
			digits = 0
		}
		if digits > 800 {
			return true
		}
	}
	return depthOf(text) > 32
}

// depthOf returns how deep objects and arrays are nested in a text, brackets in strings aside.
func depthOf(text string) (deepest int) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	for depth := 0; ; deepest = max(deepest, depth) {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

func checkMember(t *testing.T, text string, m jws.Member, plain, strict map[string]any) {
	t.Helper()
	again, err := jws.ValueAt(text, m.Offset)
	if err != nil || again.Value != m.Value || again.Kind != m.Kind {
		t.Fatalf("ValueAt(%q, %d) = %+v, %v, want %+v", text, m.Offset, again, err, m)
	}
	got, err := jws.TextAt(text, m.Offset)
	if want, wantErr := m.Text(); got != want || !errors.Is(err, wantErr) && !errors.Is(err, jws.ErrKind) || (err == nil) != (wantErr == nil) {
		t.Fatalf("TextAt(%q, %d) = %q, %v, want %q, %v", text, m.Offset, got, err, want, wantErr)
	}
	want, ok := plain[m.Name]
	if !ok || !reflect.DeepEqual(want, strict[m.Name]) {
		t.Fatalf("member %q = %v, but others read %v and %v", m.Name, m.Value, want, strict[m.Name])
	}
	var value any
	if err := json.Unmarshal([]byte(m.Value), &value); err != nil || !reflect.DeepEqual(value, want) {
		t.Fatalf("member %q has the text %q, want that of %v", m.Name, m.Value, want)
	}
	checkKind(t, m, want)
}

// checkKind requires the accessors of m to agree with the value that
// encoding/json decodes.
func checkKind(t *testing.T, m jws.Member, want any) {
	t.Helper()
	text, textErr := m.Text()
	list, listErr := m.AppendStrings(nil)
	_, _, secondsErr := m.Seconds()
	switch want := want.(type) {
	case string:
		if m.Kind != jws.String || textErr != nil || text != want {
			t.Fatalf("Text() of %q = %q, %v, want %q", m.Value, text, textErr, want)
		}
	case []any:
		if m.Kind != jws.Array || (listErr == nil) != allStrings(list, want) {
			t.Fatalf("AppendStrings() of %q = %q, %v, want %v", m.Value, list, listErr, want)
		}
	case float64:
		inRange := math.Abs(want) < maxSeconds
		atLimit := math.Abs(math.Abs(want)-maxSeconds) < 2 // where a double is too coarse
		if m.Kind != jws.Number || ((secondsErr == nil) != inRange && !atLimit) {
			t.Fatalf("Seconds() of %q: error = %v, want in range: %v", m.Value, secondsErr, inRange)
		}
	case bool:
		if m.Kind != jws.Bool || bytes.Equal([]byte(m.Value), []byte("true")) != want {
			t.Fatalf("%q is not %v", m.Value, want)
		}
	case nil:
		if m.Kind != jws.Null {
			t.Fatalf("%q has kind %v, want null", m.Value, m.Kind)
		}
	case map[string]any:
		if m.Kind != jws.Object {
			t.Fatalf("%q has kind %v, want object", m.Value, m.Kind)
		}
	}
}

// allStrings reports whether want holds strings only, and those of got.
func allStrings(got []string, want []any) bool {
	if len(got) != len(want) {
		return false
	}
	for i, element := range want {
		if text, ok := element.(string); !ok || text != got[i] {
			return false
		}
	}
	return true
}
