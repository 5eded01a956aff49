package hostile

import (
	"crypto/fips140"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// keyRows are signed by keys that the issuer publishes in a way that makes them
// unfit, and their twins by the same key pair published properly.
func keyRows(t testing.TB, w *World) []Row {
	issuer := w.By["other"]
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
	var all []Row
	for _, row := range rows {
		var pair *oidctest.Key
		weak := fips140.WithoutEnforcement // FIPS 140-3 would make no such key, nor use it
		weak(func() { pair = issuer.NewKey(oidctest.KeyConfig{Algorithm: row.alg, Bits: row.bits}) })
		mended := pair
		if row.bits != 0 {
			mended = issuer.NewKey(oidctest.KeyConfig{Algorithm: row.alg})
		}
		unfit, fit := pair.WithID("unfit: "+row.name), mended.WithID("fit: "+row.name)
		issuer.AddJWK(changedJWK(t, unfit, row.changes))
		issuer.Publish(fit)
		var bad string
		weak(func() { bad = Sign(unfit, Header(unfit), Claims(issuer.URL())) })
		good := Sign(fit, Header(fit), Claims(issuer.URL()))
		all = append(all, w.Row("key: "+row.name, row.want, bad, good))
	}
	return append(all, manyKeyRows(w)...)
}

func changedJWK(t testing.TB, k *oidctest.Key, changes map[string]any) map[string]any {
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
func manyKeyRows(w *World) []Row {
	issuer := w.By["many"]
	keys := []*oidctest.Key{issuer.Key()}
	for len(keys) < 20 {
		keys = append(keys, issuer.AddKey("ES256"))
	}
	edwards := issuer.AddKey("EdDSA")
	without := func(k *oidctest.Key) string {
		return Sign(k, Header(k).Set("kid", ""), Claims(issuer.URL()))
	}
	with := func(k *oidctest.Key) string { return Sign(k, Header(k), Claims(issuer.URL())) }
	return []Row{
		w.Row("key: the 17th and no key ID, twin with key ID", oidcauth.ErrSignature, without(keys[16]), with(keys[16])),
		w.Row("key: the 20th and no key ID, twin of another type behind it", oidcauth.ErrSignature, without(keys[19]), without(edwards)),
		w.Row("key: the ID of another key", oidcauth.ErrSignature, with(keys[1].WithID(keys[2].ID())), with(keys[1])),
		w.Row("key: the ID of a key of another type", oidcauth.ErrAlgorithm, with(keys[1].WithID(edwards.ID())), with(keys[1])),
	}
}

// strangerRows are signed by somebody other than the issuer they name.
func strangerRows(t testing.TB, w *World) []Row {
	other := w.By["other"].Key()
	thief := w.Evil.Key()
	as := func(k *oidctest.Key, header Members) string { return Sign(k, header, Claims(URL)) }
	good := Header(w.Key())
	genuine := w.WithHeader(good)
	header, payload, signature := Parts(genuine)
	sig := Decode(t, signature)
	signed := func(signature string) string { return header + "." + payload + "." + Encode(signature) }
	all := []Row{
		w.Row("stranger: unknown key", oidcauth.ErrUnknownKey, as(thief, Header(thief)), genuine),
		w.Row("stranger: another issuer's key", oidcauth.ErrUnknownKey, as(other, Header(other)), Sign(other, Header(other), Claims("https://other.test"))),
		w.Row("stranger: another issuer's key under our key ID", oidcauth.ErrSignature, as(other, good), genuine),
		w.Row("stranger: another issuer's key, no key ID", oidcauth.ErrSignature, as(other, good.Set("kid", "")), w.WithHeader(good.Set("kid", ""))),
		w.Row("stranger: our key for another issuer", oidcauth.ErrUnknownKey, Sign(w.Key(), good, Claims("https://other.test")), genuine),
		w.Row("stranger: our key for another issuer, no key ID", oidcauth.ErrSignature, Sign(w.Key(), good.Set("kid", ""), Claims("https://other.test")), w.WithHeader(good.Set("kid", ""))),
		w.Row("stranger: payload changed", oidcauth.ErrSignature, header+"."+Encode(Claims(URL).Set("sub", `"admin"`).String())+"."+signature, genuine),
		w.Row("stranger: header changed", oidcauth.ErrSignature, Encode(good.With("x", "1").String())+"."+payload+"."+signature, genuine),
		w.Row("stranger: signature of zeros", oidcauth.ErrSignature, signed(strings.Repeat("\x00", 64)), genuine),
		w.Row("stranger: r zero", oidcauth.ErrSignature, signed(strings.Repeat("\x00", 32)+sig[32:]), genuine),
		w.Row("stranger: s zero", oidcauth.ErrSignature, signed(sig[:32]+strings.Repeat("\x00", 32)), genuine),
		w.Row("stranger: r the curve's order", oidcauth.ErrSignature, signed(orderP256+sig[32:]), genuine),
		w.Row("stranger: signature short", oidcauth.ErrSignature, signed(sig[:63]), genuine),
		w.Row("stranger: signature long", oidcauth.ErrSignature, signed(sig+"\x00"), genuine),
		w.Row("stranger: signature in DER", oidcauth.ErrSignature, signed("0E\x02 "+sig[:32]+"\x02!\x00"+sig[32:]), genuine),
		w.Row("stranger: one bit of the signature", oidcauth.ErrSignature, signed(sig[:63]+string([]byte{sig[63] ^ 1})), genuine),
		w.Row("stranger: a signature of 12000 bytes", oidcauth.ErrSignature, signed(strings.Repeat("x", 12000)), genuine),
	}
	return append(all, offeredKeyRows(w, thief)...)
}

// orderP256 is the order of the curve P-256.
const orderP256 = "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"

// offeredKeyRows bring the key, or its address, along. Nothing of it may be
// read: the twins bring it too and are signed by the issuer all the same.
func offeredKeyRows(w *World, thief *oidctest.Key) []Row {
	var all []Row
	good := Header(w.Key())
	for name, value := range map[string]string{
		"jwk":      string(thief.JWK()),
		"jku":      `"https://evil.test/jwks.json"`,
		"x5u":      `"https://evil.test/certificate.pem"`,
		"x5c":      `["MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"]`,
		"x5t":      `"AAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"x5t#S256": `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`,
		"iss":      `"https://evil.test"`,
	} {
		twin := w.WithHeader(good.With(name, value))
		all = append(all,
			w.Row("offered "+name+": under our key ID", oidcauth.ErrSignature, Sign(thief, good.With(name, value), Claims(URL)), twin),
			w.Row("offered "+name+": no key ID", oidcauth.ErrSignature, Sign(thief, good.Set("kid", "").With(name, value), Claims(URL)), twin),
			w.Row("offered "+name+": its own key ID", oidcauth.ErrUnknownKey, Sign(thief, Header(thief).With(name, value), Claims(URL)), twin))
	}
	return append(all, w.Row("offered jku: on the issuer's host", oidcauth.ErrUnknownKey,
		Sign(thief, Header(thief).With("jku", `"https://issuer.test/uploads/jwks.json"`), Claims(URL)), w.WithHeader(good)))
}
