package ticket

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// MinSecret is how many bytes a secret has that is configured, at least.
const MinSecret = 32

const (
	keyBytes   = 32 // of A256GCM
	encryption = jose.A256GCM
)

// processSecret is random and this process's own. It never changes.
var processSecret = sync.OnceValue(func() []byte {
	secret := make([]byte, MinSecret)
	rand.Read(secret)
	return secret
})

// ExternalSecret returns the secret of tickets where the signing key is not ours
// to derive one from: that of those who share what was configured, or that of
// this process.
func ExternalSecret(configured []byte, keyID string) ([]byte, error) {
	if len(configured) == 0 {
		configured = processSecret()
	}
	return hkdf.Key(sha256.New, configured, nil, "oidcauth ticket secret "+keyID, keyBytes)
}

// keyOf returns the key for one ticket, so that no key is used twice, and what
// was sealed for a ticket opens in no other.
func keyOf(secret []byte, ticketID string) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "oidcauth ticket "+ticketID, keyBytes)
}

// Encrypt encrypts what a ticket says of the token that it stands for (RFC 7516,
// direct encryption), without compression, which would tell of the content by its
// length.
func Encrypt(secret []byte, ticketID string, content []byte) (string, error) {
	key, err := keyOf(secret, ticketID)
	if err != nil {
		return "", err
	}
	encrypter, err := jose.NewEncrypter(encryption, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, nil)
	if err != nil {
		return "", err
	}
	object, err := encrypter.Encrypt(content)
	if err != nil {
		return "", err
	}
	return object.CompactSerialize()
}

// Decrypt decrypts what Encrypt encrypted. The error is a refusal.
func Decrypt(secret []byte, ticketID, sealed string) (string, error) {
	object, err := jose.ParseEncryptedCompact(sealed, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{encryption})
	if err != nil {
		return "", Malformed()
	}
	key, err := keyOf(secret, ticketID)
	if err != nil {
		return "", err
	}
	content, err := object.Decrypt(key)
	if err != nil {
		return "", refusal.New(refusal.Ticket, refusal.ErrUnknownKey, "a ticket sealed with another secret", "one of this server, or of one that shares its keys (localissuer.Config.TicketSecret with a Signer)")
	}
	return string(content), nil
}
