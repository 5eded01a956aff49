package ticket_test

import (
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// What is encrypted here is what RFC 7516 says: go-jose opens it, and what go-jose has
// encrypted opens here.
func TestEncrypt_Compatible(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		t.Skip("go-jose chooses nonces itself, which FIPS 140-3 does not allow")
	}
	secret, content := []byte(strings.Repeat("1", 32)), `{"a":"b"}`
	key, err := hkdf.Key(sha256.New, secret, nil, "oidcauth ticket t1", 32)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := jose.ParseEncryptedCompact(encrypt(t, secret, content), []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := opened.Decrypt(key); err != nil || string(got) != content {
		t.Errorf("go-jose opened %q, %v, want %q", got, err, content)
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	object, err := encrypter.Encrypt([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ticket.Decrypt(secret, "t1", sealed); err != nil || got != content {
		t.Errorf("Decrypt() of go-jose's = %q, %v, want %q", got, err, content)
	}
}

// Nothing but the very form that Encrypt writes is opened.
func TestDecrypt_Form(t *testing.T) {
	t.Parallel()
	secret := []byte(strings.Repeat("1", 32))
	sealed := encrypt(t, secret, `{"a":"b"}`)
	part := strings.Split(sealed, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A128GCM"}`))
	flip := func(s string) string { return string(s[0]^1) + s[1:] } // "A" to "@" is no letter of base64url
	swap := func(s string) string {
		if s[0] == 'A' {
			return "B" + s[1:]
		}
		return "A" + s[1:]
	}
	bad, other := refusal.ErrMalformedToken, refusal.ErrUnknownKey
	for _, tt := range []struct {
		name   string
		sealed string
		want   error
	}{
		{"as it was encrypted", sealed, nil},
		{"another algorithm", join(header, "", part[2], part[3], part[4]), bad},
		{"an encrypted key", join(part[0], "AAAA", part[2], part[3], part[4]), bad},
		{"a part too many", sealed + ".", bad},
		{"a nonce too short", join(part[0], "", part[2][4:], part[3], part[4]), bad},
		{"a tag too short", join(part[0], "", part[2], part[3], part[4][4:]), bad},
		{"the tag's end in the content", join(part[0], "", part[2], part[3]+"AAAA", part[4]), other},
		{"no content", join(part[0], "", part[2], "", part[4]), other},
		{"another nonce", join(part[0], "", swap(part[2]), part[3], part[4]), other},
		{"other content", join(part[0], "", part[2], swap(part[3]), part[4]), other},
		{"another tag", join(part[0], "", part[2], part[3], swap(part[4])), other},
		{"no base64url", join(part[0], "", flip("A")+part[2][1:], part[3], part[4]), bad},
		{"padding", sealed + "==", bad},
		{"a line break", join(part[0], "", part[2], part[3]+"\n", part[4]), bad},
		{"bits that mean nothing", join(part[0], "", part[2], part[3], part[4][:21]+lastBit(part[4][21])), bad},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ticket.Decrypt(secret, "t1", tt.sealed); !errors.Is(err, tt.want) || err != nil && got != "" {
				t.Errorf("Decrypt() = %q, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// lastBit returns the letter of base64url that is another by its last bit.
func lastBit(letter byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(letters, letter) ^ 1
	return letters[i : i+1]
}
