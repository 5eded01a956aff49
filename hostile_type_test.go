package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

// hostileClaimRules are what the issuer "ruled" demands.
var hostileClaimRules = []oidcauth.ClaimRule{
	{Claim: oidcauth.Path{"token_use"}, In: []string{"id"}, Optional: true},
	{Claim: oidcauth.Path{"email_verified"}, In: []string{"true"}},
	{Claim: oidcauth.Path{"resource", "plan"}, Present: true},
	{Claim: oidcauth.Path{"disabled"}, Absent: true},
	{Claim: oidcauth.Path{"groups"}, NotIn: []string{"banned"}},
	{Claim: oidcauth.Path{"hd"}, Prefix: []string{"team-"}},
}

// typeRows are tokens that were signed for another purpose.
func typeRows(t *testing.T, w *world) []hostile {
	want := oidcauth.ErrTokenType
	var all []hostile
	typed := func(host, typ string) string {
		return w.of(host, func(h, c members) (members, members) { return h.set("typ", typ), c })
	}
	for _, typ := range []string{
		"logout+jwt", "Logout+JWT", "LOGOUT+JWT", "application/logout+jwt", "Application/Logout+Jwt",
		"dpop+jwt", "DPoP+JWT", "application/dpop+jwt",
		"secevent+jwt", "SecEvent+jwt", "application/secevent+jwt",
		"token-introspection+jwt", "oauth-authz-req+jwt", "client-authentication+jwt", "kb+jwt", "vc+sd-jwt", "JWE", "JOSE", "passport",
		"application/", "application/application/jwt", "text/jwt", "jwt ", " jwt", "jwt;charset=utf-8", "jwt\\u0000", "ＪＷＴ", "none", "null",
	} {
		for _, host := range []string{"other", "access", "both"} {
			twin := `"application/JWT"`
			if host == "access" {
				twin = `"Application/AT+JWT"`
			}
			all = append(all, w.row("typ: "+typ+" for "+host, want, typed(host, `"`+typ+`"`), typed(host, twin)))
		}
	}
	with := func(host, name, value string) string {
		return w.of(host, func(h, c members) (members, members) {
			if host == "access" {
				h = h.set("typ", `"at+jwt"`)
			}
			return h, c.set(name, value)
		})
	}
	for _, host := range []string{"other", "access", "both"} {
		all = append(all,
			w.row("events: of a logout token for "+host, want, with(host, "events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`), with(host, "Events", `{}`)),
			w.row("events: empty for "+host, want, with(host, "events", `{}`), with(host, "event", `{}`)),
			w.row("events: null for "+host, want, with(host, "events", `null`), with(host, "eventS", `null`)),
			w.row("events: escaped for "+host, want, with(host, `\u0065vents`, `[]`), with(host, `\u0045vents`, `[]`)),
			w.row("cnf: a thumbprint for "+host, want, with(host, "cnf", `{"jkt":"AAAA"}`), with(host, "CNF", `{"jkt":"AAAA"}`)),
			w.row("cnf: a certificate for "+host, want, with(host, "cnf", `{"x5t#S256":"AAAA"}`), with(host, "cn", `{}`)),
			w.row("cnf: null for "+host, want, with(host, "cnf", `null`), with(host, "Cnf", `null`)))
	}
	return append(all,
		w.row("typ: access token where an ID token is due", want, typed("other", `"at+jwt"`), typed("other", `"JWT"`)),
		w.row("typ: application/at+jwt where an ID token is due", want, typed("other", `"application/at+jwt"`), typed("both", `"application/at+jwt"`)),
		w.row("typ: ID token where an access token is due", want, typed("access", `"JWT"`), typed("access", `"at+jwt"`)),
		w.row("typ: none where an access token is due", want, typed("access", ""), typed("both", "")),
		w.row("typ: a type that begins alike", want, typed("access", `"at+jwt2"`), typed("access", `"AT+jwt"`)),
	)
}

func otherClaimRows(t *testing.T, w *world) []hostile {
	var all []hostile
	for _, claim := range []string{"jti", "sid"} {
		all = append(all, claimRows(w, claim, []claimRow{
			{"null", "null", "", oidcauth.ErrClaim},
			{"a number", "1", `"1"`, oidcauth.ErrClaim},
			{"true", "true", `"true"`, oidcauth.ErrClaim},
			{"an array", `["1"]`, `"[1]"`, oidcauth.ErrClaim},
			{"an object", `{}`, `"{}"`, oidcauth.ErrClaim},
		})...)
	}
	for _, claim := range []string{"scope", "scp"} {
		all = append(all, claimRows(w, claim, []claimRow{
			{"a number", "1", `"1"`, oidcauth.ErrClaim},
			{"true", "true", `["true"]`, oidcauth.ErrClaim},
			{"an object", `{"admin":true}`, "null", oidcauth.ErrClaim},
			{"null beside a scope", `["a",null]`, `["a","null"]`, oidcauth.ErrClaim},
			{"a number beside a scope", `["a",1]`, `["a","1"]`, oidcauth.ErrClaim},
			{"nested", `[["a"]]`, `["a"]`, oidcauth.ErrClaim},
		})...)
	}
	return all
}

func ruleRows(t *testing.T, w *world) []hostile {
	good := map[string]string{"email_verified": "true", "resource": `{"plan":"free"}`, "hd": `"team-a"`}
	with := func(name, value string) string {
		return w.of("ruled", func(h, c members) (members, members) {
			for _, n := range []string{"email_verified", "resource", "hd"} {
				c = c.set(n, good[n])
			}
			if name != "" {
				c = c.set(name, value)
			}
			return h, c
		})
	}
	rows := []struct{ name, bad, good string }{
		{"absent-or-in: another value", with("token_use", `"access"`), with("token_use", `"id"`)},
		{"absent-or-in: another case", with("token_use", `"ID"`), with("token_use", "")},
		{"absent-or-in: null", with("token_use", "null"), with("token_use", "")},
		{"absent-or-in: an object", with("token_use", `{"id":1}`), with("token_use", `["id"]`)},
		{"absent-or-in: empty array", with("token_use", `[]`), with("token_use", `["x","id"]`)},
		{"in: missing", with("email_verified", ""), with("", "")},
		{"in: false", with("email_verified", "false"), with("email_verified", "true")},
		{"in: null", with("email_verified", "null"), with("email_verified", `"true"`)},
		{"in: a number", with("email_verified", "1"), with("email_verified", `["true"]`)},
		{"in: an array of booleans", with("email_verified", "[true]"), with("email_verified", `["false","true"]`)},
		{"in: another case of the name", with("email_verified", ""), with("Email_verified", "false")},
		{"present: missing", with("resource", ""), with("", "")},
		{"present: missing inside", with("resource", `{"Plan":"free"}`), with("resource", `{"plan":"-"}`)},
		{"present: an empty string", with("resource", `{"plan":""}`), with("resource", `{"plan":" "}`)},
		{"present: an empty array", with("resource", `{"plan":[ ]}`), with("resource", `{"plan":["free"]}`)},
		{"present: an empty object", with("resource", `{"plan":{}}`), with("resource", `{"plan":{"free":true}}`)},
		{"present: null", with("resource", `{"plan":null}`), with("resource", `{"plan":false}`)},
		{"present: no object around it", with("resource", `"plan"`), with("resource", `{"plan":0}`)},
		{"present: an array around it", with("resource", `[{"plan":"free"}]`), with("resource", `{"plan":[0]}`)},
		{"absent: true", with("disabled", "true"), with("Disabled", "true")},
		{"absent: false", with("disabled", "false"), with("disabled", "")},
		{"absent: null", with("disabled", "null"), with("disabled", "")},
		{"not-in: the value", with("groups", `"banned"`), with("groups", `"Banned"`)},
		{"not-in: among others", with("groups", `["a","banned"]`), with("groups", `["a","b"]`)},
		{"not-in: escaped", with("groups", `["b\u0061nned"]`), with("groups", `["b\\u0061nned"]`)},
		{"not-in: a shape that cannot be compared", with("groups", `{"banned":true}`), with("groups", `[]`)},
		{"not-in: a number in another spelling", with("groups", "1.0"), with("groups", "1")},
		{"not-in: null", with("groups", `null`), with("groups", "")},
		{"not-in: a number among strings", with("groups", `["a",1]`), with("groups", `["a","1"]`)},
		{"prefix: another", with("hd", `"tea"`), with("hd", `"team-"`)},
		{"prefix: inside", with("hd", `"my-team-a"`), with("hd", `["x","team-a"]`)},
		{"prefix: another case", with("hd", `"TEAM-a"`), with("hd", `"team-A"`)},
		{"prefix: missing", with("hd", ""), with("", "")},
	}
	var all []hostile
	for _, row := range rows {
		all = append(all, w.row("rule "+row.name, oidcauth.ErrRule, row.bad, row.good))
	}
	role := func(roles string) string {
		return w.of("program", func(h, c members) (members, members) { return h, c.set("roles", roles) })
	}
	return append(all,
		w.row("rule of the program: role missing", oidcauth.ErrRule, role(""), role(`["writer"]`)),
		w.row("rule of the program: another role", oidcauth.ErrRule, role(`["reader"]`), role(`["reader","writer"]`)),
		w.row("rule of the program: another case", oidcauth.ErrRule, role(`["Writer"]`), role(`"writer"`)),
		w.row("rule of the program: longer", oidcauth.ErrRule, role(`["writers"]`), role(`{"writer":true}`)),
		w.row("rule of the program: role denied", oidcauth.ErrRule, role(`{"writer":false}`), role(`{"writer":true,"admin":false}`)),
		w.row("rule of the program: role null", oidcauth.ErrRule, role(`{"writer":null}`), role(`{"reader":null,"writer":true}`)),
		w.row("rule of the program: role of the number 1", oidcauth.ErrRule, role(`{"writer":1}`), role(`{"writer":true}`)),
		w.row("rule of the program: role of a string", oidcauth.ErrRule, role(`{"writer":"true"}`), role(`{"writer":true}`)),
		w.row("rule of the program: role of an empty object", oidcauth.ErrRule, role(`{"writer":{}}`), role(`{"writer":true}`)),
		w.row("rule of the program: role of an object", oidcauth.ErrRule, role(`{"writer":{"enabled":true}}`), role(`{"writer":true}`)),
		w.row("rule of the program: role of an array", oidcauth.ErrRule, role(`{"writer":[true]}`), role(`["reader","writer"]`)),
		w.row("rule of the program: role deeper inside", oidcauth.ErrRule, role(`{"x":{"writer":true}}`), role(`{"x":1,"writer":true}`)),
		w.row("rule of the program: role in a list with commas", oidcauth.ErrRule, role(`"reader,writer"`), role(`["reader,writer","writer"]`)),
		w.row("rule of the program: role in a list with blanks", oidcauth.ErrRule, role(`"reader writer"`), role(`["reader writer","writer"]`)),
		w.row("rule of the program: role in JSON text", oidcauth.ErrRule, role(`"[\"writer\"]"`), role(`["writer"]`)),
		w.row("rule of the program: no list of strings", oidcauth.ErrRule, role(`["writer",1]`), role(`["writer","1"]`)),
	)
}
