package oidcauth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
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
func algorithmRows(t *testing.T, w *world) []hostile {
	named := []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
		"HS256", "HS384", "HS512", "none", "None", "NONE", "nOnE", "ES256K", "Ed25519", "Ed448", "RS1", "ECDH-ES", "dir",
		"ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
	}
	var all []hostile
	for _, made := range slices.Sorted(maps.Keys(capable)) {
		k := w.keys[made]
		for _, alg := range named {
			if slices.Contains(capable[made], alg) || made == "EdDSA" && alg == "Ed25519" { // two names of one
				continue
			}
			bad := signRaw(k, goodHeader(k).set("alg", `"`+alg+`"`), goodClaims(mainURL))
			for _, can := range capable[made] {
				good := signRaw(k.As(can), goodHeader(k.As(can)), goodClaims(mainURL))
				all = append(all, w.row("algorithm: "+alg+" with the key of "+made+", twin "+can, oidcauth.ErrAlgorithm, bad, good))
			}
		}
	}
	return append(all, append(wrongRSA(w), unsignedRows(w)...)...)
}

// wrongRSA are signatures by another RSA algorithm than the header names, both
// of which the key can.
func wrongRSA(w *world) []hostile {
	var all []hostile
	for _, said := range capable["RS256"] {
		for _, used := range capable["RS256"] {
			if said == used {
				continue
			}
			k := w.keys["RS256"]
			good := signRaw(k.As(said), goodHeader(k.As(said)), goodClaims(mainURL))
			bad := signRaw(k.As(used), goodHeader(k.As(said)), goodClaims(mainURL))
			all = append(all, w.row("algorithm: "+said+" in the header, signed with "+used, oidcauth.ErrSignature, bad, good))
		}
	}
	return all
}

// unsignedRows say that they need no signature, in every spelling.
func unsignedRows(w *world) []hostile {
	good := w.withClaims(goodClaims(mainURL))
	_, payload, signature := parts(good)
	var all []hostile
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\\u0000", "n\\u006fne", "ｎｏｎｅ"} {
		header := encode(goodHeader(w.key()).set("alg", `"`+alg+`"`).String())
		all = append(all,
			w.row("unsigned: "+alg+", no signature", oidcauth.ErrMalformedToken, header+"."+payload+".", good),
			w.row("unsigned: "+alg+", a signature of one byte", oidcauth.ErrAlgorithm, header+"."+payload+".AA", good),
			w.row("unsigned: "+alg+", the signature of another token", oidcauth.ErrAlgorithm, header+"."+payload+"."+signature, good))
	}
	return all
}

// confusionRows use a public key as the secret of an HMAC, in every form in
// which a library may hold it.
func confusionRows(t *testing.T, w *world) []hostile {
	var all []hostile
	for _, made := range []string{"RS256", "ES256", "EdDSA"} {
		k := w.keys[made]
		good := signRaw(k, goodHeader(k), goodClaims(mainURL))
		for form, secret := range publicForms(t, k) {
			for alg, hash := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512} {
				header := goodHeader(k).set("alg", `"`+alg+`"`)
				all = append(all,
					w.row("confusion: "+alg+" with the "+form+" of "+made, oidcauth.ErrAlgorithm, hmacToken(hash, secret, header), good),
					w.row("confusion: "+alg+" with the "+form+" of "+made+", no key ID", oidcauth.ErrAlgorithm, hmacToken(hash, secret, header.set("kid", "")), good),
					w.row("confusion: "+made+" in the header, "+alg+" with the "+form, oidcauth.ErrSignature, hmacToken(hash, secret, goodHeader(k)), good))
			}
		}
	}
	return all
}

// publicForms writes down a public key.
func publicForms(t *testing.T, k *oidctest.Key) map[string][]byte {
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

func hmacToken(hash crypto.Hash, secret []byte, header members) string {
	input := encode(header.String()) + "." + encode(goodClaims(mainURL).String())
	mac := hmac.New(hash.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// keyRows are signed by keys that the issuer publishes in a way that makes them
// unfit, and their twins by the same key pair published properly.
func keyRows(t *testing.T, w *world) []hostile {
	issuer := w.by["other"]
	rows := []struct {
		name, alg string
		bits      int
		changes   map[string]any
		want      error
	}{
		{"for encryption", "ES256", 0, map[string]any{"use": "enc"}, oidcauth.ErrUnknownKey},
		{"for an unknown use", "ES256", 0, map[string]any{"use": "SIG"}, oidcauth.ErrUnknownKey},
		{"for signing only", "ES256", 0, map[string]any{"key_ops": []string{"sign"}}, oidcauth.ErrUnknownKey},
		{"for wrapping", "RS256", 0, map[string]any{"key_ops": []string{"wrapKey"}}, oidcauth.ErrUnknownKey},
		{"of 1024 bits", "RS256", 1024, nil, oidcauth.ErrUnknownKey},
		{"with exponent 3", "RS256", 0, map[string]any{"e": "Aw"}, oidcauth.ErrUnknownKey},
		{"for another curve's algorithm", "ES256", 0, map[string]any{"alg": "ES384"}, oidcauth.ErrUnknownKey},
		{"for another type's algorithm", "ES256", 0, map[string]any{"alg": "RS256"}, oidcauth.ErrUnknownKey},
		{"for HMAC", "RS256", 0, map[string]any{"alg": "HS256"}, oidcauth.ErrUnknownKey},
		{"for no algorithm", "ES256", 0, map[string]any{"alg": "none"}, oidcauth.ErrUnknownKey},
		{"of an unknown curve", "ES256", 0, map[string]any{"crv": "P-257"}, oidcauth.ErrUnknownKey},
		{"of another curve", "ES256", 0, map[string]any{"crv": "P-384"}, oidcauth.ErrUnknownKey},
		{"of an unknown type", "ES256", 0, map[string]any{"kty": "ec"}, oidcauth.ErrUnknownKey},
		{"not on the curve", "ES256", 0, map[string]any{"y": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, oidcauth.ErrUnknownKey},
		{"with its private half", "ES256", 0, map[string]any{"d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}, oidcauth.ErrUnknownKey},
		{"symmetric", "ES256", 0, map[string]any{"kty": "oct", "k": "AAAA"}, oidcauth.ErrUnknownKey},
		{"for PS256 only", "RS256", 0, map[string]any{"alg": "PS256"}, oidcauth.ErrAlgorithm},
		{"for RS512 only", "RS256", 0, map[string]any{"alg": "RS512"}, oidcauth.ErrAlgorithm},
	}
	var all []hostile
	for _, row := range rows {
		pair := issuer.NewKey(oidctest.KeyConfig{Algorithm: row.alg, Bits: row.bits})
		mended := pair
		if row.bits != 0 {
			mended = issuer.NewKey(oidctest.KeyConfig{Algorithm: row.alg})
		}
		unfit, fit := pair.WithID("unfit: "+row.name), mended.WithID("fit: "+row.name)
		issuer.AddJWK(changedJWK(t, unfit, row.changes))
		issuer.Publish(fit)
		bad := signRaw(unfit, goodHeader(unfit), goodClaims(issuer.URL()))
		good := signRaw(fit, goodHeader(fit), goodClaims(issuer.URL()))
		all = append(all, w.row("key: "+row.name, row.want, bad, good))
	}
	return append(all, manyKeyRows(w)...)
}

func changedJWK(t *testing.T, k *oidctest.Key, changes map[string]any) map[string]any {
	t.Helper()
	jwk := map[string]any{}
	if err := json.Unmarshal(k.JWK(), &jwk); err != nil {
		t.Fatal(err)
	}
	maps.Copy(jwk, changes)
	return jwk
}

// manyKeyRows are tokens without key ID of an issuer with more keys than are
// tried for one token.
func manyKeyRows(w *world) []hostile {
	issuer := w.by["many"]
	keys := []*oidctest.Key{issuer.Key()}
	for len(keys) < 20 {
		keys = append(keys, issuer.AddKey("ES256"))
	}
	edwards := issuer.AddKey("EdDSA")
	without := func(k *oidctest.Key) string {
		return signRaw(k, goodHeader(k).set("kid", ""), goodClaims(issuer.URL()))
	}
	with := func(k *oidctest.Key) string { return signRaw(k, goodHeader(k), goodClaims(issuer.URL())) }
	return []hostile{
		w.row("key: the 17th and no key ID, twin with key ID", oidcauth.ErrSignature, without(keys[16]), with(keys[16])),
		w.row("key: the 20th and no key ID, twin of another type behind it", oidcauth.ErrSignature, without(keys[19]), without(edwards)),
		w.row("key: the ID of another key", oidcauth.ErrSignature, with(keys[1].WithID(keys[2].ID())), with(keys[1])),
		w.row("key: the ID of a key of another type", oidcauth.ErrAlgorithm, with(keys[1].WithID(edwards.ID())), with(keys[1])),
	}
}

// strangerRows are signed by somebody other than the issuer they name.
func strangerRows(t *testing.T, w *world) []hostile {
	other := w.by["other"].Key()
	thief := w.evil.Key()
	as := func(k *oidctest.Key, header members) string { return signRaw(k, header, goodClaims(mainURL)) }
	good := goodHeader(w.key())
	genuine := w.withHeader(good)
	header, payload, signature := parts(genuine)
	sig := decodePart(t, signature)
	signed := func(signature string) string { return header + "." + payload + "." + encode(signature) }
	all := []hostile{
		w.row("stranger: unknown key", oidcauth.ErrUnknownKey, as(thief, goodHeader(thief)), genuine),
		w.row("stranger: another issuer's key", oidcauth.ErrUnknownKey, as(other, goodHeader(other)), signRaw(other, goodHeader(other), goodClaims("https://other.test"))),
		w.row("stranger: another issuer's key under our key ID", oidcauth.ErrSignature, as(other, good), genuine),
		w.row("stranger: another issuer's key, no key ID", oidcauth.ErrSignature, as(other, good.set("kid", "")), w.withHeader(good.set("kid", ""))),
		w.row("stranger: our key for another issuer", oidcauth.ErrUnknownKey, signRaw(w.key(), good, goodClaims("https://other.test")), genuine),
		w.row("stranger: our key for another issuer, no key ID", oidcauth.ErrSignature, signRaw(w.key(), good.set("kid", ""), goodClaims("https://other.test")), w.withHeader(good.set("kid", ""))),
		w.row("stranger: payload changed", oidcauth.ErrSignature, header+"."+encode(goodClaims(mainURL).set("sub", `"admin"`).String())+"."+signature, genuine),
		w.row("stranger: header changed", oidcauth.ErrSignature, encode(good.with("x", "1").String())+"."+payload+"."+signature, genuine),
		w.row("stranger: signature of zeros", oidcauth.ErrSignature, signed(strings.Repeat("\x00", 64)), genuine),
		w.row("stranger: r zero", oidcauth.ErrSignature, signed(strings.Repeat("\x00", 32)+sig[32:]), genuine),
		w.row("stranger: s zero", oidcauth.ErrSignature, signed(sig[:32]+strings.Repeat("\x00", 32)), genuine),
		w.row("stranger: r the curve's order", oidcauth.ErrSignature, signed(orderP256+sig[32:]), genuine),
		w.row("stranger: signature short", oidcauth.ErrSignature, signed(sig[:63]), genuine),
		w.row("stranger: signature long", oidcauth.ErrSignature, signed(sig+"\x00"), genuine),
		w.row("stranger: signature in DER", oidcauth.ErrSignature, signed("0E\x02 "+sig[:32]+"\x02!\x00"+sig[32:]), genuine),
		w.row("stranger: one bit of the signature", oidcauth.ErrSignature, signed(sig[:63]+string([]byte{sig[63] ^ 1})), genuine),
		w.row("stranger: a signature of 12000 bytes", oidcauth.ErrSignature, signed(strings.Repeat("x", 12000)), genuine),
	}
	return append(all, offeredKeyRows(w, thief)...)
}

// orderP256 is the order of the curve P-256.
const orderP256 = "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"

// offeredKeyRows bring the key, or its address, along. Nothing of it may be
// read: the twins bring it too and are signed by the issuer all the same.
func offeredKeyRows(w *world, thief *oidctest.Key) []hostile {
	var all []hostile
	good := goodHeader(w.key())
	for name, value := range map[string]string{
		"jwk":      string(thief.JWK()),
		"jku":      `"https://evil.test/jwks.json"`,
		"x5u":      `"https://evil.test/certificate.pem"`,
		"x5c":      `["MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"]`,
		"x5t":      `"AAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"x5t#S256": `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"iss":      `"https://evil.test"`,
	} {
		twin := w.withHeader(good.with(name, value))
		all = append(all,
			w.row("offered "+name+": under our key ID", oidcauth.ErrSignature, signRaw(thief, good.with(name, value), goodClaims(mainURL)), twin),
			w.row("offered "+name+": no key ID", oidcauth.ErrSignature, signRaw(thief, good.set("kid", "").with(name, value), goodClaims(mainURL)), twin),
			w.row("offered "+name+": its own key ID", oidcauth.ErrUnknownKey, signRaw(thief, goodHeader(thief).with(name, value), goodClaims(mainURL)), twin))
	}
	return append(all, w.row("offered jku: on the issuer's host", oidcauth.ErrUnknownKey,
		signRaw(thief, goodHeader(thief).with("jku", `"https://issuer.test/uploads/jwks.json"`), goodClaims(mainURL)), w.withHeader(good)))
}
