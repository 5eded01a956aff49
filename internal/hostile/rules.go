package hostile

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

// ClaimRules are what the issuer "ruled" demands.
var ClaimRules = []oidcauth.ClaimRule{
	{Claim: oidcauth.Path{"token_use"}, In: []string{"id"}, Optional: true},
	{Claim: oidcauth.Path{"email_verified"}, In: []string{"true"}},
	{Claim: oidcauth.Path{"resource", "plan"}, Present: true},
	{Claim: oidcauth.Path{"disabled"}, Absent: true},
	{Claim: oidcauth.Path{"groups"}, NotIn: []string{"banned"}},
	{Claim: oidcauth.Path{"hd"}, Prefix: []string{"team-"}},
}

func ruleRows(t testing.TB, w *World) []Row {
	good := map[string]string{"email_verified": "true", "resource": `{"plan":"free"}`, "hd": `"team-a"`}
	with := func(name, value string) string {
		return w.Of("ruled", func(h, c Members) (Members, Members) {
			for _, n := range []string{"email_verified", "resource", "hd"} {
				c = c.Set(n, good[n])
			}
			if name != "" {
				c = c.Set(name, value)
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
	var all []Row
	for _, row := range rows {
		all = append(all, w.Row("rule "+row.name, oidcauth.ErrRule, row.bad, row.good))
	}
	role := func(roles string) string {
		return w.Of("program", func(h, c Members) (Members, Members) { return h, c.Set("roles", roles) })
	}
	return append(all,
		w.Row("rule of the program: role missing", oidcauth.ErrRule, role(""), role(`["writer"]`)),
		w.Row("rule of the program: another role", oidcauth.ErrRule, role(`["reader"]`), role(`["reader","writer"]`)),
		w.Row("rule of the program: another case", oidcauth.ErrRule, role(`["Writer"]`), role(`"writer"`)),
		w.Row("rule of the program: longer", oidcauth.ErrRule, role(`["writers"]`), role(`{"writer":true}`)),
		w.Row("rule of the program: role denied", oidcauth.ErrRule, role(`{"writer":false}`), role(`{"writer":true,"admin":false}`)),
		w.Row("rule of the program: role null", oidcauth.ErrRule, role(`{"writer":null}`), role(`{"reader":null,"writer":true}`)),
		w.Row("rule of the program: role of the number 1", oidcauth.ErrRule, role(`{"writer":1}`), role(`{"writer":true}`)),
		w.Row("rule of the program: role of a string", oidcauth.ErrRule, role(`{"writer":"true"}`), role(`{"writer":true}`)),
		w.Row("rule of the program: role of an empty object", oidcauth.ErrRule, role(`{"writer":{}}`), role(`{"writer":true}`)),
		w.Row("rule of the program: role of an object", oidcauth.ErrRule, role(`{"writer":{"enabled":true}}`), role(`{"writer":true}`)),
		w.Row("rule of the program: role of an array", oidcauth.ErrRule, role(`{"writer":[true]}`), role(`["reader","writer"]`)),
		w.Row("rule of the program: role deeper inside", oidcauth.ErrRule, role(`{"x":{"writer":true}}`), role(`{"x":1,"writer":true}`)),
		w.Row("rule of the program: role in a list with commas", oidcauth.ErrRule, role(`"reader,writer"`), role(`["reader,writer","writer"]`)),
		w.Row("rule of the program: role in a list with blanks", oidcauth.ErrRule, role(`"reader writer"`), role(`["reader writer","writer"]`)),
		w.Row("rule of the program: role in JSON text", oidcauth.ErrRule, role(`"[\"writer\"]"`), role(`["writer"]`)),
		w.Row("rule of the program: no list of strings", oidcauth.ErrRule, role(`["writer",1]`), role(`["writer","1"]`)),
	)
}
