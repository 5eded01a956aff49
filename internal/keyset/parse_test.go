package keyset_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// rsaJWK returns an RSA key of that many bits, which nobody can sign with.
func rsaJWK(bits, exponent int) string {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	n.SetBit(n, 0, 1)
	return fmt.Sprintf(`{"kty":"RSA","kid":"rsa","n":%q,"e":%q}`,
		encode(n.Bytes()), encode(big.NewInt(int64(exponent)).Bytes()))
}

// with returns a JWK with members added or replaced; a null removes.
func with(jwk, members string) string {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(jwk), &all); err != nil {
		panic(err)
	}
	if err := json.Unmarshal([]byte(members), &all); err != nil {
		panic(err)
	}
	out, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func privateJWK(t *testing.T) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jose.JSONWebKey{Key: private, KeyID: "d"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestParse_Skipped(t *testing.T) {
	t.Parallel()
	good := key("good", 0)
	rows := []struct {
		name string
		key  string
		want keyset.Reason
	}{
		{"a number", `7`, keyset.NotAKey},
		{"null", `null`, keyset.NotAKey},
		{"a list", `[]`, keyset.NotAKey},
		{"no type", with(good, `{"kty":null}`), keyset.NotAKey},
		{"a type in another case of the name", `{"KTY":"EC"}`, keyset.NotAKey},
		{"a numeric key ID", with(good, `{"kid":7}`), keyset.NotAKey},
		{"operations that are no list", with(good, `{"key_ops":"verify"}`), keyset.NotAKey},
		{"a name twice", strings.Replace(good, `{`, `{"kid":"x",`, 1), keyset.NotAKey},
		{"a symmetric key", `{"kty":"oct","kid":"x","k":"AAAA"}`, keyset.SymmetricKey},
		{"a private key", privateJWK(t), keyset.PrivateKey},
		{"a public key with a private part of another type", with(good, `{"p":"AQ"}`), keyset.PrivateKey},
		{"a private part of one digit", with(good, `{"d":7}`), keyset.PrivateKey},
		{"an unknown type", `{"kty":"XYZ","kid":"x","alg":"ML-DSA-44","pub":"AAAA"}`, keyset.UnknownType},
		{"a type in another case", with(good, `{"kty":"ec"}`), keyset.UnknownType},
		{"secp256k1", with(good, `{"crv":"secp256k1","alg":null}`), keyset.UnknownCurve},
		{"Ed448", `{"kty":"OKP","crv":"Ed448","x":"AAAA"}`, keyset.UnknownCurve},
		{"X25519", `{"kty":"OKP","crv":"X25519","x":"AAAA"}`, keyset.UnknownCurve},
		{"for encryption", with(good, `{"use":"enc"}`), keyset.OtherUse},
		{"for an unknown use", with(good, `{"use":"SIG"}`), keyset.OtherUse},
		{"for encryption by its operations", with(good, `{"key_ops":["encrypt"]}`), keyset.OtherUse},
		{"an encryption algorithm", with(rsaJWK(2048, 65537), `{"alg":"RSA-OAEP"}`), keyset.OtherAlgorithm},
		{"HMAC with an RSA key", with(rsaJWK(2048, 65537), `{"alg":"HS256"}`), keyset.OtherAlgorithm},
		{"another curve's algorithm", with(good, `{"alg":"ES384"}`), keyset.OtherAlgorithm},
		{"algorithm none", with(good, `{"alg":"none"}`), keyset.OtherAlgorithm},
		{"1024 bits", rsaJWK(1024, 65537), keyset.WeakKey},
		{"2047 bits", rsaJWK(2047, 65537), keyset.WeakKey},
		{"exponent one", rsaJWK(2048, 1), keyset.Malformed},
		{"exponent three", rsaJWK(2048, 3), keyset.WeakKey},
		{"an even modulus", with(rsaJWK(2048, 65537), `{"n":"`+encode(append([]byte{0x80}, make([]byte, 255)...))+`"}`), keyset.Malformed},
		{"an even exponent", rsaJWK(2048, 65538), keyset.WeakKey},
		{"16384 bits", rsaJWK(16384, 65537), keyset.HugeKey},
		{"a point off the curve", with(good, `{"x":"`+encode(make([]byte, 32))+`"}`), keyset.Malformed},
		{"no point", with(good, `{"x":null}`), keyset.Malformed},
		{"no modulus", `{"kty":"RSA","e":"AQAB"}`, keyset.Malformed},
		{"material that is not base64", with(good, `{"x":"***"}`), keyset.Malformed},
		{"a short Ed25519 key", `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, keyset.Malformed},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := start(t, keyset.Config{Fixed: []byte(jwks(row.key, good))})
			mustKeys(t, s, "good")
			r := s.Report()
			if len(r.Keys) != 1 || len(r.Skipped) != 1 || r.Skipped[0].Reason != row.want {
				t.Errorf("usable %+v, skipped %+v, want reason %q", r.Keys, r.Skipped, row.want)
			}
		})
	}
}

func TestParse_Usable(t *testing.T) {
	t.Parallel()
	good := key("x", 0)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := jose.JSONWebKey{Key: edwards, KeyID: "ed"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	real2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := jose.JSONWebKey{Key: real2048.Public(), KeyID: "rsa"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct{ name, key string }{
		{"a plain EC key", good},
		{"without algorithm and use", with(good, `{"alg":null,"use":null}`)},
		{"without key ID", with(good, `{"kid":null}`)},
		{"with operations", with(good, `{"key_ops":["verify"]}`)},
		{"with empty operations", with(good, `{"key_ops":[]}`)},
		{"with a broken certificate", with(good, `{"x5c":["broken"],"x5t":"broken","x5u":"::"}`)},
		{"with certificates of the wrong type", with(good, `{"x5c":7}`)},
		{"with members nobody knows", with(good, `{"ext":true,"exp":1,"nbf":{},"status":["x"]}`)},
		{"with null private parts", strings.Replace(good, `{`, `{"d":null,`, 1)},
		{"RSA", string(rsaKey)},
		{"RSA for PSS", with(string(rsaKey), `{"alg":"PS512"}`)},
		{"4096 bits", rsaJWK(4096, 65537)},
		{"Ed25519", string(ed)},
		{"Ed25519 by its new name", with(string(ed), `{"alg":"Ed25519"}`)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, err := keyset.New(keyset.Config{Fixed: []byte(jwks(row.key))})
			if err != nil {
				t.Fatalf("New() error = %v", err)
			}
			defer s.Close()
			if r := s.Report(); len(r.Keys) != 1 || len(r.Skipped) != 0 {
				t.Errorf("usable %+v, skipped %+v, want one and none", r.Keys, r.Skipped)
			}
		})
	}
}

func TestParse_TooManyKeys(t *testing.T) {
	t.Parallel()
	keys := make([]string, 0, 1500)
	for range 1500 {
		keys = append(keys, `{"kty":"oct"}`)
	}
	keys[0] = key("good", 0)
	s := start(t, keyset.Config{Fixed: []byte(jwks(keys...))})
	skipped := s.Report().Skipped
	if last := skipped[len(skipped)-1]; len(skipped) != 1000 || last.Reason != keyset.TooMany || last.Detail != "500 left out" {
		t.Errorf("%d skipped, last %+v, want 999 and what was left out", len(skipped), last)
	}
}

func TestAcceptKey(t *testing.T) {
	t.Parallel()
	mine, other := with(key("a", 0), `{"issuer":"https://mine"}`), with(key("b", 1), `{"issuer":"https://other"}`)
	s := start(t, keyset.Config{
		Fixed:     []byte(jwks(mine, other, key("c", 2))),
		AcceptKey: func(issuer string) bool { return issuer != "https://other" },
	})
	if got := mustKeys(t, s, "a")[0].Issuer(); got != "https://mine" {
		t.Errorf("Issuer() = %q", got)
	}
	mustKeys(t, s, "c")
	refused(t, s, "b", keyset.ErrUnknownKey)
	if r := s.Report(); len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.OtherIssuer {
		t.Errorf("Skipped = %+v, want the other issuer's", r.Skipped)
	}
}

// A key that states no issuer belongs to none, and not to another.
func TestAcceptKey_Stated(t *testing.T) {
	t.Parallel()
	s := start(t, keyset.Config{
		Fixed:     []byte(jwks(with(key("a", 0), `{"issuer":"https://mine"}`), key("b", 1))),
		AcceptKey: func(issuer string) bool { return issuer == "https://mine" },
	})
	mustKeys(t, s, "a")
	refused(t, s, "b", keyset.ErrUnknownKey)
	if r := s.Report(); len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.NoIssuer || r.Skipped[0].Detail != "" {
		t.Errorf("Skipped = %+v, want the one that states none", r.Skipped)
	}
}

// A bound on the exponent holds where it is set, and for RSA keys alone.
func TestParse_MaxExponent(t *testing.T) {
	t.Parallel()
	const limit = 1<<17 - 1
	rows := []struct {
		name  string
		key   string
		limit int
		want  keyset.Reason // empty if the key is usable
	}{
		{"the usual exponent", rsaJWK(2048, 65537), limit, ""},
		{"the highest", rsaJWK(4096, limit), limit, ""},
		{"one bit more", rsaJWK(2048, 1<<17+1), limit, keyset.SlowKey},
		{"the highest there is", rsaJWK(2048, 1<<31-1), limit, keyset.SlowKey},
		{"the highest there is, without a bound", rsaJWK(2048, 1<<31-1), 0, ""},
		{"a bound of one", rsaJWK(2048, 65537), 1, keyset.SlowKey},
		{"a weak key with a high exponent", rsaJWK(1024, 1<<31-1), limit, keyset.WeakKey},
		{"another type", key("ec", 0), limit, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := start(t, keyset.Config{Fixed: []byte(jwks(row.key, key("good", 1))), MaxExponent: row.limit}).Report()
			if row.want == "" {
				if len(r.Keys) != 2 || len(r.Skipped) != 0 {
					t.Errorf("usable %+v, skipped %+v, want both usable", r.Keys, r.Skipped)
				}
				return
			}
			if len(r.Keys) != 1 || len(r.Skipped) != 1 || r.Skipped[0].Reason != row.want {
				t.Errorf("usable %+v, skipped %+v, want reason %q", r.Keys, r.Skipped, row.want)
			}
		})
	}
}

// What programs have in the place of a key set is called by its name.
func TestParse_OtherDocuments(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", "it is PEM, want a JSON Web Key Set"},
		{rsaJWK(2048, 65537), `it is a key alone, want it within {"keys": []}`},
		{`{"issuer":"https://a.example","jwks_uri":"https://a.example/jwks"}`, `it is a discovery document, want what is at its "jwks_uri"`},
		{`{}`, `no member "keys"`},
		{`{"kty":1}`, `no member "keys"`},
	} {
		_, err := keyset.New(keyset.Config{Fixed: []byte(row.text)})
		if !errors.Is(err, keyset.ErrDocument) || !strings.HasSuffix(err.Error(), row.want) {
			t.Errorf("%.20s: New() error = %v, want one that ends with %q", row.text, err, row.want)
		}
	}
}

// What is told of a document that is no key set, or of a key that is none, is one line,
// though it repeats names out of it.
func TestParse_ErrorInOneLine(t *testing.T) {
	t.Parallel()
	const name = `"\u001b[2J\nlevel=INFO"`
	twice := name + `:1,` + name + `:2`
	_, err := keyset.New(keyset.Config{Fixed: []byte(`{` + twice + `}`)})
	if !errors.Is(err, keyset.ErrDocument) || !strings.Contains(err.Error(), "level=INFO") || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("New() error = %q, want %v in one line", err, keyset.ErrDocument)
	}
	r := start(t, keyset.Config{Fixed: []byte(jwks(key("good", 1), `{"kty":"EC",`+twice+`}`))}).Report()
	if len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0].Detail, "level=INFO") || strings.ContainsAny(r.Skipped[0].Detail, "\n\x1b") {
		t.Errorf("skipped %q, want one with a detail in one line", r.Skipped)
	}
}

// What an issuer says of a key that is not used is told up to 128 bytes.
func TestParse_Shortened(t *testing.T) {
	t.Parallel()
	exact := strings.Repeat("k", 128)
	for id, want := range map[string]string{exact: exact, exact + "k": exact + "…", exact[1:] + "ä": exact[1:] + "…"} {
		s := start(t, keyset.Config{Fixed: []byte(jwks(with(key(id, 0), `{"use":"enc"}`), key("good", 1)))})
		if r := s.Report(); len(r.Skipped) != 1 || r.Skipped[0].ID != want {
			t.Errorf("%d bytes: skipped %+v, want the key ID %q", len(id), r.Skipped, want)
		}
		if got, ok := s.SkippedKey(id); !ok || got.ID != want {
			t.Errorf("SkippedKey() = %+v, %t, want it", got, ok)
		}
	}
}

// What is not used is told by key ID, and counted.
func TestSkipped(t *testing.T) {
	t.Parallel()
	secret := `{"kty":"oct","k":"AAAA"}`
	for _, tt := range []struct{ name, body, summary string }{
		{"none", jwks(key("a", 0)), ""},
		{"one", jwks(key("a", 0), with(key("b", 1), `{"use":"enc"}`)), "1 not for signatures"},
		{"several", jwks(secret, key("a", 0), with(key("b", 1), `{"use":"enc"}`), secret), "2 symmetric key, 1 not for signatures"},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			i := newIssuer()
			i.body = tt.body
			s := start(t, i.config(t))
			if _, ok := s.SkippedKey("b"); ok || s.SkippedSummary() != "" {
				t.Errorf("before the first fetch: SkippedKey(b) = %t, SkippedSummary() = %q, want none", ok, s.SkippedSummary())
			}
			mustKeys(t, s, "a")
			if _, ok := s.SkippedKey(""); ok {
				t.Error("a key without a key ID is found by it")
			}
			if _, ok := s.SkippedKey("a"); ok {
				t.Error("a key that is used is said not to be")
			}
			if got, ok := s.SkippedKey("b"); ok != (tt.summary != "") || ok && got.Reason != keyset.OtherUse {
				t.Errorf("SkippedKey(b) = %+v, %t", got, ok)
			}
			if got := s.SkippedSummary(); got != tt.summary {
				t.Errorf("SkippedSummary() = %q, want %q", got, tt.summary)
			}
		})
	}
}
