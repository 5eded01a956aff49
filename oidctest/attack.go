package oidctest

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"time"
)

// A Forgery is a token that nobody may accept. Its claims are good; only what
// its name says is wrong.
type Forgery struct {
	Name  string // says what is wrong with it
	Token string // in compact serialization
}

// Forgeries returns those of [Key.AttackNone], [Key.AttackHMAC],
// [Key.AttackHeader] and [Key.AttackSignature]. The claims are completed as
// for [Key.Token].
func (k *Key) Forgeries(claims map[string]any) []Forgery {
	k.issuer.helper()
	return slices.Concat(k.AttackNone(claims), k.AttackHMAC(claims), k.AttackHeader(claims), k.AttackSignature(claims))
}

// AttackNone returns tokens that claim to need no signature, by the algorithm
// "none" in several spellings. Some have one all the same.
func (k *Key) AttackNone(claims map[string]any) []Forgery {
	k.issuer.helper()
	var list []Forgery
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		signed := k.Sign(map[string]any{"alg": alg}, k.issuer.fill(claims))
		unsigned := signed[:strings.LastIndexByte(signed, '.')+1]
		list = append(list,
			Forgery{`algorithm "` + alg + `", no signature`, unsigned},
			Forgery{`algorithm "` + alg + `", signed`, signed},
		)
	}
	return list
}

// AttackHMAC returns tokens with an HS256, HS384 or HS512 signature whose
// secret is the public key, which everybody knows, in the forms that a
// confused program might hold it in.
func (k *Key) AttackHMAC(claims map[string]any) []Forgery {
	k.issuer.helper()
	secrets, err := k.publicForms()
	if err != nil {
		k.issuer.fatalf("oidctest: AttackHMAC: %v", err)
		return nil
	}
	var list []Forgery
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		for _, secret := range secrets {
			input := k.input(map[string]any{"alg": alg}, claims)
			mac := hmac.New(hashOf(alg).New, secret.Bytes)
			mac.Write([]byte(input))
			list = append(list, Forgery{alg + " with the public key as " + secret.Name, join(input, mac.Sum(nil))})
		}
	}
	return list
}

// AttackHeader returns tokens signed by a stranger's key, which the header
// brings along, or for which it names an address.
func (k *Key) AttackHeader(claims map[string]any) []Forgery {
	k.issuer.helper()
	stranger := k.stranger()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, stranger.Public(), stranger.pair)
	if err != nil {
		k.issuer.fatalf("oidctest: AttackHeader: %v", err)
		return nil
	}
	full := k.issuer.fill(claims)
	return []Forgery{
		{"key in the header (jwk)", stranger.Sign(map[string]any{"jwk": stranger.JWK()}, full)},
		{"key set named by the header (jku)", stranger.Sign(map[string]any{"jku": "https://attacker.test/jwks.json"}, full)},
		{"certificate in the header (x5c)", stranger.Sign(map[string]any{"x5c": [][]byte{certificate}}, full)},
		{"certificate named by the header (x5u)", stranger.Sign(map[string]any{"x5u": "https://attacker.test/chain.pem"}, full)},
	}
}

// AttackSignature returns tokens whose header is right and whose signature is
// wrong.
func (k *Key) AttackSignature(claims map[string]any) []Forgery {
	k.issuer.helper()
	full := k.issuer.fill(claims)
	input := k.input(nil, claims)
	good, err := sign(k.pair, k.alg, []byte(input))
	if err != nil {
		k.issuer.fatalf("oidctest: AttackSignature: %v", err)
		return nil
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	other := k.Sign(nil, overlay(k.issuer.fill(claims), map[string]any{"sub": "somebody else"}))
	return []Forgery{
		{"one bit of the signature flipped", join(input, flipped)},
		{"no signature", join(input, nil)},
		{"a signature of zeros", join(input, make([]byte, len(good)))},
		{"a signature one byte short", join(input, good[:len(good)-1])},
		{"a signature one byte long", join(input, append(good[:len(good):len(good)], 0))},
		{"the signature of other claims", input + other[strings.LastIndexByte(other, '.'):]},
		{"signed by another key under the same ID", k.stranger().Sign(nil, full)},
	}
}

// stranger returns another key of the same kind under the same key ID.
func (k *Key) stranger() *Key {
	return k.issuer.NewKey(KeyConfig{Algorithm: k.alg, ID: k.id, NoID: k.noID})
}

// input returns what the signature of a token is made of.
func (k *Key) input(header, claims map[string]any) string {
	token := k.Sign(header, k.issuer.fill(claims))
	return token[:strings.LastIndexByte(token, '.')]
}

func join(input string, signature []byte) string {
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// publicForms returns the public key in the forms that programs keep it in.
func (k *Key) publicForms() ([]Sample, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	forms := []Sample{
		{"PEM", text},
		{"PEM without the last newline", text[:len(text)-1]},
		{"DER", der},
		{"JWK", k.JWK()},
	}
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		old := x509.MarshalPKCS1PublicKey(public)
		forms = append(forms,
			Sample{"PKCS #1 PEM", pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: old})},
			Sample{"the modulus", public.N.Bytes()})
	case ed25519.PublicKey:
		forms = append(forms, Sample{"its 32 bytes", public})
	}
	return forms, nil
}
