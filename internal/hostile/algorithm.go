package hostile

import (
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// capable lists what each key of the main issuer can sign, the keys being named
// by the algorithm that they were made for.
var capable = map[string][]string{
	"ES256": {"ES256"}, "ES384": {"ES384"}, "ES512": {"ES512"}, "EdDSA": {"EdDSA"},
	"RS256": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
}

// algorithmRows try every algorithm with a key of every type and curve: what
// the header says must fit the key, whatever signature there is.
func algorithmRows(t testing.TB, w *World) []Row {
	named := []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
		"HS256", "HS384", "HS512", "none", "None", "NONE", "nOnE", "ES256K", "Ed25519", "Ed448", "RS1", "ECDH-ES", "dir",
		"ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
	}
	var all []Row
	for _, made := range slices.Sorted(maps.Keys(capable)) {
		k := w.Keys[made]
		for _, alg := range named {
			if slices.Contains(capable[made], alg) || made == "EdDSA" && alg == "Ed25519" { // two names of one
				continue
			}
			bad := Sign(k, Header(k).Set("alg", `"`+alg+`"`), Claims(URL))
			for _, can := range capable[made] {
				good := Sign(k.As(can), Header(k.As(can)), Claims(URL))
				all = append(all, w.Row("algorithm: "+alg+" with the key of "+made+", twin "+can, oidcauth.ErrAlgorithm, bad, good))
			}
		}
	}
	return append(all, append(wrongRSA(w), unsignedRows(w)...)...)
}

// wrongRSA are signatures by another RSA algorithm than the header names, both
// of which the key can.
func wrongRSA(w *World) []Row {
	var all []Row
	for _, said := range capable["RS256"] {
		for _, used := range capable["RS256"] {
			if said == used {
				continue
			}
			k := w.Keys["RS256"]
			good := Sign(k.As(said), Header(k.As(said)), Claims(URL))
			bad := Sign(k.As(used), Header(k.As(said)), Claims(URL))
			all = append(all, w.Row("algorithm: "+said+" in the header, signed with "+used, oidcauth.ErrSignature, bad, good))
		}
	}
	return all
}

// unsignedRows say that they need no signature, in every spelling.
func unsignedRows(w *World) []Row {
	good := w.WithClaims(Claims(URL))
	_, payload, signature := Parts(good)
	var all []Row
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\\u0000", "n\\u006fne", "ｎｏｎｅ"} {
		header := Encode(Header(w.Key()).Set("alg", `"`+alg+`"`).String())
		all = append(all,
			w.Row("unsigned: "+alg+", no signature", oidcauth.ErrMalformedToken, header+"."+payload+".", good),
			w.Row("unsigned: "+alg+", a signature of one byte", oidcauth.ErrAlgorithm, header+"."+payload+".AA", good),
			w.Row("unsigned: "+alg+", the signature of another token", oidcauth.ErrAlgorithm, header+"."+payload+"."+signature, good))
	}
	return all
}

// confusionRows use a public key as the secret of an HMAC, in every form in
// which a library may hold it.
func confusionRows(t testing.TB, w *World) []Row {
	var all []Row
	for _, made := range []string{"RS256", "ES256", "EdDSA"} {
		k := w.Keys[made]
		good := Sign(k, Header(k), Claims(URL))
		for form, secret := range PublicForms(t, k) {
			for alg, hash := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512} {
				header := Header(k).Set("alg", `"`+alg+`"`)
				all = append(all,
					w.Row("confusion: "+alg+" with the "+form+" of "+made, oidcauth.ErrAlgorithm, HMAC(hash, secret, header), good),
					w.Row("confusion: "+alg+" with the "+form+" of "+made+", no key ID", oidcauth.ErrAlgorithm, HMAC(hash, secret, header.Set("kid", "")), good),
					w.Row("confusion: "+made+" in the header, "+alg+" with the "+form, oidcauth.ErrSignature, HMAC(hash, secret, Header(k)), good))
			}
		}
	}
	return all
}

// PublicForms writes down a public key in every form in which a library may hold it.
func PublicForms(t testing.TB, k *oidctest.Key) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	forms := map[string][]byte{
		"DER": der, "PEM": inPEM, "PEM without line end": []byte(strings.TrimSpace(string(inPEM))),
		"JWK": k.JWK(), "empty secret": {},
	}
	if public, ok := k.Public().(*rsa.PublicKey); ok {
		forms["PKCS #1 PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)})
		forms["modulus"] = public.N.Bytes()
	}
	return forms
}

// HMAC signs the good claims with a secret, also with one that FIPS 140-3 forbids.
func HMAC(hash crypto.Hash, secret []byte, header Members) string {
	input := Encode(header.String()) + "." + Encode(Claims(URL).String())
	var sum []byte
	fips140.WithoutEnforcement(func() {
		mac := hmac.New(hash.New, secret)
		mac.Write([]byte(input))
		sum = mac.Sum(nil)
	})
	return input + "." + base64.RawURLEncoding.EncodeToString(sum)
}
