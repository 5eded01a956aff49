package hostile

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

// typeRows are tokens that were signed for another purpose.
func typeRows(t testing.TB, w *World) []Row {
	want := oidcauth.ErrTokenType
	var all []Row
	typed := func(host, typ string) string {
		return w.Of(host, func(h, c Members) (Members, Members) { return h.Set("typ", typ), c })
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
			all = append(all, w.Row("typ: "+typ+" for "+host, want, typed(host, `"`+typ+`"`), typed(host, twin)))
		}
	}
	with := func(host, name, value string) string {
		return w.Of(host, func(h, c Members) (Members, Members) {
			if host == "access" {
				h = h.Set("typ", `"at+jwt"`)
			}
			return h, c.Set(name, value)
		})
	}
	for _, host := range []string{"other", "access", "both"} {
		all = append(all,
			w.Row("events: of a logout token for "+host, want, with(host, "events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`), with(host, "Events", `{}`)),
			w.Row("events: empty for "+host, want, with(host, "events", `{}`), with(host, "event", `{}`)),
			w.Row("events: null for "+host, want, with(host, "events", `null`), with(host, "eventS", `null`)),
			w.Row("events: escaped for "+host, want, with(host, `\u0065vents`, `[]`), with(host, `\u0045vents`, `[]`)),
			w.Row("cnf: a thumbprint for "+host, want, with(host, "cnf", `{"jkt":"AAAA"}`), with(host, "CNF", `{"jkt":"AAAA"}`)),
			w.Row("cnf: a certificate for "+host, want, with(host, "cnf", `{"x5t#S256":"AAAA"}`), with(host, "cn", `{}`)),
			w.Row("cnf: null for "+host, want, with(host, "cnf", `null`), with(host, "Cnf", `null`)))
	}
	return append(all,
		w.Row("typ: access token where an ID token is due", want, typed("other", `"at+jwt"`), typed("other", `"JWT"`)),
		w.Row("typ: application/at+jwt where an ID token is due", want, typed("other", `"application/at+jwt"`), typed("both", `"application/at+jwt"`)),
		w.Row("typ: ID token where an access token is due", want, typed("access", `"JWT"`), typed("access", `"at+jwt"`)),
		w.Row("typ: none where an access token is due", want, typed("access", ""), typed("both", "")),
		w.Row("typ: a type that begins alike", want, typed("access", `"at+jwt2"`), typed("access", `"AT+jwt"`)),
	)
}

func otherClaimRows(t testing.TB, w *World) []Row {
	var all []Row
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
