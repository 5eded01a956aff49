package ticket

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// MinSecret is how many bytes a secret has that is configured, at least.
const MinSecret = 32

const keyBytes = 32 // of A256GCM

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
