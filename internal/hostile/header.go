package hostile

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// headerRows are tokens with a good signature over a header that must not be.
func headerRows(t testing.TB, w *World) []Row {
	bad, alg, key, typ := oidcauth.ErrMalformedToken, oidcauth.ErrAlgorithm, oidcauth.ErrUnknownKey, oidcauth.ErrTokenType
	good := Header(w.Key())
	rows := []struct {
		name      string
		bad, good Members
		want      error
	}{
		{"critical extension", good.With("crit", `["exp"]`), good.With("Crit", `["exp"]`), bad},
		{"empty crit", good.With("crit", `[]`), good.With("critical", `[]`), bad},
		{"null crit", good.With("crit", `null`), good, bad},
		{"crit that names b64", good.With("crit", `["b64"]`).With("b64", `false`), good, bad},
		{"crit, escaped", good.With(`cr\u0069t`, `["x"]`), good.With(`cr\u0069tt`, `["x"]`), bad},
		{"payload not encoded", good.With("b64", `false`), good.With("B64", `false`), bad},
		{"b64 true", good.With("b64", `true`), good, bad},
		{"compressed", good.With("zip", `"DEF"`), good.With("zipped", `"DEF"`), bad},
		{"zip null", good.With("zip", `null`), good, bad},
		{"enc", good.With("enc", `"A128GCM"`), good.With("encoding", `"A128GCM"`), bad},
		{"no alg", good.Set("alg", ""), good, bad},
		{"null alg", good.Set("alg", `null`), good, bad},
		{"empty alg", good.Set("alg", `""`), good, bad},
		{"alg a number", good.Set("alg", `256`), good, bad},
		{"alg an array", good.Set("alg", `["ES256"]`), good, bad},
		{"alg an object", good.Set("alg", `{"ES256":1}`), good, bad},
		{"alg true", good.Set("alg", `true`), good, bad},
		{"alg in capitals", good.Set("alg", "").With("ALG", `"ES256"`), good.With("ALG", `"none"`), bad},
		{"alg twice", good.With("alg", `"ES256"`), good.With("Alg", `"ES256"`), bad},
		{"alg twice, once none", good.With("alg", `"none"`), good.With("Alg", `"none"`), bad},
		{"alg twice, once escaped", good.With(`\u0061lg`, `"none"`), good.Set("alg", "").With(`\u0061lg`, `"ES256"`), bad},
		{"alg with a space behind", good.Set("alg", `"ES256 "`), good, alg},
		{"alg in small letters", good.Set("alg", `"es256"`), good.Set("alg", `"\u0045S256"`), alg},
		{"alg with a zero byte", good.Set("alg", `"ES256\u0000"`), good, alg},
		{"alg with a long s", good.Set("alg", `"Eſ256"`), good, alg},
		{"null kid", good.Set("kid", `null`), good.Set("kid", ""), bad},
		{"kid a number", good.Set("kid", `1`), good, bad},
		{"kid an array", good.Set("kid", `["main-ES256"]`), good, bad},
		{"kid an object", good.Set("kid", `{}`), good, bad},
		{"kid false", good.Set("kid", `false`), good, bad},
		{"kid twice", good.With("kid", `"main-ES256"`), good.With("KID", `"main-ES256"`), bad},
		{"kid twice, folded", good.Set("kid", "").With("kid", `"x"`).With(`k\u0069d`, `"main-ES256"`), good.With("Kid", `"x"`), bad},
		{"empty kid", good.Set("kid", `""`), good.Set("kid", ""), key},
		{"unknown kid", good.Set("kid", `"nobody"`), good, key},
		{"kid of another case", good.Set("kid", `"MAIN-ES256"`), good, key},
		{"kid with a space behind", good.Set("kid", `"main-ES256 "`), good, key},
		{"kid of a thousand bytes", good.Set("kid", `"`+strings.Repeat("k", 1000)+`"`), good, key},
		{"kid a path", good.Set("kid", `"../../../../dev/null"`), good, key},
		{"kid an SQL injection", good.Set("kid", `"x' UNION SELECT 'AA"`), good, key},
		{"kid an address", good.Set("kid", `"https://evil.test/jwks.json"`), good, key},
		{"null typ", good.Set("typ", `null`), good.Set("typ", ""), bad},
		{"typ a number", good.Set("typ", `1`), good, bad},
		{"typ an array", good.Set("typ", `["JWT"]`), good, bad},
		{"typ true", good.Set("typ", `true`), good, bad},
		{"typ twice", good.With("typ", `"JWT"`), good.With("TYP", `"logout+jwt"`), bad},
		{"empty typ", good.Set("typ", `""`), good.Set("typ", ""), typ},
		{"cty a number", good.With("cty", `1`), good.With("cty", `"JWT"`), bad},
		{"nonce a number", good.With("nonce", `1`), good.With("nonce", `"1"`), bad},
		{"an unknown member twice", good.With("x", `1`).With("x", `1`), good.With("x", `1`).With("y", `1`), bad},
		{"nested too deep", good.With("x", strings.Repeat("[", 32)+strings.Repeat("]", 32)), good.With("x", strings.Repeat("[", 31)+strings.Repeat("]", 31)), bad},
		{"invalid UTF-8", good.With("x", "\"\xff\""), good.With("x", `"ÿ"`), bad},
		{"lone surrogate", good.With("x", `"\ud800"`), good.With("x", `"\ud800\udc00"`), bad},
		{"surrogate in the kid", good.Set("kid", `"main-ES256\ud800"`), good, bad},
		{"a number beyond doubles", good.With("x", `1e999`), good.With("x", `1e99`), bad},
	}
	var all []Row
	for _, row := range rows {
		all = append(all, w.Row("header: "+row.name, row.want, w.WithHeader(row.bad), w.WithHeader(row.good)))
	}
	return append(all, headerTextRows(w)...)
}

// headerTextRows are headers that are no object, or more than one.
func headerTextRows(w *World) []Row {
	header, claims := Header(w.Key()).String(), Claims(URL).String()
	rows := []struct{ name, header string }{
		{"an array", "[" + header + "]"},
		{"a string", `"ES256"`},
		{"null", `null`},
		{"a number", `1`},
		{"nothing", ` `},
		{"data behind", header + `{"alg":"none"}`},
		{"cut off", header[:len(header)-1]},
		{"a comma too many", header[:len(header)-1] + ",}"},
		{"a zero byte behind", header + "\x00"},
		{"a byte order mark", "\ufeff" + header},
		{"YAML", "alg: ES256"},
	}
	var all []Row
	for _, row := range rows {
		bad := w.Key().Sign([]byte(row.header), claims)
		all = append(all, w.Row("header: "+row.name, oidcauth.ErrMalformedToken, bad, w.Key().Sign([]byte(header+"\n"), claims)))
	}
	return all
}
