package hostile

import (
	"strings"

	"github.com/oidcauth/oidcauth"
)

// A Fault is something wrong with a token, by the check that finds it.
type Fault struct {
	Name  string
	Check string
	Want  error
	make  func(*draft)
}

// A draft is a token of the issuer "ruled" about to be signed.
type draft struct {
	header, claims Members
	finish         func(tok string) string
}

// Faults are in the order of the checks. Those of one check stand together.
func Faults() []Fault {
	claim := func(name, value string) func(*draft) {
		return func(d *draft) { d.claims = d.claims.Set(name, value) }
	}
	header := func(name, value string) func(*draft) {
		return func(d *draft) { d.header = d.header.Set(name, value) }
	}
	return []Fault{
		{"form", "form", oidcauth.ErrMalformedToken, header("crit", "[]")},
		{"no issuer", "issuer", oidcauth.ErrClaim, claim("iss", "")},
		{"unknown issuer", "issuer", oidcauth.ErrUnknownIssuer, claim("iss", `"https://evil.test"`)},
		{"unknown algorithm", "algorithm", oidcauth.ErrAlgorithm, header("alg", `"HS256"`)},
		{"unknown key", "key", oidcauth.ErrUnknownKey, header("kid", `"nobody"`)},
		{"bad signature", "signature", oidcauth.ErrSignature, func(d *draft) { d.finish = SpoilSignature }},
		{"no expiry", "expiry", oidcauth.ErrClaim, claim("exp", "")},
		{"expired", "expiry", oidcauth.ErrExpired, claim("exp", "1")},
		{"not before a string", "not before", oidcauth.ErrClaim, claim("nbf", `"1"`)},
		{"not yet valid", "not before", oidcauth.ErrNotYetValid, claim("nbf", Expiry)},
		{"issued in the future", "issued at", oidcauth.ErrIssuedInFuture, claim("iat", Expiry)},
		{"malformed audience", "audience", oidcauth.ErrClaim, claim("aud", "null")},
		{"another audience", "audience", oidcauth.ErrAudience, claim("aud", `"x"`)},
		{"another type", "type", oidcauth.ErrTokenType, header("typ", `"at+jwt"`)},
		{"security event", "type", oidcauth.ErrTokenType, claim("events", "{}")},
		{"no subject", "subject", oidcauth.ErrClaim, claim("sub", "")},
		{"token ID a number", "claims", oidcauth.ErrClaim, claim("jti", "1")},
		{"rule broken", "rules", oidcauth.ErrRule, claim("disabled", "true")},
	}
}

// SpoilSignature replaces a character in the middle of a signature.
func SpoilSignature(tok string) string {
	b := []byte(tok)
	if i := len(b) - 40; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// Faulty signs a token with all of the faults.
func (w *World) Faulty(all ...Fault) string {
	d := &draft{finish: func(tok string) string { return tok }}
	k := w.By["ruled"].Key()
	d.header = Header(k)
	d.claims = Claims("https://ruled.test").
		Set("email_verified", "true").Set("resource", `{"plan":"free"}`).Set("hd", `"team-a"`)
	for _, f := range all {
		f.make(d)
	}
	return d.finish(Sign(k, d.header, d.claims))
}

// TooLarge is wrong with a token that is longer than is read.
func TooLarge() Fault {
	return Fault{Name: "too large", make: func(d *draft) {
		d.claims = d.claims.With("x", `"`+strings.Repeat("x", 16<<10)+`"`)
	}}
}
