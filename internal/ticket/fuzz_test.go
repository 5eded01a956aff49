package ticket_test

import (
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// FuzzDecrypt: what opens is what was sealed, to go-jose as well, in the one spelling;
// all else is a refusal that says nothing.
func FuzzDecrypt(f *testing.F) {
	if fips140.Enforced() {
		f.Skip("go-jose chooses nonces itself, which FIPS 140-3 does not allow")
	}
	secret := []byte(strings.Repeat("1", 32))
	key, err := hkdf.Key(sha256.New, secret, nil, "oidcauth ticket t1", 32)
	if err != nil {
		f.Fatal(err)
	}
	good, err := ticket.Encrypt(secret, "t1", []byte(`{"a":"b"}`))
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for _, seed := range []string{good, "", "....", good + ".", strings.Join(parts[:4], "."), parts[0] + ".AA." + strings.Join(parts[2:], "."), good[:len(good)-2] + "AA", strings.ReplaceAll(good, "..", ".\n."), good + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		// With the good one's own beginning, so that the form alone is changed.
		for _, text := range []string{sealed, parts[0] + ".." + sealed, strings.Join(parts[:4], ".") + "." + sealed} {
			content, err := ticket.Decrypt(secret, "t1", text)
			if err != nil {
				if content != "" || !errors.Is(err, refusal.ErrMalformedToken) && !errors.Is(err, refusal.ErrUnknownKey) {
					t.Errorf("Decrypt(%q) = %q, %v", text, content, err)
				}
				continue
			}
			opened, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
			if err != nil {
				t.Fatalf("opened %q, and go-jose: %v", text, err)
			}
			if want, err := opened.Decrypt(key); err != nil || string(want) != content {
				t.Errorf("opened %q of %q, and go-jose %q, %v", content, text, want, err)
			}
		}
	})
}

// FuzzSeal: what a ticket says of a token is, once it is opened, what was said, the
// payload byte for byte; a payload that could be read in two ways is not sealed.
func FuzzSeal(f *testing.F) {
	for _, payload := range []string{`{}`, `{ "iss":"a", "name":"<&>", "big":12345678901234567890 }`, `{"a":1,"a":2}`, `{"claims":{}}`, `x`, `{},"alg":"none"`, `{"\u2028":"\ud83d\ude00"}`, `{}}`, "{\n}", ` {} `, `{},"":{}`, `1`, ``} {
		f.Add("ES256", "k", "at+jwt", "head", "sign", payload)
		f.Add("", "\"},\"claims\":{}", "<>", "", "", payload)
		f.Add("", "", "", "\xc2", "\x80", payload) // two halves of one letter
	}
	secret := []byte(strings.Repeat("1", 32))
	f.Fuzz(func(t *testing.T, algorithm, keyID, typ, header, signature, payload string) {
		original := ticket.Original{Algorithm: algorithm, KeyID: &keyID, Type: &typ, Key: "thumb", Header: header, Signature: signature, GiveBack: true}
		sealed, err := ticket.Seal(secret, "t1", original, payload)
		if err != nil {
			if !errors.Is(err, refusal.ErrMalformedToken) {
				t.Errorf("Seal() error = %v", err)
			}
			return
		}
		o, got, err := ticket.Open(secret, "t1", sealed)
		if err != nil {
			t.Fatalf("sealed %q, and Open() error = %v", payload, err)
		}
		valid := true // JSON has no others
		for _, text := range []string{algorithm, keyID, typ, header, signature} {
			valid = valid && utf8.ValidString(text)
		}
		if got != payload || valid && (o.Algorithm != algorithm || *o.KeyID != keyID || *o.Type != typ || o.Token(got) != original.Token(got)) {
			t.Errorf("sealed %+v, %q, opened %+v, %q", original, payload, o, got)
		}
	})
}
