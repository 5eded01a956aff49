package hostile

import (
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
)

// A claimRow changes one claim of a good token. An empty text leaves the claim
// out; a list of texts is given in one row for each.
type claimRow struct {
	name      string
	bad, good string // JSON texts
	want      error
}

// claimRows makes rows of changes to one claim.
func claimRows(w *World, claim string, rows []claimRow) []Row {
	var all []Row
	for _, row := range rows {
		all = append(all, w.Row(claim+": "+row.name, row.want,
			w.WithClaims(Claims(URL).Set(claim, row.bad)), w.WithClaims(Claims(URL).Set(claim, row.good))))
	}
	return all
}

func issuerRows(t testing.TB, w *World) []Row {
	malformed, unknown := oidcauth.ErrClaim, oidcauth.ErrUnknownIssuer
	good := `"` + URL + `"`
	return claimRows(w, "iss", []claimRow{
		{"missing", "", good, malformed},
		{"null", "null", good, malformed},
		{"a number", "1", good, malformed},
		{"true", "true", good, malformed},
		{"an array", "[" + good + "]", good, malformed},
		{"an object", "{}", good, malformed},
		{"empty", `""`, good, malformed},
		{"513 bytes", `"` + strings.Repeat("i", 513) + `"`, good, malformed},
		{"512 bytes of a stranger", `"` + strings.Repeat("i", 512) + `"`, good, unknown},
		{"trailing slash", `"` + URL + `/"`, `"https:\/\/issuer.test"`, unknown},
		{"two trailing slashes", `"` + URL + `//"`, good, unknown},
		{"host in capitals", `"https://ISSUER.test"`, good, unknown},
		{"scheme in capitals", `"HTTPS://issuer.test"`, good, unknown},
		{"http", `"http://issuer.test"`, good, unknown},
		{"no scheme", `"issuer.test"`, good, unknown},
		{"another host", `"https://evil.test"`, `"\u0068ttps://issuer.test"`, unknown},
		{"a host that ends alike", `"https://evil-issuer.test"`, good, unknown},
		{"a host that begins alike", `"https://issuer.test.evil.test"`, good, unknown},
		{"our host as user", `"https://issuer.test@evil.test"`, good, unknown},
		{"a port", `"https://issuer.test:443"`, good, unknown},
		{"a path", `"https://issuer.test/realm"`, good, unknown},
		{"a query", `"https://issuer.test?"`, good, unknown},
		{"a fragment", `"https://issuer.test#"`, good, unknown},
		{"space behind", `"https://issuer.test "`, good, unknown},
		{"space before", `" https://issuer.test"`, good, unknown},
		{"zero byte behind", `"https://issuer.test\u0000"`, good, unknown},
		{"line end behind", `"https://issuer.test\n"`, good, unknown},
		{"a Cyrillic letter", `"https://іssuer.test"`, good, unknown},
		{"a full-width letter", `"https://ｉssuer.test"`, good, unknown},
		{"percent escape", `"https://issuer%2Etest"`, good, unknown},
		{"another issuer's bar", `"https://issuer.test|alice"`, good, unknown},
		{"template", `"https://{tenant}.test"`, good, unknown},
	})
}

// wrongTimes are what no time claim may be, whichever of them it is.
func wrongTimes(good string) []claimRow {
	malformed, bad := oidcauth.ErrClaim, oidcauth.ErrMalformedToken
	return []claimRow{
		{"null", "null", good, malformed},
		{"a string", `"` + good + `"`, good, malformed},
		{"an empty string", `""`, good + ".0", malformed},
		{"a date", `"2099-01-01T00:00:00Z"`, good, malformed},
		{"true", "true", good, malformed},
		{"false", "false", good, malformed},
		{"an array", "[" + good + "]", good + ".5", malformed},
		{"an empty array", "[]", good, malformed},
		{"an object", "{}", good, malformed},
		{"1e400", "1e400", good + "e0", bad},
		{"-1e400", "-1e400", good + "E+0", bad},
		{"NaN", "NaN", good, bad},
		{"Infinity", "Infinity", good, bad},
		{"beyond the year 9999", "253402300800", good, malformed},
		{"beyond 64 bits", "18446744073709551616", good, malformed},
		{"beyond 63 bits", "9223372036854775808", good, malformed},
		{"1e300", "1e300", good, malformed},
		{"far before the year 0", "-1e12", good, malformed},
		{"a fraction without digits", good + ".", good + ".0", bad},
		{"an exponent without digits", good + "e", good + "e0", bad},
	}
}

func timeRows(t testing.TB, w *World) []Row {
	expired, early, future := oidcauth.ErrExpired, oidcauth.ErrNotYetValid, oidcauth.ErrIssuedInFuture
	all := claimRows(w, "exp", append(wrongTimes(Expiry), []claimRow{
		{"missing", "", Expiry, oidcauth.ErrClaim},
		{"in 1970", "1", "253402300799", expired},
		{"zero", "0", Expiry, expired},
		{"minus zero", "-0", Expiry, expired},
		{"negative", "-1", Expiry, expired},
		{"a negative fraction", "-0.5", Expiry, expired},
		{"a tiny fraction", "1e-300", "4.102444800e9", expired},
		{"a minute ago", Unix(-time.Minute), Unix(time.Minute), expired},
		{"a minute ago, as a fraction", Unix(-time.Minute) + ".999", Unix(time.Minute) + ".001", expired},
		{"a minute ago, in milliseconds of another unit", "1.7e9", "41024448e2", expired},
		{"31 seconds ago", Unix(-31 * time.Second), Unix(-time.Second), expired}, // the twin has the leeway
	}...))
	all = append(all, claimRows(w, "nbf", append(wrongTimes("1700000000"), []claimRow{
		{"in an hour", Unix(time.Hour), Unix(-time.Hour), early},
		{"in two minutes", Unix(2 * time.Minute), Unix(20 * time.Second), early},
		{"in the year 9999", "253402300799", "", early},
		{"in an hour, as a fraction", Unix(time.Hour) + ".5", "0.5", early},
		{"in 2100, with an exponent", "4.1024448e9", "-1", early},
	}...))...)
	return append(all, claimRows(w, "iat", append(wrongTimes("1700000000"), []claimRow{
		{"in an hour", Unix(time.Hour), Unix(-time.Hour), future},
		{"in two minutes", Unix(2 * time.Minute), Unix(20 * time.Second), future},
		{"in the year 9999", "253402300799", "", future},
		{"in milliseconds", "1700000000000", "1700000000", oidcauth.ErrClaim},
		{"in 2100, with an exponent", "41024448E2", "17e8", future},
	}...))...)
}

func audienceRows(t testing.TB, w *World) []Row {
	wrong, malformed, good := oidcauth.ErrAudience, oidcauth.ErrClaim, `"my-db"`
	all := claimRows(w, "aud", []claimRow{
		{"missing", "", good, wrong},
		{"null", "null", good, malformed},
		{"empty", `""`, good, wrong},
		{"empty array", "[]", `["my-db"]`, wrong},
		{"an array of nothing", `[""]`, `["","my-db"]`, wrong},
		{"a number", "1", good, malformed},
		{"true", "true", good, malformed},
		{"an object", `{"my-db":true}`, good, malformed},
		{"null beside ours", `["my-db",null]`, `["my-db","null"]`, malformed},
		{"a number beside ours", `["my-db",1]`, `["my-db","1"]`, malformed},
		{"an object beside ours", `["my-db",{}]`, `["my-db","{}"]`, malformed},
		{"nested", `[["my-db"]]`, `["my-db"]`, malformed},
		{"nested beside ours", `["my-db",["x"]]`, `["my-db","x"]`, malformed},
		{"somebody else", `"x"`, good, wrong},
		{"many others", `["x","y","z"]`, `["x","y","my-db"]`, wrong},
		{"a prefix", `"my"`, good, wrong},
		{"a suffix", `"db"`, good, wrong},
		{"longer", `"my-db-2"`, `"my-other-db"`, wrong},
		{"another case", `"My-Db"`, `"my\u002ddb"`, wrong},
		{"space behind", `"my-db "`, good, wrong},
		{"comma-separated", `"x,my-db"`, good, wrong},
		{"space-separated", `"x my-db"`, good, wrong},
		{"an array in a string", `"[\"my-db\"]"`, good, wrong},
		{"a star", `"*"`, good, wrong},
		{"zero byte behind", `"my-db\u0000"`, good, wrong},
		{"the issuer", `"https://issuer.test"`, good, wrong},
	})
	set := func(name, value string) func(h, c Members) (Members, Members) {
		return func(h, c Members) (Members, Members) { return h, c.Set(name, value) }
	}
	client := func(value string) string {
		return w.Of("client", func(h, c Members) (Members, Members) { return h, c.Set("aud", "").Set("client_id", value) })
	}
	return append(all,
		w.Row("aud: in capitals", wrong, w.WithClaims(Claims(URL).Set("aud", "").With("AUD", good)), w.WithClaims(Claims(URL).With("AUD", `"x"`))),
		w.Row("client_id: missing, aud good", wrong, w.Of("client", nil), client(good)),
		w.Row("client_id: another", wrong, client(`"x"`), client(good)),
		w.Row("client_id: null", malformed, client("null"), client(good)),
		w.Row("client_id: a number", malformed, client("1"), client(`["my-db"]`)),
		w.Row("client_id: good, aud null", malformed, w.Of("client", func(h, c Members) (Members, Members) { return h, c.Set("aud", "null").Set("client_id", good) }), client(good)),
		w.Row("client_id: for an issuer that uses aud", wrong, w.WithClaims(Claims(URL).Set("aud", "").Set("client_id", good)), client(good)),
		w.Row("aud: null though any is accepted", malformed, w.Of("anyone", set("aud", "null")), w.Of("anyone", set("aud", ""))),
		w.Row("aud: a number though any is accepted", malformed, w.Of("anyone", set("aud", "1")), w.Of("anyone", set("aud", `"x"`))),
	)
}

func subjectRows(t testing.TB, w *World) []Row {
	malformed, good := oidcauth.ErrClaim, `"alice"`
	quoted := `"` + identity.New(URL, "alice").String() + `"`
	all := claimRows(w, "sub", []claimRow{
		{"missing", "", good, malformed},
		{"null", "null", good, malformed},
		{"a number", "1", `"1"`, malformed},
		{"true", "true", `"true"`, malformed},
		{"an array", `["alice"]`, good, malformed},
		{"an object", `{"alice":1}`, good, malformed},
		{"empty", `""`, `" "`, malformed},
		{"2049 bytes", `"` + strings.Repeat("s", 2049) + `"`, `"` + strings.Repeat("s", 2048) + `"`, malformed},
		{"2049 bytes, 1025 characters", `"s` + strings.Repeat("é", 1024) + `"`, `"` + strings.Repeat("é", 1024) + `"`, malformed},
		{"2049 bytes, escaped", `"s` + strings.Repeat(`\u00e9`, 1024) + `"`, `"` + strings.Repeat(`\u00e9`, 1024) + `"`, malformed},
	})
	for _, folded := range []string{"SUB", "Sub", "ſub", "\u017fub", "sub ", "ѕub", "su\u200bb", `\u0053ub`} {
		all = append(all, w.Row("sub: "+folded+" instead", malformed,
			w.WithClaims(Claims(URL).Set("sub", "").With(folded, `"admin"`)), w.WithClaims(Claims(URL).With(folded, `"admin"`))))
	}
	all = append(all, claimRows(w, "hex_identity", []claimRow{
		{"another subject's", `"` + identity.New(URL, "bob").String() + `"`, quoted, malformed},
		{"another issuer's", `"` + identity.New("https://other.test", "alice").String() + `"`, quoted, malformed},
		{"nobody's", `"` + strings.Repeat("0", 64) + `"`, quoted, malformed},
		{"in capitals", strings.ToUpper(quoted), quoted, malformed},
		{"with 0x before", `"0x` + quoted[1:], quoted, malformed},
		{"empty", `""`, "", malformed},
		{"null", "null", "", malformed},
		{"a number", "1", quoted, malformed},
		{"a kilobyte", `"` + strings.Repeat("c2", 512) + `"`, quoted, malformed},
	})...)
	return append(all, tupleRows(w)...)
}

// tupleRows are of an issuer whose subject is made of two claims.
func tupleRows(w *World) []Row {
	with := func(tid, user string) string {
		return w.Of("tuple", func(h, c Members) (Members, Members) { return h, c.Set("tid", tid).Set("user", user) })
	}
	good := with(`"t"`, `{"oid":"o"}`)
	rows := []struct{ name, bad, good string }{
		{"first missing", with("", `{"oid":"o"}`), good},
		{"second missing", with(`"t"`, ""), good},
		{"second missing inside", with(`"t"`, `{"OID":"o"}`), good},
		{"second not an object", with(`"t"`, `"o"`), good},
		{"first null", with("null", `{"oid":"o"}`), good},
		{"first a number", with("1", `{"oid":"o"}`), with(`"1"`, `{"oid":"o"}`)},
		{"first empty", with(`""`, `{"oid":"o"}`), good},
		{"second empty", with(`"t"`, `{"oid":""}`), good},
		{"first with the separator", with(`"t|o"`, `{"oid":"p"}`), with(`"t"`, `{"oid":"o|p"}`)},
		{"2049 bytes together", with(`"`+strings.Repeat("t", 1024)+`"`, `{"oid":"`+strings.Repeat("o", 1024)+`"}`), with(`"`+strings.Repeat("t", 1024)+`"`, `{"oid":"`+strings.Repeat("o", 1023)+`"}`)},
	}
	var all []Row
	for _, row := range rows {
		all = append(all, w.Row("subject of two claims: "+row.name, oidcauth.ErrClaim, row.bad, row.good))
	}
	return all
}
