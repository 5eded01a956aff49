package oidcauth_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// headerRows are tokens with a good signature over a header that must not be.
func headerRows(t *testing.T, w *world) []hostile {
	bad, alg, key, typ := oidcauth.ErrMalformedToken, oidcauth.ErrAlgorithm, oidcauth.ErrUnknownKey, oidcauth.ErrTokenType
	good := goodHeader(w.key())
	rows := []struct {
		name      string
		bad, good members
		want      error
	}{
		{"critical extension", good.with("crit", `["exp"]`), good.with("Crit", `["exp"]`), bad},
		{"empty crit", good.with("crit", `[]`), good.with("critical", `[]`), bad},
		{"null crit", good.with("crit", `null`), good, bad},
		{"crit that names b64", good.with("crit", `["b64"]`).with("b64", `false`), good, bad},
		{"crit, escaped", good.with(`cr\u0069t`, `["x"]`), good.with(`cr\u0069tt`, `["x"]`), bad},
		{"payload not encoded", good.with("b64", `false`), good.with("B64", `false`), bad},
		{"b64 true", good.with("b64", `true`), good, bad},
		{"compressed", good.with("zip", `"DEF"`), good.with("zipped", `"DEF"`), bad},
		{"zip null", good.with("zip", `null`), good, bad},
		{"enc", good.with("enc", `"A128GCM"`), good.with("encoding", `"A128GCM"`), bad},
		{"no alg", good.set("alg", ""), good, bad},
		{"null alg", good.set("alg", `null`), good, bad},
		{"empty alg", good.set("alg", `""`), good, bad},
		{"alg a number", good.set("alg", `256`), good, bad},
		{"alg an array", good.set("alg", `["ES256"]`), good, bad},
		{"alg an object", good.set("alg", `{"ES256":1}`), good, bad},
		{"alg true", good.set("alg", `true`), good, bad},
		{"alg in capitals", good.set("alg", "").with("ALG", `"ES256"`), good.with("ALG", `"none"`), bad},
		{"alg twice", good.with("alg", `"ES256"`), good.with("Alg", `"ES256"`), bad},
		{"alg twice, once none", good.with("alg", `"none"`), good.with("Alg", `"none"`), bad},
		{"alg twice, once escaped", good.with(`\u0061lg`, `"none"`), good.set("alg", "").with(`\u0061lg`, `"ES256"`), bad},
		{"alg with a space behind", good.set("alg", `"ES256 "`), good, alg},
		{"alg in small letters", good.set("alg", `"es256"`), good.set("alg", `"\u0045S256"`), alg},
		{"alg with a zero byte", good.set("alg", `"ES256\u0000"`), good, alg},
		{"alg with a long s", good.set("alg", `"Eſ256"`), good, alg},
		{"null kid", good.set("kid", `null`), good.set("kid", ""), bad},
		{"kid a number", good.set("kid", `1`), good, bad},
		{"kid an array", good.set("kid", `["main-ES256"]`), good, bad},
		{"kid an object", good.set("kid", `{}`), good, bad},
		{"kid false", good.set("kid", `false`), good, bad},
		{"kid twice", good.with("kid", `"main-ES256"`), good.with("KID", `"main-ES256"`), bad},
		{"kid twice, folded", good.set("kid", "").with("kid", `"x"`).with(`k\u0069d`, `"main-ES256"`), good.with("Kid", `"x"`), bad},
		{"empty kid", good.set("kid", `""`), good.set("kid", ""), key},
		{"unknown kid", good.set("kid", `"nobody"`), good, key},
		{"kid of another case", good.set("kid", `"MAIN-ES256"`), good, key},
		{"kid with a space behind", good.set("kid", `"main-ES256 "`), good, key},
		{"kid of a thousand bytes", good.set("kid", `"`+strings.Repeat("k", 1000)+`"`), good, key},
		{"kid a path", good.set("kid", `"../../../../dev/null"`), good, key},
		{"kid an SQL injection", good.set("kid", `"x' UNION SELECT 'AA"`), good, key},
		{"kid an address", good.set("kid", `"https://evil.test/jwks.json"`), good, key},
		{"null typ", good.set("typ", `null`), good.set("typ", ""), bad},
		{"typ a number", good.set("typ", `1`), good, bad},
		{"typ an array", good.set("typ", `["JWT"]`), good, bad},
		{"typ true", good.set("typ", `true`), good, bad},
		{"typ twice", good.with("typ", `"JWT"`), good.with("TYP", `"logout+jwt"`), bad},
		{"empty typ", good.set("typ", `""`), good.set("typ", ""), typ},
		{"cty a number", good.with("cty", `1`), good.with("cty", `"JWT"`), bad},
		{"nonce a number", good.with("nonce", `1`), good.with("nonce", `"1"`), bad},
		{"an unknown member twice", good.with("x", `1`).with("x", `1`), good.with("x", `1`).with("y", `1`), bad},
		{"nested too deep", good.with("x", strings.Repeat("[", 32)+strings.Repeat("]", 32)), good.with("x", strings.Repeat("[", 31)+strings.Repeat("]", 31)), bad},
		{"invalid UTF-8", good.with("x", "\"\xff\""), good.with("x", `"ÿ"`), bad},
		{"lone surrogate", good.with("x", `"\ud800"`), good.with("x", `"\ud800\udc00"`), bad},
		{"surrogate in the kid", good.set("kid", `"main-ES256\ud800"`), good, bad},
		{"a number beyond doubles", good.with("x", `1e999`), good.with("x", `1e99`), bad},
	}
	var all []hostile
	for _, row := range rows {
		all = append(all, w.row("header: "+row.name, row.want, w.withHeader(row.bad), w.withHeader(row.good)))
	}
	return append(all, headerTextRows(w)...)
}

// headerTextRows are headers that are no object, or more than one.
func headerTextRows(w *world) []hostile {
	header, claims := goodHeader(w.key()).String(), goodClaims(mainURL).String()
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
	var all []hostile
	for _, row := range rows {
		bad := w.key().Sign([]byte(row.header), claims)
		all = append(all, w.row("header: "+row.name, oidcauth.ErrMalformedToken, bad, w.key().Sign([]byte(header+"\n"), claims)))
	}
	return all
}
