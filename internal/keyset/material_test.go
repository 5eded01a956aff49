package keyset_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// numbers returns the members of a JWK that are numbers, as bytes.
func numbers(t *testing.T, jwk string) map[string][]byte {
	t.Helper()
	all := map[string]any{}
	if err := json.Unmarshal([]byte(jwk), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, name := range []string{"n", "e", "x", "y"} {
		if text, ok := all[name].(string); ok {
			b, err := base64.RawURLEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = b
		}
	}
	return out
}

// rewritten is a JWK with its numbers written in another way.
func rewritten(t *testing.T, jwk string, write func(name string, number []byte) string) string {
	t.Helper()
	members := map[string]string{}
	for name, number := range numbers(t, jwk) {
		members[name] = write(name, number)
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return with(jwk, string(text))
}

// shortECKey is a key whose x begins with a zero byte.
func shortECKey(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	size := (curve.Params().BitSize + 7) / 8
	for range 100000 {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if point[1] == 0 {
			return fmt.Sprintf(`{"kty":"EC","crv":%q,"kid":"short","x":%q,"y":%q}`,
				curve.Params().Name, encode(point[1:1+size]), encode(point[1+size:]))
		}
	}
	t.Fatal("no such key found")
	return ""
}

// A number that is written in another way is the same key, down to its thumbprint.
func TestParse_NumbersInOtherForms(t *testing.T) {
	t.Parallel()
	real2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := fmt.Sprintf(`{"kty":"RSA","kid":"rsa","n":%q,"e":"AQAB"}`, encode(real2048.N.Bytes()))
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{
		"RSA": rsaKey, "P-256": key("a", 0), "P-256 with a zero": shortECKey(t, elliptic.P256()),
		"P-384 with a zero": shortECKey(t, elliptic.P384()), "P-521 with a zero": shortECKey(t, elliptic.P521()),
		"Ed25519": fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"ed","x":%q}`, encode(public)),
	}
	big := func(b []byte) []byte { return new(big.Int).SetBytes(b).Bytes() }
	forms := map[string]func(name string, number []byte) string{
		"padded":             func(_ string, b []byte) string { return base64.URLEncoding.EncodeToString(b) },
		"the other alphabet": func(_ string, b []byte) string { return base64.StdEncoding.EncodeToString(b) },
		"the other alphabet without padding": func(_ string, b []byte) string {
			return base64.RawStdEncoding.EncodeToString(b)
		},
		"a zero byte in front":         func(_ string, b []byte) string { return encode(append([]byte{0}, b...)) },
		"many zero bytes in front":     func(_ string, b []byte) string { return encode(append(make([]byte, 9), b...)) },
		"a zero byte in front, padded": func(_ string, b []byte) string { return base64.StdEncoding.EncodeToString(append([]byte{0}, b...)) },
		"without zero bytes in front":  func(_ string, b []byte) string { return encode(big(b)) },
		"in lines, as PEM has them": func(_ string, b []byte) string {
			var lines []string
			for chunk := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(b)), 30) {
				lines = append(lines, string(chunk))
			}
			return strings.Join(lines, "\r\n") + "\n"
		},
		"without zero bytes, and padded": func(_ string, b []byte) string { return base64.StdEncoding.EncodeToString(big(b)) },
	}
	for kind, jwk := range keys {
		plain := start(t, keyset.Config{Fixed: []byte(jwks(jwk))}).Report()
		for form, write := range forms {
			if kind == "Ed25519" && strings.Contains(form, "zero") {
				continue // not a number: every byte counts, see TestParse_NumbersThatMayBeOthers
			}
			t.Run(kind+", "+form, func(t *testing.T) {
				s, err := keyset.New(keyset.Config{Fixed: []byte(jwks(rewritten(t, jwk, write)))})
				if err != nil {
					t.Fatalf("New() error = %v", err)
				}
				defer s.Close()
				if r := s.Report(); len(r.Keys) != 1 || r.Keys[0] != plain.Keys[0] {
					t.Errorf("keys = %+v, want %+v", r.Keys, plain.Keys)
				}
			})
		}
	}
}

// What was cut, or is not certain, is no key.
func TestParse_NumbersThatMayBeOthers(t *testing.T) {
	t.Parallel()
	ec, short := key("a", 0), shortECKey(t, elliptic.P256())
	for n := 1; numbers(t, ec)["x"][0] == 0; n++ {
		ec = key("a", n)
	}
	edwards := fastKey("ed", 1)
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	n.SetBit(n, 0, 1)
	modulus := base64.StdEncoding.EncodeToString(n.Bytes()) // ends in "=="
	rows := []struct {
		name, key, detail string
	}{
		{"padding that lacks a character", with(rsaJWK(2048, 65537), fmt.Sprintf(`{"n":%q}`, modulus[:len(modulus)-1])), `base64 with wrong padding: 342 characters and 1 "="`},
		{"padding that is too long", with(rsaJWK(2048, 65537), fmt.Sprintf(`{"n":%q}`, modulus+"=")), `base64 with wrong padding: 342 characters and 3 "="`},
		{"padding alone", with(rsaJWK(2048, 65537), `{"n":"===="}`), `base64 with wrong padding: 0 characters and 4 "="`},
		{"padding of three", with(ec, `{"x":"A==="}`), `base64 with wrong padding: 1 characters and 3 "="`},
		{"padding in the middle", with(ec, fmt.Sprintf(`{"x":%q}`, "AA=="+encode(numbers(t, ec)["x"]))), `illegal base64 data at input byte 2`},
		{"two alphabets at once", with(ec, fmt.Sprintf(`{"x":%q}`, "-+"+encode(numbers(t, ec)["x"])[2:])), `base64 in two alphabets at once`},
		{"an x that lost its end", with(ec, fmt.Sprintf(`{"x":%q}`, encode(numbers(t, ec)["x"][:31]))), `not on declared curve`},
		{"an x that lost its beginning", with(ec, fmt.Sprintf(`{"x":%q}`, encode(numbers(t, ec)["x"][1:]))), `not on declared curve`},
		{"a short x that lost its end", with(short, fmt.Sprintf(`{"x":%q}`, encode(numbers(t, short)["x"][1:31]))), `not on declared curve`},
		{"an x with a byte behind", with(ec, fmt.Sprintf(`{"x":%q}`, encode(append(numbers(t, ec)["x"], 0)))), `a coordinate of 33 bytes, want 32`},
		{"an x with another byte in front", with(ec, fmt.Sprintf(`{"x":%q}`, encode(append([]byte{1}, numbers(t, ec)["x"]...)))), `a coordinate of 33 bytes, want 32`},
		{"an Ed25519 key with a zero byte in front", rewritten(t, edwards, func(_ string, b []byte) string { return encode(append([]byte{0}, b...)) }), `wrong length for x`},
		{"an Ed25519 key that lost a byte", rewritten(t, edwards, func(_ string, b []byte) string { return encode(b[:31]) }), `wrong length for x`},
		{"no x", with(ec, `{"x":""}`), `missing x/y`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := start(t, keyset.Config{Fixed: []byte(jwks(row.key, key("good", 1)))}).Report()
			if len(r.Keys) != 1 || len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.Malformed || !strings.Contains(r.Skipped[0].Detail, row.detail) {
				t.Errorf("usable %+v, skipped %+v, want it skipped as %q: %s", r.Keys, r.Skipped, keyset.Malformed, row.detail)
			}
		})
	}
}

func TestParse_ByteOrderMark(t *testing.T) {
	t.Parallel()
	good := jwks(key("a", 0))
	s := start(t, keyset.Config{Fixed: []byte("\ufeff" + good)})
	mustKeys(t, s, "a")
	for name, body := range map[string]string{
		"two": "\ufeff\ufeff" + good, "behind": good + "\ufeff", "of another encoding": "\xff\xfe" + good,
	} {
		if _, err := keyset.New(keyset.Config{Fixed: []byte(body)}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A thing that is no key is named as far as it has a name.
func TestParse_NamesWhatIsNoKey(t *testing.T) {
	t.Parallel()
	for member, id := range map[string]string{
		`{"key_ops":"verify"}`: "good", `{"alg":7}`: "good", `{"kid":7}`: "7", `{"kid":["a"]}`: "",
	} {
		r := start(t, keyset.Config{Fixed: []byte(jwks(with(key("good", 0), member), key("b", 1)))}).Report()
		if len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.NotAKey || r.Skipped[0].ID != id || r.Skipped[0].Type != "EC" || r.Skipped[0].Detail == "" {
			t.Errorf("%s: skipped %+v, want key ID %q and type EC", member, r.Skipped, id)
		}
	}
}
