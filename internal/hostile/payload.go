package hostile

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// textRows are signed tokens whose JSON readers may understand differently.
func textRows(t testing.TB, w *World) []Row {
	claims := Claims(URL).String()
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
		{"lone surrogate in the subject", Claims(URL).Set("sub", `"\ud800"`).String(), Claims(URL).Set("sub", `"\u00e9"`).String()},
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
	var all []Row
	for _, row := range rows {
		header := json.RawMessage(Header(w.Key()).String())
		all = append(all, w.Row("payload: "+row.name, oidcauth.ErrMalformedToken, w.Key().Sign(header, row.bad), w.Key().Sign(header, row.good)))
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
