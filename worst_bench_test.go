package oidcauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// BenchmarkWorstToken shows what one token of 16 KiB can cost, as a multiple of
// a bare ES256 check that is measured in turn with it (x-ES256): without a valid
// signature ("unsigned"), and with one by the issuer, which is a check of its own
// ("signed").
func BenchmarkWorstToken(b *testing.B) {
	issuer, trusted := worstIssuer(b)
	ordinary := issuer.Token(nil)
	signature := ordinary[strings.LastIndexByte(ordinary, '.')+1:]
	verify := bareCheck(b, issuer.Key().Public(), decoded(b, signature))
	signed := []byte(strings.TrimSuffix(ordinary, "."+signature))
	bare := func() {
		if !verify(signed) {
			b.Fatal("signature not valid")
		}
	}
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, CacheBytes: -1})
	run := func(name string, tokens ...string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			b.ReportMetric(ratio(b, bare, func() {
				n++
				_, _ = a.Authenticate(context.Background(), tokens[n%len(tokens)])
			}), "x-ES256")
			b.ReportMetric(0, "ns/op")
		})
	}
	run("signed/ordinary", ordinary)
	for _, s := range unsignedShapes() {
		other := s // so that no header comes twice in a row
		if s.header != "" {
			other.header += " "
		}
		run("unsigned/"+s.name, s.unsigned(), other.unsigned())
	}
	for _, s := range signedShapes(issuer) {
		run("signed/"+s.name, issuer.Sign(map[string]any{}, s.payload))
	}
}

// ratio runs work for as long as b wants, each time after unit, and returns how
// many units it took: of both the first decile, because other programs on the
// machine only add to the time.
func ratio(b *testing.B, unit, work func()) float64 {
	var units, works []time.Duration
	for b.Loop() {
		start := time.Now()
		unit()
		middle := time.Now()
		work()
		units, works = append(units, middle.Sub(start)), append(works, time.Since(middle))
	}
	slices.Sort(units)
	slices.Sort(works)
	return float64(works[len(works)/10]) / float64(units[len(units)/10])
}

func decoded(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// worstIssuer returns an issuer whose description makes the most of a token.
func worstIssuer(tb testing.TB) (*oidctest.Issuer, oidcauth.Issuer) {
	tb.Helper()
	issuer, trusted := newIssuer(tb, oidctest.Config{})
	trusted.Keys.JWKS = issuer.KeySet()
	trusted.Audiences = append(trusted.Audiences, "b", "c", "d", "e", "f", "g", "h", "i", "j")
	trusted.Roles = []oidcauth.Path{
		{"roles"}, {"realm_access", "roles"}, {"realm_access", "groups", "all"}, {"realm_access", "others"},
	}
	trusted.ClaimRules = []oidcauth.ClaimRule{
		{Claim: oidcauth.Path{"azp"}, In: []string{"x", "y"}, Optional: true},
		{Claim: oidcauth.Path{"realm_access", "blocked"}, Absent: true},
	}
	return issuer, trusted
}

// The shapes are what they are meant to be: as large as a token may be, and
// refused by the check that reads them, or not at all.
func TestWorstToken(t *testing.T) {
	issuer, trusted := worstIssuer(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	wants(t, a, issuer.Token(nil), nil)
	for _, s := range unsignedShapes() {
		t.Run("unsigned "+s.name, func(t *testing.T) {
			token := s.unsigned()
			_, err := a.Authenticate(t.Context(), token)
			if len(token) > largestToken || len(token) < largestToken-2*aroundPayload {
				t.Errorf("the token has %d bytes, want %d or a few less", len(token), largestToken)
			}
			if want := s.wanted(); !errors.Is(err, want) {
				t.Errorf("Authenticate() error = %v, want %v", err, want)
			}
		})
	}
	for _, s := range signedShapes(issuer) {
		t.Run("signed "+s.name, func(t *testing.T) {
			token := issuer.Sign(map[string]any{}, s.payload)
			if len(token) > largestToken || len(token) < largestToken-2*aroundPayload {
				t.Errorf("the token has %d bytes, want %d or a few less", len(token), largestToken)
			}
			wants(t, a, token, s.want)
		})
	}
}
