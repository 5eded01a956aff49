package oidcauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// benchmarkClaims make a token of about 900 bytes when signed with RS256.
var benchmarkClaims = map[string]any{
	"sub": "auth0|64f1c0ffee0ddba11c0de123", "aud": testAudience, "azp": "wGtwKYkhLRqTSB5Zi8BsXbTNCOsY1Xqp",
	"jti": "f3b9a1f2-6c0f-4b8b-9d8e-2a7c1e5d4b60", "scope": "openid profile email read:messages write:messages",
	"email": "alice@example.com", "name": "Alice Example", "roles": []string{"reader", "writer"},
}

// BenchmarkAuthenticate compares a token's first use (cold), its later uses
// (hot) and the bare signature check of the standard library.
func BenchmarkAuthenticate(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		issuer, trusted := newIssuer(b, oidctest.Config{Algorithm: alg, Claims: benchmarkClaims})
		token := issuer.Token(nil)
		b.Run(alg+"/bare", func(b *testing.B) { benchmarkBare(b, token, issuer) })
		for name, size := range map[string]int64{"cold": -1, "hot": 0} {
			a := newAuthenticator(b, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: size,
			})
			authenticate := func() {
				if _, err := a.Authenticate(context.Background(), token); err != nil {
					b.Error(err)
				}
			}
			authenticate()
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					authenticate()
				}
			})
			b.Run(alg+"/"+name+"/parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						authenticate()
					}
				})
			})
		}
	}
}

func BenchmarkMiddleware(b *testing.B) {
	issuer, trusted := newIssuer(b, oidctest.Config{Algorithm: "RS256", Claims: benchmarkClaims})
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	authorization := []string{"Bearer " + issuer.Token(nil)}
	served := 0
	handler := a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, ok := oidcauth.FromContext(r.Context()); ok {
			served++
		}
	}))
	r, err := http.NewRequest(http.MethodGet, "/v1/whoami", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		r.Header["Authorization"] = authorization
		handler.ServeHTTP(nil, r)
	}
	if served != n {
		b.Fatalf("served %d of %d requests", served, n)
	}
}

func benchmarkBare(b *testing.B, token string, issuer *oidctest.Issuer) {
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	verify := bareCheck(b, issuer.Key().Public(), signature)
	b.ReportAllocs()
	for b.Loop() {
		if !verify(input) {
			b.Fatal("signature not valid")
		}
	}
}

// bareCheck returns the standard library's check of one signature.
func bareCheck(b *testing.B, key crypto.PublicKey, signature []byte) func(input []byte) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return func(input []byte) bool {
			digest := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
		}
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		der, err := asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]),
		})
		if err != nil {
			b.Fatal(err)
		}
		return func(input []byte) bool {
			digest := sha256.Sum256(input)
			return ecdsa.VerifyASN1(key, digest[:], der)
		}
	case ed25519.PublicKey:
		return func(input []byte) bool { return ed25519.Verify(key, input, signature) }
	}
	b.Fatalf("unknown key type %T", key)
	return nil
}
