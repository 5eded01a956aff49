package oidcauth

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	minTicketSecret  = 32
	ticketKeyBytes   = 32 // of A256GCM
	ticketEncryption = jose.A256GCM
)

// processSecret is random and this process's own. It never changes.
var processSecret = sync.OnceValue(func() []byte {
	secret := make([]byte, minTicketSecret)
	rand.Read(secret)
	return secret
})

// externalSecret returns the secret of tickets where the signing key is not ours
// to derive one from: that of those who share what was configured, or that of
// this process.
func externalSecret(configured []byte, keyID string) ([]byte, error) {
	if len(configured) == 0 {
		configured = processSecret()
	}
	return hkdf.Key(sha256.New, configured, nil, "oidcauth ticket secret "+keyID, ticketKeyBytes)
}

// ticketKey returns the key for one ticket, so that no key is used twice, and
// what was sealed for a ticket opens in no other.
func ticketKey(secret []byte, ticketID string) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "oidcauth ticket "+ticketID, ticketKeyBytes)
}

// sealTicket encrypts what a ticket says of the token that it stands for (RFC
// 7516, direct encryption), without compression, which would tell of the content
// by its length.
func sealTicket(secret []byte, ticketID string, content []byte) (string, error) {
	key, err := ticketKey(secret, ticketID)
	if err != nil {
		return "", err
	}
	encrypter, err := jose.NewEncrypter(ticketEncryption, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, nil)
	if err != nil {
		return "", err
	}
	object, err := encrypter.Encrypt(content)
	if err != nil {
		return "", err
	}
	return object.CompactSerialize()
}

// openTicket decrypts what sealTicket encrypted.
func openTicket(secret []byte, ticketID, sealed string) (string, error) {
	object, err := jose.ParseEncryptedCompact(sealed, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{ticketEncryption})
	if err != nil {
		return "", refusal.New(refusal.Ticket, ErrMalformedToken, "a ticket of another form", "one of ours")
	}
	key, err := ticketKey(secret, ticketID)
	if err != nil {
		return "", err
	}
	content, err := object.Decrypt(key)
	if err != nil {
		return "", refusal.New(refusal.Ticket, ErrUnknownKey, "a ticket sealed with another secret", "one of this server, or of one that shares its keys (LocalIssuerConfig.TicketSecret with a Signer)")
	}
	return string(content), nil
}
