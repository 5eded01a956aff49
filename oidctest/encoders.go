package oidctest

import (
	"crypto/ed25519"

	"github.com/go-jose/go-jose/v4"
)

// Go-jose makes an encoder for each type when it first writes one, and keeps it for good.
// Where two goroutines of one testing/synctest bubble are the first at the same time, what
// is kept holds a [sync.WaitGroup] of that bubble, and with Go 1.26 and 1.27 whoever signs
// outside of it from then on panics. So the first are written here, where nobody is in a
// bubble: what stands in the header of a token, and a key set.
func init() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // that signs nothing else
	options := new(jose.SignerOptions).WithType("JWT").WithHeader("kid", "")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return // and nothing is written in advance
	}
	if _, err := signer.Sign([]byte("{}")); err != nil {
		return
	}
	jose.JSONWebKey{Key: key.Public()}.MarshalJSON()
}
