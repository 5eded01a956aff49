package ticket

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// header says how the content of a ticket is encrypted (RFC 7516, direct encryption,
// section 4.1): by AES-GCM with a key of 256 bits, without compression, which would
// tell of the content by its length. No other is opened.
const header = `{"alg":"dir","enc":"A256GCM"}`

// What AES-GCM adds, in bytes (RFC 7518, section 5.3).
const (
	nonceBytes = 12
	tagBytes   = 16
)

var (
	base64url     = base64.RawURLEncoding.Strict()
	encodedHeader = base64url.EncodeToString([]byte(header))
)

// newAEAD returns AES-GCM that chooses its nonces itself, the only kind that FIPS 140-3
// allows: go-jose chooses them, and with GODEBUG=fips140=only encrypts nothing.
func newAEAD(secret []byte, ticketID string) (cipher.AEAD, error) {
	key, err := keyOf(secret, ticketID)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Encrypt encrypts what a ticket says of the token that it stands for, in compact
// serialization (RFC 7516, section 7.1).
func Encrypt(secret []byte, ticketID string, content []byte) (string, error) {
	aead, err := newAEAD(secret, ticketID)
	if err != nil {
		return "", err
	}
	sealed := aead.Seal(nil, nil, content, []byte(encodedHeader))
	nonce, rest := sealed[:nonceBytes], sealed[nonceBytes:]
	text, tag := rest[:len(rest)-tagBytes], rest[len(rest)-tagBytes:]
	return strings.Join([]string{
		encodedHeader, "", base64url.EncodeToString(nonce), base64url.EncodeToString(text), base64url.EncodeToString(tag),
	}, "."), nil
}

// Decrypt decrypts what Encrypt encrypted. The error is a refusal.
func Decrypt(secret []byte, ticketID, sealed string) (string, error) {
	joined, ok := parts(sealed)
	if !ok {
		return "", Malformed()
	}
	aead, err := newAEAD(secret, ticketID)
	if err != nil {
		return "", err
	}
	content, err := aead.Open(nil, nil, joined, []byte(encodedHeader))
	if err != nil {
		return "", refusal.New(refusal.Ticket, refusal.ErrUnknownKey, "a ticket sealed with another secret", "one of this server, or of one that shares its keys (localissuer.Config.TicketSecret with a Signer)")
	}
	return string(content), nil
}

// parts returns nonce, encrypted content and tag in one piece, as AES-GCM has them, and
// whether the text has the form that Encrypt gives it.
func parts(sealed string) ([]byte, bool) {
	rest, ok := strings.CutPrefix(sealed, encodedHeader+"..")
	if !ok || strings.Count(rest, ".") != 2 || strings.ContainsAny(rest, "\r\n") {
		return nil, false
	}
	var joined []byte
	for i, text := range strings.Split(rest, ".") {
		part, err := base64url.DecodeString(text)
		if err != nil || i == 0 && len(part) != nonceBytes || i == 2 && len(part) != tagBytes {
			return nil, false
		}
		joined = append(joined, part...)
	}
	return joined, true
}
