package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// benchmarkToken signs a token of about 900 bytes as identity providers issue
// them.
func benchmarkToken(tb testing.TB, alg string) (string, crypto.Signer) {
	payload := `{"iss":"https://issuer.example.com/realms/db","sub":"248289761001-4c1f-9a3e-d2b8f7a1c5e0","aud":["my-db","account"],` +
		`"exp":1924992000,"nbf":1893455000,"iat":1893456000,"jti":"0f3c2f7e-8d1b-4b7a-9a65-1f0c2d3e4f50","sid":"5c9a7b36-1e42-4f08-b6d3-7a8e9f0c1d2b",` +
		`"typ":"Bearer","azp":"my-db","scope":"openid profile email","email":"alice@example.com","email_verified":true,"preferred_username":"alice",` +
		`"realm_access":{"roles":["offline_access","editor"]}}`
	signer := testSigner(tb, alg)
	return sign(tb, alg, signer, `{"alg":"`+alg+`","kid":"nBvHcYl0Ga3CqF9Zq1sYk2mTw4u8xR7e","typ":"JWT"}`, payload), signer
}

func BenchmarkParse(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		token, _ := benchmarkToken(b, alg)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(token)))
			for b.Loop() {
				var t jws.Token
				if err := form(&t, token, 16<<10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParse_Buffer is BenchmarkParse with a buffer for the members on the stack.
func BenchmarkParse_Buffer(b *testing.B) {
	token, _ := benchmarkToken(b, "RS256")
	b.ReportAllocs()
	b.SetBytes(int64(len(token)))
	for b.Loop() {
		var t jws.Token
		var buf [24]jws.Member
		if _, err := t.Parse(buf[:0], token, 16<<10); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseObject(b *testing.B) {
	token, _ := benchmarkToken(b, "ES256")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		b.Fatal(err)
	}
	text := string(payload)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var buf [24]jws.Member
		if _, err := jws.ParseObject(buf[:0], text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is parsing and verification together, beside the bare check of
// the standard library over bytes that are ready.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		token, signer := benchmarkToken(b, alg)
		key, err := jws.NewKey("", alg, "sig", nil, signer.Public())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var t jws.Token
				var buf [24]jws.Member
				if _, err := t.Parse(buf[:0], token, 16<<10); err != nil {
					b.Fatal(err)
				}
				if err := key.Verify(&t); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+"/bare", func(b *testing.B) { benchmarkBare(b, token, signer.Public()) })
	}
}

func benchmarkBare(b *testing.B, token string, public crypto.PublicKey) {
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !bareVerify(public, input, signature) {
			b.Fatal("signature not verified")
		}
	}
}

func bareVerify(public crypto.PublicKey, input, signature []byte) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		digest := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(input)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(public, digest[:], r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(public, input, signature)
	}
	return false
}

// BenchmarkParseObject_ManyNames shows whether the cost of a name depends on the
// number of names: ns/name must stay about the same.
func BenchmarkParseObject_ManyNames(b *testing.B) {
	for _, n := range []int{30, 1000, 30000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text := members(n)
			for b.Loop() {
				if _, err := jws.ParseObject(nil, text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/name")
		})
	}
}
