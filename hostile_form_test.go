package oidcauth_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// formRows are good tokens that were written down differently.
func formRows(t *testing.T, w *world) []hostile {
	good := w.withClaims(goodClaims(mainURL))
	header, payload, signature := parts(good)
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	rows := []struct{ name, token string }{
		{"nothing", ""},
		{"a dot", "."},
		{"two dots", ".."},
		{"three dots", "..."},
		{"four dots", "...."},
		{"1 MiB of dots", strings.Repeat(".", 1<<20)},
		{"16 KiB of dots", strings.Repeat(".", 16<<10)},
		{"1 MiB of letters", strings.Repeat("A", 1<<20)},
		{"an opaque token", "2YotnFZFEjr1zCsicMWpAA"},
		{"header alone", header},
		{"no signature part", join(header, payload)},
		{"empty signature", join(header, payload, "")},
		{"empty payload", join(header, "", signature)},
		{"detached payload", header + ".." + signature},
		{"empty header", join("", payload, signature)},
		{"four parts", join(header, payload, signature, signature)},
		{"encrypted, five parts", join(header, payload, payload, payload, signature)},
		{"encrypted around an unsigned token", join(encode(`{"alg":"dir","enc":"A128GCM","cty":"JWT"}`), "", encode("iv"), encode(join(encode(`{"alg":"none"}`), payload, "")), encode("tag"))},
		{"encrypted with a password", join(encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`), "AA", "AA", "AA", "AA")},
		{"six parts", join(header, payload, signature, "AA", "AA", "AA")},
		{"a dot behind", good + "."},
		{"a dot before", "." + good},
		{"two tokens", good + "." + good},
		{"flattened JSON serialization", `{"protected":"` + header + `","payload":"` + payload + `","signature":"` + signature + `"}`},
		{"general JSON serialization", `{"payload":"` + payload + `","signatures":[{"protected":"` + header + `","signature":"` + signature + `"}]}`},
		{"JSON serialization without signatures", `{"payload":"` + payload + `","signatures":[]}`},
		{"JSON serialization of null", "null"},
		{"a JSON string", `"` + good + `"`},
		{"scheme before", "Bearer " + good},
		{"space before", " " + good},
		{"space behind", good + " "},
		{"line end behind", good + "\n"},
		{"carriage return and line end behind", good + "\r\n"},
		{"tab before", "\t" + good},
		{"no-break space behind", good + "\u00a0"},
		{"byte order mark before", "\ufeff" + good},
		{"zero byte behind", good + "\x00"},
		{"line end in the header", join(header[:4]+"\n"+header[4:], payload, signature)},
		{"line end in the payload", join(header, payload[:4]+"\r"+payload[4:], signature)},
		{"line end in the signature", join(header, payload, signature[:4]+"\n"+signature[4:])},
		{"four line ends in the signature", join(header, payload, signature[:4]+"\n\n\n\n"+signature[4:])},
		{"space in the payload", join(header, payload[:8]+" "+payload[8:], signature)},
		{"space at a dot", header + " ." + payload + "." + signature},
		{"line end at a dot", header + ".\n" + payload + "." + signature},
		{"padded header", join(header+"=", payload, signature)},
		{"padded payload", join(header, payload+"==", signature)},
		{"padded signature", join(header, payload, signature+"==")},
		{"escaped padding", join(header, payload, signature+"%3D%3D")},
		{"plus in the signature", join(header, payload, "+"+signature[1:])},
		{"slash in the signature", join(header, payload, "/"+signature[1:])},
		{"a character more in the signature", join(header, payload, signature+"AAA")},
		{"trailing bits in the signature", join(header, payload, nextDigit(signature))},
		{"percent in the payload", join(header, "%"+payload[1:], signature)},
		{"a letter beyond ASCII", join(header, "é"+payload[1:], signature)},
		{"payload not encoded", join(header, goodClaims(mainURL).String(), signature)},
		{"header not encoded", join(goodHeader(w.key()).String(), payload, signature)},
		{"payload encoded twice", join(header, encode(payload), signature)},
	}
	var all []hostile
	for _, row := range rows {
		all = append(all, w.row("form: "+row.name, oidcauth.ErrMalformedToken, row.token, good))
	}
	return append(all, trailingBits(w), tooLarge(w))
}

func parts(tok string) (header, payload, signature string) {
	p := strings.Split(tok, ".")
	return p[0], p[1], p[2]
}

// nextDigit replaces the last digit of base64url by the next one. Behind a
// signature of 64 bytes that changes bits that stand for nothing.
func nextDigit(text string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, text[len(text)-1])
	return text[:len(text)-1] + digits[last+1:last+2]
}

// trailingBits gives a payload its second spelling, in which a decoder that
// ignores trailing bits finds the same claims.
func trailingBits(w *world) hostile {
	spaces := ""
	for len(goodClaims(mainURL).String()+spaces)%3 != 1 {
		spaces += " "
	}
	payload := goodClaims(mainURL).String() + spaces
	good := w.key().Sign(nil, payload)
	header, text, signature := parts(good)
	return w.row("form: trailing bits in the payload", oidcauth.ErrMalformedToken, header+"."+nextDigit(text)+"."+signature, good)
}

// tooLarge is one byte longer than the limit, and its twin just as long as it.
func tooLarge(w *world) hostile {
	const limit = 16 << 10
	return w.row("form: larger than 16 KiB", oidcauth.ErrMalformedToken, w.ofLength(limit+1), w.ofLength(limit))
}

// ofLength returns a good token of exactly that length. Base64 has no length of
// every remainder, so the header grows where the payload cannot.
func (w *world) ofLength(length int) string {
	for grown := range 4 {
		header := goodHeader(w.key()).with("x", `"`+strings.Repeat("x", grown)+`"`)
		pad := (length - len(signRaw(w.key(), header, goodClaims(mainURL)))) * 3 / 4
		for pad -= 16; ; pad++ {
			tok := signRaw(w.key(), header, goodClaims(mainURL).with("x", `"`+strings.Repeat("x", pad)+`"`))
			if len(tok) == length {
				return tok
			}
			if len(tok) > length {
				break
			}
		}
	}
	w.t.Fatalf("no token of %d bytes", length)
	return ""
}

// textRows are signed tokens whose JSON readers may understand differently.
func textRows(t *testing.T, w *world) []hostile {
	claims := goodClaims(mainURL).String()
	inside := strings.TrimSuffix(claims, "}")
	nested := func(open, end string, n int) string {
		return inside + `,"x":` + strings.Repeat(open, n) + "1" + strings.Repeat(end, n) + "}"
	}
	rows := []struct{ name, bad, good string }{
		{"subject twice", inside + `,"sub":"admin"}`, inside + `,"sub2":"admin"}`},
		{"subject twice, once escaped", inside + `,"s\u0075b":"admin"}`, inside + `,"s\u0075b2":"admin"}`},
		{"subject twice alike", inside + `,"sub":"alice"}`, claims},
		{"audience twice", `{"aud":"x",` + claims[1:], `{"Aud":"x",` + claims[1:]},
		{"an unknown claim twice", inside + `,"x":1,"x":1}`, inside + `,"x":1,"X":1}`},
		{"a name twice inside a claim", inside + `,"x":{"a":1,"a":2}}`, inside + `,"x":{"a":1,"b":2}}`},
		{"a name twice in an array's object", inside + `,"x":[{"a":1,"a":2}]}`, inside + `,"x":[{"a":1},{"a":2}]}`},
		{"empty name twice", inside + `,"":1,"":2}`, inside + `,"":1}`},
		{"invalid UTF-8 in a value", inside + ",\"x\":\"\xff\"}", inside + `,"x":"ÿ"}`},
		{"invalid UTF-8 in a name", inside + ",\"\xff\":1}", inside + `,"ÿ":1}`},
		{"overlong UTF-8", inside + ",\"x\":\"\xc0\xaf\"}", inside + `,"x":"/"}`},
		{"a surrogate in UTF-8", inside + ",\"x\":\"\xed\xa0\x80\"}", inside + `,"x":"\ud83d\ude00"}`},
		{"lone high surrogate", inside + `,"x":"\ud800"}`, inside + `,"x":"\ud800\udc00"}`},
		{"lone low surrogate", inside + `,"x":"\udc00"}`, inside + `,"x":"\\udc00"}`},
		{"surrogates in the wrong order", inside + `,"x":"\udc00\ud800"}`, inside + `,"x":"\ud800\udc00"}`},
		{"lone surrogate in the subject", goodClaims(mainURL).set("sub", `"\ud800"`).String(), goodClaims(mainURL).set("sub", `"\u00e9"`).String()},
		{"arrays 32 deep", nested("[", "]", 32), nested("[", "]", 31)},
		{"objects 32 deep", nested(`{"a":`, "}", 32), nested(`{"a":`, "}", 31)},
		{"arrays 2000 deep", nested("[", "]", 2000), nested("[", "]", 3)},
		{"data behind", claims + `{}`, claims + " "},
		{"a brace behind", claims + `}`, claims + "\n"},
		{"a zero byte behind", claims + "\x00", claims + "\t"},
		{"a form feed behind", claims + "\f", claims + "\r"},
		{"a byte order mark before", "\ufeff" + claims, " " + claims},
		{"a comment", `/**/` + claims, claims},
		{"a comma too many", inside + `,}`, claims},
		{"single quotes", strings.ReplaceAll(claims, `"`, `'`), claims},
		{"no quotes", strings.Replace(claims, `"sub"`, `sub`, 1), claims},
		{"a line end in a string", inside + ",\"x\":\"a\nb\"}", inside + `,"x":"a\nb"}`},
		{"an escape that is none", inside + `,"x":"\x41"}`, inside + `,"x":"\u0041"}`},
		{"a leading zero", inside + `,"x":01}`, inside + `,"x":1}`},
		{"a leading plus", inside + `,"x":+1}`, inside + `,"x":-1}`},
		{"hexadecimal", inside + `,"x":0x1}`, inside + `,"x":1}`},
		{"NaN", inside + `,"x":NaN}`, inside + `,"x":null}`},
		{"infinity", inside + `,"x":Infinity}`, inside + `,"x":1e300}`},
		{"a number beyond doubles", inside + `,"x":1e400}`, inside + `,"x":1e308}`},
		{"True", inside + `,"x":True}`, inside + `,"x":true}`},
		{"an array", `[` + claims + `]`, claims},
		{"a string", strconv.Quote(claims), claims},
		{"null", `null`, claims},
		{"a number", `1`, claims},
		{"white space", ` `, claims},
		{"cut off", claims[:len(claims)-1], claims},
		{"two objects", claims + claims, claims},
		{"UTF-16", utf16LE(claims), claims},
	}
	var all []hostile
	for _, row := range rows {
		header := json.RawMessage(goodHeader(w.key()).String())
		all = append(all, w.row("payload: "+row.name, oidcauth.ErrMalformedToken, w.key().Sign(header, row.bad), w.key().Sign(header, row.good)))
	}
	return all
}

func utf16LE(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte(text[i])
		b.WriteByte(0)
	}
	return b.String()
}

func decodePart(t *testing.T, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
