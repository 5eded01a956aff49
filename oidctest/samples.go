package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// BrokenKeyID is the key ID of the keys that [BrokenJWKs] returns.
const BrokenKeyID = "broken"

// A Sample is a broken text. Its name says what is wrong with it.
type Sample struct {
	Name  string // says what is wrong with it
	Bytes []byte // the text itself
}

// BrokenJWKs returns elements of a key set that no client can use, or should.
// A client is expected to pass over each and go on using the good keys beside
// it:
//
//	for _, s := range oidctest.BrokenJWKs() {
//		iss.AddJWK(s.Bytes)
//	}
func BrokenJWKs() []Sample {
	const (
		b32  = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
		full = `"kid":"` + BrokenKeyID + `","use":"sig"`
	)
	rsa := func(bytes int, exponent string) string {
		n := make([]byte, bytes)
		rand.Read(n)
		n[0] |= 0x80
		n[bytes-1] |= 1
		return `{"kty":"RSA",` + full + `,"alg":"RS256","n":"` + base64.RawURLEncoding.EncodeToString(n) + `","e":"` + exponent + `"}`
	}
	var list []Sample
	add := func(name, text string) { list = append(list, Sample{name, []byte(text)}) }

	add("unknown key type", `{"kty":"LATTICE",`+full+`,"pub":"`+b32+`"}`)
	add("no key type", `{`+full+`,"x":"`+b32+`"}`)
	add("key type that is a number", `{"kty":7,`+full+`}`)
	add("unknown curve", `{"kty":"EC",`+full+`,"crv":"P-999","x":"`+b32+`","y":"`+b32+`"}`)
	add("curve of another specification", `{"kty":"EC",`+full+`,"crv":"secp256k1","alg":"ES256K","x":"`+b32+`","y":"`+b32+`"}`)
	add("curve for key agreement", `{"kty":"OKP",`+full+`,"crv":"X25519","x":"`+b32+`"}`)
	add("point not on the curve", `{"kty":"EC",`+full+`,"crv":"P-256","alg":"ES256","x":"`+b32+`","y":"`+b32+`"}`)
	add("EC key without y", `{"kty":"EC",`+full+`,"crv":"P-256","alg":"ES256","x":"`+b32+`"}`)
	add("Ed25519 key too short", `{"kty":"OKP",`+full+`,"crv":"Ed25519","alg":"EdDSA","x":"AQID"}`)
	add("RSA key of 1024 bits", rsa(128, "AQAB"))
	add("RSA key of 16384 bits", rsa(2048, "AQAB"))
	add("RSA key with exponent 1", rsa(256, "AQ"))
	add("RSA key without modulus", `{"kty":"RSA",`+full+`,"alg":"RS256","e":"AQAB"}`)
	add("RSA key that is not base64", `{"kty":"RSA",`+full+`,"alg":"RS256","n":"&&&&","e":"AQAB"}`)
	add("symmetric key", `{"kty":"oct",`+full+`,"alg":"HS256","k":"`+b32+`"}`)
	add("key for encryption", encryptionJWK())
	add("key ID that is a number", `{"kty":"EC","kid":17,"crv":"P-256","x":"`+b32+`","y":"`+b32+`"}`)
	add("empty object", `{}`)
	add("null", `null`)
	add("string", `"key"`)
	add("array", `[]`)
	return list
}

// encryptionJWK returns a good key that is not meant for signatures.
func encryptionJWK() string {
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	raw, err := json.Marshal(jose.JSONWebKey{Key: pair.Public(), KeyID: BrokenKeyID, Algorithm: "ECDH-ES", Use: "enc"})
	if err != nil {
		panic("oidctest: " + err.Error())
	}
	return string(raw)
}

// BrokenDocuments returns bodies that are neither a discovery document nor a
// key set, for [Fault].Body. A client is expected to refuse each as a whole.
func BrokenDocuments() []Sample {
	var list []Sample
	add := func(name, text string) { list = append(list, Sample{name, []byte(text)}) }
	add("nothing", "")
	add("white space", " \n")
	add("not JSON", "keys: none")
	add("HTML", "<!DOCTYPE html><title>Sign in</title>")
	add("cut off", `{"issuer":"https://issuer.test","keys":[{"kty":"EC"`)
	add("something behind it", `{"keys":[]} trailing`)
	add("null", "null")
	add("number", "42")
	add("string", `"{}"`)
	add("array", `[{"keys":[]}]`)
	add("no members", "{}")
	add("members that are null", `{"issuer":null,"jwks_uri":null,"keys":null}`)
	add("members of the wrong type", `{"issuer":{},"jwks_uri":[],"keys":"none"}`)
	add("deep nesting", strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000))
	return list
}
