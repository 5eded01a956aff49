package jws_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

const (
	goodHeader  = `{"alg":"ES256","kid":"k1","typ":"JWT"}`
	goodPayload = `{"iss":"https://issuer.example.com","sub":"alice","exp":1924992000}`
	maxBytes    = 16 << 10
)

// parse parses a token and, when its form is accepted, requires its signature to
// verify, so that a passing twin is a token in every respect.
func parse(t *testing.T, token string) error {
	t.Helper()
	var parsed jws.Token
	if members, err := parsed.Parse(nil, token, maxBytes); err != nil {
		if parsed.Payload != "" || parsed.Algorithm != "" || len(members) != 0 {
			t.Errorf("Parse() of a refused token left %q, %q, %v", parsed.Algorithm, parsed.Payload, members)
		}
		return err
	}
	if err := testKey(t, "ES256").Verify(&parsed); err != nil {
		t.Errorf("Verify() error = %v, want none", err)
	}
	return nil
}

// signed returns a token with that header and payload, well signed.
func signed(t *testing.T, header, payload string) string {
	t.Helper()
	return sign(t, "ES256", testSigner(t, "ES256"), header, payload)
}

// nested returns arrays nested in each other.
func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

// members returns the text of an object with n members.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// TestParse_Header holds each header that must be refused beside the nearest one
// that must pass.
func TestParse_Header(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, bad, rule, good string }{
		{"no algorithm", `{"kid":"k1"}`, `no "alg"`, `{"alg":"ES256"}`},
		{"empty algorithm", `{"alg":""}`, `no "alg"`, `{"alg":"ES256"}`},
		{"null algorithm", `{"alg":null}`, `"alg": got null`, `{"alg":"ES256"}`},
		{"numeric algorithm", `{"alg":256}`, `"alg": got number`, `{"alg":"ES256"}`},
		{"algorithm in an array", `{"alg":["ES256"]}`, `"alg": got array`, `{"alg":"ES256"}`},
		{"algorithm in capitals", `{"ALG":"ES256"}`, `no "alg"`, `{"alg":"ES256","ALG":"none"}`},
		{"algorithm twice", `{"alg":"ES256","alg":"none"}`, `duplicate member name "alg"`, `{"alg":"ES256","alh":"none"}`},
		{"algorithm twice, once escaped", `{"alg":"ES256","\u0061lg":"none"}`, `duplicate member name "alg"`, `{"\u0061lg":"ES256"}`},
		{"null key ID", `{"alg":"ES256","kid":null}`, `"kid": got null`, `{"alg":"ES256","kid":""}`},
		{"numeric key ID", `{"alg":"ES256","kid":1}`, `"kid": got number`, `{"alg":"ES256","kid":"1"}`},
		{"null type", `{"alg":"ES256","typ":null}`, `"typ": got null`, `{"alg":"ES256","typ":"JWT"}`},
		{"type in an array", `{"alg":"ES256","typ":["JWT"]}`, `"typ": got array`, `{"alg":"ES256","typ":"at+jwt"}`},
		{"null content type", `{"alg":"ES256","cty":null}`, `"cty": got null`, `{"alg":"ES256","cty":"json"}`},
		{"numeric nonce", `{"alg":"ES256","nonce":1}`, `"nonce": got number`, `{"alg":"ES256","nonce":"1"}`},
		{"critical extension", `{"alg":"ES256","crit":["exp"],"exp":1}`, `"crit"`, `{"alg":"ES256","exp":1}`},
		{"empty critical list", `{"alg":"ES256","crit":[]}`, `"crit"`, `{"alg":"ES256","Crit":[]}`},
		{"null critical list", `{"alg":"ES256","crit":null}`, `"crit"`, `{"alg":"ES256","cri":null}`},
		{"unencoded payload", `{"alg":"ES256","b64":false}`, `"b64"`, `{"alg":"ES256","b32":false}`},
		{"encoded payload said so", `{"alg":"ES256","b64":true}`, `"b64"`, `{"alg":"ES256"}`},
		{"null b64", `{"alg":"ES256","b64":null}`, `"b64"`, `{"alg":"ES256"}`},
		{"compression", `{"alg":"ES256","zip":"DEF"}`, `"zip"`, `{"alg":"ES256","zap":"DEF"}`},
		{"encryption", `{"alg":"ES256","enc":"A128GCM"}`, `"enc"`, `{"alg":"ES256","ens":"A128GCM"}`},
		{"not an object", `["alg","ES256"]`, `not a JSON object`, goodHeader},
		{"null", `null`, `not a JSON object`, goodHeader},
		{"a string", `"{}"`, `not a JSON object`, goodHeader},
		{"empty object", `{}`, `no "alg"`, goodHeader},
		{"data after the object", goodHeader + `{}`, `data after`, goodHeader + " \t\r\n"},
		{"a zero byte after the object", goodHeader + "\x00", `data after`, goodHeader + "\n"},
		{"byte order mark", "\uFEFF" + goodHeader, `not a JSON object`, " \t\r\n" + goodHeader},
		{"not UTF-8", "{\"alg\":\"ES256\",\"kid\":\"\xff\"}", `UTF-8`, "{\"alg\":\"ES256\",\"kid\":\"\xc3\xbf\"}"},
		{"overlong UTF-8", "{\"alg\":\"ES256\",\"kid\":\"\xc0\xaf\"}", `UTF-8`, `{"alg":"ES256","kid":"/"}`},
		{"duplicate in a nested object", `{"alg":"ES256","x":{"a":1,"a":2}}`, `duplicate member name "a"`, `{"alg":"ES256","x":{"a":1,"b":{"a":2}}}`},
		{"keys in the token", `{"alg":"none\u0000"`, `not JSON`, `{"alg":"ES256","jwk":{"kty":"oct"},"jku":"http://127.0.0.1:1/","x5u":1,"x5c":null,"x5t":""}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := parse(t, signed(t, tt.bad, goodPayload))
			if !errors.Is(err, jws.ErrMalformed) || !strings.Contains(err.Error(), "header: ") || !strings.Contains(err.Error(), tt.rule) {
				t.Errorf("Parse() error = %v, want %v about %s", err, jws.ErrMalformed, tt.rule)
			}
			if err := parse(t, signed(t, tt.good, goodPayload)); err != nil {
				t.Errorf("Parse() of the twin: error = %v, want none", err)
			}
		})
	}
}

// TestParse_Payload is TestParse_Header for payloads.
func TestParse_Payload(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, bad, rule, good string }{
		{"subject twice", `{"sub":"alice","sub":"admin"}`, `duplicate member name "sub"`, `{"sub":"alice","SUB":"admin"}`},
		{"subject twice, once escaped", `{"sub":"alice","s\u0075b":"admin"}`, `duplicate member name "sub"`, `{"sub":"alice","\u017Fub":"root"}`},
		{"subject twice with many between", strings.Replace(members(100), "}", `,"m7":0}`, 1), `duplicate member name "m7"`, members(100)},
		{"last of many names twice", strings.Replace(members(100), "}", `,"m99":0}`, 1), `duplicate member name "m99"`, members(100)},
		{"the 33rd name is the first", strings.Replace(members(32), "}", `,"m0":0}`, 1), `duplicate member name "m0"`, members(33)},
		{"the empty name twice", `{"":1,"":2}`, `duplicate member name ""`, `{"":1," ":2}`},
		{"duplicate in an object in an array", `{"a":[{"b":1},{"b":1,"b":2}]}`, `duplicate member name "b"`, `{"a":[{"b":1},{"b":1,"a":{"b":1}}],"b":1}`},
		{"nested 33 deep", `{"a":` + nested(32) + `}`, `nested more than 32 deep`, `{"a":` + nested(31) + `}`},
		{"nested thousands deep", `{"a":` + nested(5000) + `}`, `nested more than 32 deep`, `{"a":` + nested(31) + `,"b":` + nested(31) + `}`},
		{"objects nested 33 deep", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), `nested more than 32 deep`, strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32)},
		{"an array", `[{"sub":"alice"}]`, `not a JSON object`, `{"a":[{"sub":"alice"}]}`},
		{"text", `alice`, `not a JSON object`, `{"sub":"alice"}`},
		{"two objects", `{}{}`, `data after`, `{}`},
		{"trailing comma", `{"a":1,}`, `a member name`, `{"a":1}`},
		{"leading comma", `{,"a":1}`, `a member name`, `{"a":1}`},
		{"trailing comma in an array", `{"a":[1,]}`, `a value`, `{"a":[1]}`},
		{"array with a hole", `{"a":[,1]}`, `a value`, `{"a":[]}`},
		{"two values without a comma", `{"a":[1 2]}`, `a comma or a closing ']'`, `{"a":[1 , 2]}`},
		{"wrong closing bracket", `{"a":[1}}`, `a comma or a closing ']'`, `{"a":[1]}`},
		{"two members without a comma", `{"a":1 "b":2}`, `a comma or a closing '}'`, `{"a":1 , "b":2}`},
		{"member without a colon", `{"a" 1}`, `a colon`, `{"a" : 1}`},
		{"member without a value", `{"a":}`, `a value`, `{"a":""}`},
		{"name without quotes", `{a:1}`, `a member name`, `{"a":1}`},
		{"name in single quotes", `{'a':1}`, `a member name`, `{"'a'":1}`},
		{"comment", `{"a":1/**/}`, `a comma`, `{"a":"/**/"}`},
		{"cut after the brace", `{`, `ends where`, `{ }`},
		{"cut after the name", `{"a"`, `ends where`, `{"a":1}`},
		{"cut after the colon", `{"a":`, `ends where`, `{"a":1}`},
		{"cut after the value", `{"a":1`, `ends where`, `{"a":1}`},
		{"cut in a string", `{"a":"b`, `string without an end`, `{"a":"b"}`},
		{"cut in an escape", `{"a":"\`, `bad escape`, `{"a":"\\"}`},
		{"cut in a long escape", `{"a":"\u00`, `bad escape`, `{"a":"\u00ff"}`},
		{"unknown escape", `{"a":"\x41"}`, `bad escape`, `{"a":"\"\\\/\b\f\n\r\t\u0041"}`},
		{"capital U escape", `{"a":"\U0041"}`, `bad escape`, `{"a":"\u0041"}`},
		{"escape with a sign", `{"a":"\u+041"}`, `bad escape`, `{"a":"\u0041"}`},
		{"lone high surrogate", `{"a":"\ud83d"}`, `bad escape`, `{"a":"\ud83d\ude00"}`},
		{"lone low surrogate", `{"a":"\ude00"}`, `bad escape`, `{"a":"\uD83D\uDE00"}`},
		{"surrogates swapped", `{"a":"\ude00\ud83d"}`, `bad escape`, `{"a":"\ud83d\ude00"}`},
		{"high surrogate before text", `{"a":"\ud83d------"}`, `bad escape`, `{"a":"\ud83d\ude00------"}`},
		{"lone surrogate in a name", `{"\ud83d":1}`, `bad escape`, `{"\ud83d\ude00":1}`},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\xbd\"}", `UTF-8`, "{\"a\":\"\U0001F600\"}"},
		{"line end in a string", "{\"a\":\"\n\"}", `control character`, `{"a":"\n"}`},
		{"control character after eight bytes", "{\"a\":\"12345678\x1f\"}", `control character`, "{\"a\":\"12345678\x20\x7f\"}"},
		{"zero byte in a name", "{\"\x00\":1}", `control character`, `{"\u0000":1}`},
		{"form feed as white space", "{\f\"a\":1}", `a member name`, "{\t\"a\":1}"},
		{"no-break space as white space", "{\u00a0\"a\":1}", `a member name`, "{ \"a\":1}"},
		{"leading zero", `{"a":01}`, `a value`, `{"a":0}`},
		{"negative leading zero", `{"a":-01}`, `a value`, `{"a":-0}`},
		{"plus sign", `{"a":+1}`, `a value`, `{"a":1e+1}`},
		{"no digit before the point", `{"a":.5}`, `a value`, `{"a":0.5}`},
		{"no digit after the point", `{"a":1.}`, `a value`, `{"a":1.0}`},
		{"no digit in the exponent", `{"a":1e}`, `a value`, `{"a":1e0}`},
		{"lone minus", `{"a":-}`, `a value`, `{"a":-1}`},
		{"hexadecimal", `{"a":0x1}`, `a comma`, `{"a":0}`},
		{"not a number", `{"a":NaN}`, `a value`, `{"a":null}`},
		{"infinity", `{"a":Infinity}`, `a value`, `{"a":1e308}`},
		{"number beyond a double", `{"a":1e309}`, `out of range`, `{"a":1e308}`},
		{"digits beyond a double", `{"a":1` + strings.Repeat("0", 309) + `}`, `out of range`, `{"a":1` + strings.Repeat("0", 308) + `}`},
		{"capital true", `{"a":True}`, `a value`, `{"a":true}`},
		{"cut false", `{"a":fals}`, `a value`, `{"a":false}`},
		{"null and more", `{"a":nulls}`, `a comma`, `{"a":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := parse(t, signed(t, goodHeader, tt.bad))
			if !errors.Is(err, jws.ErrMalformed) || !strings.Contains(err.Error(), "payload: ") || !strings.Contains(err.Error(), tt.rule) {
				t.Errorf("Parse() error = %v, want %v about %s", err, jws.ErrMalformed, tt.rule)
			}
			if err := parse(t, signed(t, goodHeader, tt.good)); err != nil {
				t.Errorf("Parse() of the twin: error = %v, want none", err)
			}
		})
	}
}

// TestParse_Form changes a good token in ways that must each be refused.
func TestParse_Form(t *testing.T) {
	t.Parallel()
	good := signed(t, goodHeader, goodPayload)
	if err := parse(t, good); err != nil {
		t.Fatalf("Parse() of the unchanged token: error = %v, want none", err)
	}
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	tests := []struct{ name, token, rule string }{
		{"empty", "", "an empty text"},
		{"one part", header, "one part"},
		{"two parts", header + "." + payload, "two parts"},
		{"four parts", good + "." + signature, "more than three parts"},
		{"five parts", good + "." + signature + "." + signature, "JWE"},
		{"six parts", good + "." + signature + "." + signature + "." + signature, "more than three parts"},
		{"dot at the end", good + ".", "more than three parts"},
		{"empty header", "." + payload + "." + signature, "empty header"},
		{"detached payload", header + ".." + signature, "empty payload"},
		{"no signature", header + "." + payload + ".", "empty signature"},
		{"dots only", "..", "empty header"},
		{"JSON serialization", `{"payload":"` + payload + `","protected":"` + header + `","signature":"` + signature + `"}`, "JSON serialization"},
		{"bearer prefix", "Bearer " + good, `"Bearer " in front`},
		{"leading space", " " + good, "white space"},
		{"trailing space", good + " ", "white space"},
		{"trailing line end", good + "\n", "white space"},
		{"trailing carriage return and line end", good + "\r\n", "white space"},
		{"four trailing line ends", good + "\n\n\n\n", "white space"},
		{"line end in the header", header[:5] + "\n" + header[5:] + "." + rest, "white space"},
		{"line end in the payload", header + "." + payload[:8] + "\r\n" + payload[8:] + "." + signature, "white space"},
		{"line end in the signature", header + "." + payload + "." + signature[:4] + "\n" + signature[4:], "white space"},
		{"padding", good + "==", "padded"},
		{"standard alphabet", header + "." + payload + "." + strings.Repeat("+/", 43), "want base64url"},
		{"impossible length", good + "AAA", "base64url"},
		{"signature cut by a character", good[:len(good)-1], "base64url"},
		{"byte that is no letter", header + "." + payload + "." + signature[:10] + "\x00" + signature[11:], "base64url"},
		{"letter that is no ASCII", header + "." + payload + "." + signature[:10] + "ä" + signature[12:], "base64url"},
		{"percent encoding", strings.Replace(good, ".", "%2E", 1), "two parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := parse(t, tt.token)
			if !errors.Is(err, jws.ErrMalformed) || errors.Is(err, jws.ErrTooLarge) || !strings.Contains(err.Error(), tt.rule) {
				t.Errorf("Parse() error = %v, want %v about %s", err, jws.ErrMalformed, tt.rule)
			}
		})
	}
}

// TestParse_TrailingBits gives each part every other last character. Each part
// is of a length that leaves four bits of that character idle, so a decoder that
// ignored them would take sixteen spellings for one.
func TestParse_TrailingBits(t *testing.T) {
	t.Parallel()
	good := signed(t, `{"alg":"ES256","kid":"k"}`, `{"sub":"alice","n":1} `)
	first, last := strings.IndexByte(good, '.'), strings.LastIndexByte(good, '.')
	for _, tt := range []struct {
		part     string
		end      int
		accepted int // spellings with idle bits of zero that are well formed
	}{
		{"header", first, 1},
		{"payload", last, 1},
		{"signature", len(good), 4},
	} {
		accepted, verified := 0, 0
		for _, letter := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
			var parsed jws.Token
			if form(&parsed, good[:tt.end-1]+string(letter)+good[tt.end:], maxBytes) != nil {
				continue
			}
			accepted++
			if testKey(t, "ES256").Verify(&parsed) == nil {
				verified++
			}
		}
		if accepted != tt.accepted || verified != 1 {
			t.Errorf("%s: got %d spellings accepted and %d verified, want %d and 1", tt.part, accepted, verified, tt.accepted)
		}
	}
}

// TestParse_LineEnds puts line ends, which the standard decoder skips, at every
// place of a token whose parts have every length a part can have.
func TestParse_LineEnds(t *testing.T) {
	t.Parallel()
	for _, padding := range []string{"", " ", "  "} {
		good := signed(t, `{"alg":"ES256","kid":"k1"}`+padding, `{"sub":"alice"}`+padding)
		if err := parse(t, good); err != nil {
			t.Fatalf("Parse() error = %v, want none", err)
		}
		for _, inserted := range []string{"\n", "\r", "\r\n", "\n\n\n", "\n\n\n\n"} {
			for i := range len(good) + 1 {
				var parsed jws.Token
				if err := form(&parsed, good[:i]+inserted+good[i:], maxBytes); !errors.Is(err, jws.ErrMalformed) {
					t.Errorf("Parse() with %q at byte %d: error = %v, want %v", inserted, i, err, jws.ErrMalformed)
				}
			}
		}
	}
}

func TestParse_Size(t *testing.T) {
	t.Parallel()
	token := signed(t, goodHeader, goodPayload)
	var parsed jws.Token
	if err := form(&parsed, token, len(token)); err != nil {
		t.Errorf("Parse() at the limit: error = %v, want none", err)
	}
	for _, limit := range []int{len(token) - 1, 0, -1} {
		err := form(&parsed, token, limit)
		if !errors.Is(err, jws.ErrTooLarge) || !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("Parse() with limit %d: error = %v, want %v", limit, err, jws.ErrTooLarge)
		}
	}
}

// TestParse_Dots requires a megabyte of dots to cost next to nothing, below the
// limit or above it.
func TestParse_Dots(t *testing.T) {
	dots := strings.Repeat(".", 1<<20)
	for _, limit := range []int{maxBytes, 2 << 20} {
		const runs = 1000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			var parsed jws.Token
			if err := form(&parsed, dots, limit); !errors.Is(err, jws.ErrMalformed) {
				t.Fatalf("Parse() error = %v, want %v", err, jws.ErrMalformed)
			}
		}
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / runs; bytes > 512 {
			t.Errorf("limit %d: got %d bytes allocated, want at most 512", limit, bytes)
		}
	}
}

func TestParse_Fields(t *testing.T) {
	t.Parallel()
	var parsed jws.Token
	header := `{"\u0061lg":"\u0045S256","kid":"a\/b\u00e9","typ":"at+jwt"}`
	payload := ` {"sub" : "al\u0069ce" , "n":[1, 2] } `
	members, err := parsed.Parse(nil, signed(t, header, payload), maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Algorithm != "ES256" || parsed.KeyID.Text != "a/bé" || parsed.Type != "at+jwt" || !parsed.KeyID.Has || !parsed.HasType {
		t.Errorf("Parse() = %q, %q, %q", parsed.Algorithm, parsed.KeyID.Text, parsed.Type)
	}
	if parsed.Payload != payload {
		t.Errorf("Payload = %q, want %q", parsed.Payload, payload)
	}
	want := []jws.Member{
		{Name: "sub", Value: `"al\u0069ce"`, Kind: jws.String, Offset: 7},
		{Name: "n", Value: `[1, 2]`, Kind: jws.Array, Offset: 28},
	}
	if !slices.Equal(members, want) {
		t.Errorf("members = %v, want %v", members, want)
	}
}

// TestParse_Message requires refusals to keep the token to themselves.
func TestParse_Message(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s3cr3t", 40)
	token := signed(t, `{"alg":7,"kid":"`+secret+`"}`, `{"a":"`+secret+`"}`)
	err := parse(t, token)
	if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), token[:40]) {
		t.Errorf("Parse() error = %v, want one without the token", err)
	}
	long := strings.Repeat("n", 5000)
	err = parse(t, signed(t, goodHeader, `{"`+long+`":1,"`+long+`":2}`))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("Parse() error is %d bytes long, want a short one", len(err.Error()))
	}
}

// What people paste beside a token, or in place of one, is named.
func TestParse_Pasted(t *testing.T) {
	t.Parallel()
	token := signed(t, goodHeader, `{"a":1}`)
	for text, want := range map[string]string{
		token: "", "": "an empty text", "Bearer " + token: `"Bearer " in front`, "bearer " + token: `"Bearer " in front`, "Bearer" + token: "header", "Bearer .e30.AA": `"Bearer " in front`,
		`"` + token + `"`: "quotes around", token + `"`: "quotes around", token + "\n": "white space", " " + token: "white space", "undefined": "one part",
	} {
		err := parse(t, text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.10q…) error = %v, want one that says %q", text, err, want)
		}
	}
}

// form reads a token and lets go of its members.
func form(t *jws.Token, token string, maxBytes int) error {
	_, err := t.Parse(nil, token, maxBytes)
	return err
}

// A rule is told without the sentinel's own text, with the part of the token it is about
// if there is one.
func TestRule(t *testing.T) {
	t.Parallel()
	other := errors.New("another error")
	if got := jws.Rule(other); got != other.Error() {
		t.Errorf("Rule() = %q, want %q", got, other)
	}
	for _, token := range []string{
		"", "a.b", "!.e30.AA", "e30.!.AA", "eyJhbGciOiJFUzI1NiJ9.e30.!", "bnVsbA.e30.AA", strings.Repeat("x", 1<<20),
	} {
		_, err := new(jws.Token).Parse(nil, token, maxBytes)
		if err == nil {
			t.Fatalf("%.20q is a token", token)
		}
		want := strings.TrimPrefix(err.Error(), jws.ErrMalformed.Error()+": ")
		if got := jws.Rule(err); got != want || got == "" || strings.HasPrefix(got, ":") {
			t.Errorf("Rule(%q) = %q, want %q", err, got, want)
		}
	}
}
