package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A fault is something wrong with a token, by the check that finds it.
type fault struct {
	name  string
	check string
	want  error
	make  func(*draft)
}

// A draft is a token of the issuer "ruled" about to be signed.
type draft struct {
	header, claims members
	finish         func(tok string) string
}

// Every check has a fault, but for what is revoked, which no token says of itself.
func TestFaults_EachCheck(t *testing.T) {
	for _, check := range checkOrder {
		hasFault := slices.ContainsFunc(faults(), func(f fault) bool { return f.check == check })
		if !hasFault && check != "revocation" {
			t.Errorf("faults() has none for the check %q", check)
		}
	}
}

// faults are in the order of the checks. Those of one check stand together.
func faults() []fault {
	claim := func(name, value string) func(*draft) {
		return func(d *draft) { d.claims = d.claims.set(name, value) }
	}
	header := func(name, value string) func(*draft) {
		return func(d *draft) { d.header = d.header.set(name, value) }
	}
	return []fault{
		{"form", "form", oidcauth.ErrMalformedToken, header("crit", "[]")},
		{"no issuer", "issuer", oidcauth.ErrClaim, claim("iss", "")},
		{"unknown issuer", "issuer", oidcauth.ErrUnknownIssuer, claim("iss", `"https://evil.test"`)},
		{"unknown algorithm", "algorithm", oidcauth.ErrAlgorithm, header("alg", `"HS256"`)},
		{"unknown key", "key", oidcauth.ErrUnknownKey, header("kid", `"nobody"`)},
		{"bad signature", "signature", oidcauth.ErrSignature, func(d *draft) { d.finish = spoilSignature }},
		{"no expiry", "expiry", oidcauth.ErrClaim, claim("exp", "")},
		{"expired", "expiry", oidcauth.ErrExpired, claim("exp", "1")},
		{"not before a string", "not before", oidcauth.ErrClaim, claim("nbf", `"1"`)},
		{"not yet valid", "not before", oidcauth.ErrNotYetValid, claim("nbf", goodExpiry)},
		{"issued in the future", "issued at", oidcauth.ErrIssuedInFuture, claim("iat", goodExpiry)},
		{"malformed audience", "audience", oidcauth.ErrClaim, claim("aud", "null")},
		{"another audience", "audience", oidcauth.ErrAudience, claim("aud", `"x"`)},
		{"another type", "type", oidcauth.ErrTokenType, header("typ", `"at+jwt"`)},
		{"security event", "type", oidcauth.ErrTokenType, claim("events", "{}")},
		{"no subject", "subject", oidcauth.ErrClaim, claim("sub", "")},
		{"token ID a number", "claims", oidcauth.ErrClaim, claim("jti", "1")},
		{"rule broken", "rules", oidcauth.ErrRule, claim("disabled", "true")},
	}
}

// spoilSignature replaces a character in the middle of a signature.
func spoilSignature(tok string) string {
	b := []byte(tok)
	if i := len(b) - 40; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// faulty signs a token with all of the faults.
func (w *world) faulty(all ...fault) string {
	d := &draft{finish: func(tok string) string { return tok }}
	k := w.by["ruled"].Key()
	d.header = goodHeader(k)
	d.claims = goodClaims("https://ruled.test").
		set("email_verified", "true").set("resource", `{"plan":"free"}`).set("hd", `"team-a"`)
	for _, f := range all {
		f.make(d)
	}
	return d.finish(signRaw(k, d.header, d.claims))
}

// TestAuthenticate_Order gives tokens with two faults, for all pairs, and
// tokens with all faults from one on: the earliest check decides, alone.
func TestAuthenticate_Order(t *testing.T) {
	w := newWorld(t)
	all := faults()
	if _, err := w.authenticate(w.faulty())(); err != nil {
		t.Fatalf("no fault: %v", err)
	}
	expect := func(first fault, given ...fault) {
		t.Helper()
		_, err := w.authenticate(w.faulty(given...))()
		checkSole(t, err, first.want)
		if refusal, ok := errors.AsType[*oidcauth.Refusal](err); ok && refusal.Check != first.check {
			t.Errorf("%s: check = %q, want %q", first.name, refusal.Check, first.check)
		}
		if t.Failed() {
			t.Fatalf("with the faults %v", faultNames(given))
		}
	}
	for i, first := range all {
		expect(first, first)
		rest := []fault{first}
		for _, second := range all[i+1:] {
			if second.check == first.check {
				continue // they change the same claim
			}
			expect(first, first, second)
			expect(first, second, first)
			rest = append(rest, second)
		}
		expect(first, rest...)
	}
}

func faultNames(given []fault) []string {
	var names []string
	for _, f := range given {
		names = append(names, f.name)
	}
	return names
}

// A token over the size limit is refused for that, whatever else it is.
func TestAuthenticate_SizeFirst(t *testing.T) {
	w := newWorld(t)
	for _, f := range faults() {
		if f.check == "form" {
			continue
		}
		big := fault{make: func(d *draft) {
			d.claims = d.claims.with("x", `"`+strings.Repeat("x", 16<<10)+`"`)
		}}
		_, err := w.authenticate(w.faulty(f, big))()
		checkSole(t, err, oidcauth.ErrMalformedToken)
	}
}

// A rule that panics is the program's fault and the program's to see; the
// Authenticator goes on working.
func TestAuthenticate_RulePanics(t *testing.T) {
	w := newWorld(t)
	issuer := w.by["other"]
	fail := true
	a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{{
		URL: issuer.URL(), Audiences: []string{testAudience},
		Rules: []oidcauth.Rule{func(*oidcauth.Claims) error {
			if fail {
				panic("rule")
			}
			return nil
		}},
	}}})
	tok := issuer.Token(map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Hour)})
	present := func() (recovered any, err error) {
		defer func() { recovered = recover() }()
		_, err = a.Authenticate(t.Context(), tok)
		return nil, err
	}
	for range 3 {
		if recovered, _ := present(); recovered != "rule" {
			t.Errorf("recovered %v, want the rule's panic", recovered)
		}
		fail = false
		if recovered, err := present(); err != nil || recovered != nil {
			t.Errorf("Authenticate() error = %v, panic %v after the rule was mended", err, recovered)
		}
		fail = true
	}
}

// The context of a call on a session ends with the refusal of the session's
// token. That is no verdict on a token that was waiting for its key meanwhile:
// least of all may ErrExpired stand for a signature that nobody has checked.
func TestAuthenticate_CauseIsNoVerdict(t *testing.T) {
	causes := []error{oidcauth.ErrExpired, oidcauth.ErrRevoked, oidcauth.ErrForbidden, oidcauth.ErrNoToken}
	silent := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	for _, tt := range []struct {
		name string
		cfg  oidcauth.Config
		want error
	}{
		{"configured issuer", oidcauth.Config{Client: silent, Issuers: []oidcauth.Issuer{
			{URL: "https://slow.test", Audiences: []string{testAudience}},
		}}, oidcauth.ErrKeysUnavailable},
		{"any issuer", open(silent, oidcauth.AnyIssuer{}), oidcauth.ErrUnknownIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthenticator(t, tt.cfg)
				for _, cause := range causes {
					ctx, end := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { end(&oidcauth.Refusal{Err: cause}) })
					_, err := a.Authenticate(ctx, madeUp("https://slow.test"))
					checkSole(t, err, tt.want)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Authenticate() error = %v, want %v too", err, context.Canceled)
					}
					end(nil)
				}
			})
		})
	}
}
