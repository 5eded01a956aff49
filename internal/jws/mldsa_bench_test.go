//go:build go1.27

package jws_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// BenchmarkMLDSA shows what a check of a signature takes, as a multiple of one of
// ES256 that is measured in turn with it (x-ES256).
func BenchmarkMLDSA(b *testing.B) {
	classic := parsedToken(b, sign(b, "ES256", testSigner(b, "ES256"), headerFor("ES256"), goodPayload))
	unit := testKey(b, "ES256")
	for _, l := range latticeTokens(b) {
		key, good := l.newKey(b), parsedToken(b, l.Token)
		signature, err := base64.RawURLEncoding.DecodeString(l.Token[strings.LastIndexByte(l.Token, '.')+1:])
		if err != nil {
			b.Fatal(err)
		}
		signature[0] ^= 1
		bad := parsedToken(b, withSignature(l.Token, signature))
		for name, token := range map[string]*jws.Token{"good": good, "bad": bad} {
			b.Run(l.Key.Algorithm+"/"+name, func(b *testing.B) {
				var units, works []time.Duration
				for b.Loop() {
					start := time.Now()
					_ = unit.Verify(classic)
					middle := time.Now()
					_ = key.Verify(token)
					units, works = append(units, middle.Sub(start)), append(works, time.Since(middle))
				}
				slices.Sort(units)
				slices.Sort(works)
				b.ReportMetric(float64(works[len(works)/10])/float64(units[len(units)/10]), "x-ES256")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func parsedToken(tb testing.TB, text string) *jws.Token {
	tb.Helper()
	token := new(jws.Token)
	if _, err := token.Parse(nil, text, 16<<10); err != nil {
		tb.Fatal(err)
	}
	return token
}
