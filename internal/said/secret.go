package said

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"sync"
)

// SecretsSuffix ends the names of the files that [Secret] writes, which hold no text of
// the library's.
const SecretsSuffix = ".secrets"

const (
	// Shortest is the least length of a secret, in bytes: what is shorter could not be
	// told from other text.
	Shortest = 12

	// leastDifferent is how many different bytes one has at least, for the same reason:
	// zeros are everywhere.
	leastDifferent = 6

	// mostSecrets is how many are noted of a process. More would say the same again.
	mostSecrets = 50_000
)

// A Noted is a secret as it stands in a file, one to a line.
type Noted struct {
	Kind  string // as "client secret"
	Value []byte
}

// secrets is where secrets are noted.
var secrets struct {
	sync.Mutex
	of   map[string]bool
	file *os.File
}

// Secret notes that neither the library nor a test may say a text, in whatever form,
// nor the first or the last 16 bytes of it. Kind is what a report calls it. It is for
// secrets that have no form by which they could be known: passwords, secrets of clients,
// codes.
func Secret(kind, text string) {
	if len(text) < Shortest {
		panic(fmt.Sprintf("said: a secret of %d bytes, want %d at least", len(text), Shortest))
	}
	if n := different(text); n < leastDifferent {
		panic(fmt.Sprintf("said: a secret of %d different bytes, want %d at least", n, leastDifferent))
	}
	kept := open()
	if kept == nil {
		return
	}
	line, err := json.Marshal(Noted{kind, []byte(text)})
	if err != nil {
		panic("said: " + err.Error())
	}
	secrets.Lock()
	defer secrets.Unlock()
	if secrets.of[text] || len(secrets.of) >= mostSecrets {
		return
	}
	if secrets.file == nil {
		secrets.of = make(map[string]bool)
		if secrets.file, err = os.OpenFile(kept.Name()+SecretsSuffix, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			panic("said: " + err.Error())
		}
	}
	secrets.of[text] = true
	if _, err := secrets.file.Write(append(line, '\n')); err != nil {
		panic("said: " + err.Error())
	}
}

// different returns how many different bytes there are in a text.
func different(text string) int {
	bytes := make(map[byte]bool)
	for i := range len(text) {
		bytes[text[i]] = true
	}
	return len(bytes)
}

// NewSecret makes a secret of 32 characters or more, which fits a header, and notes it.
func NewSecret(kind string) string {
	text := "s-" + rand.Text() + rand.Text()
	Secret(kind, text)
	return text
}

// PrivateKey notes a private key: RSA, ECDSA or Ed25519. Others it leaves alone.
func PrivateKey(key any) {
	if !Kept() {
		return
	}
	for _, form := range FormsOf(key) {
		Secret("private key", form)
	}
}

// FormsOf returns what is secret of a private key: its bytes, and the number that
// package fmt prints.
func FormsOf(key any) []string {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return []string{string(k.D.Bytes()), k.D.String()}
	case *ecdsa.PrivateKey:
		raw, err := k.Bytes()
		if err != nil {
			panic("said: " + err.Error())
		}
		return []string{string(raw), new(big.Int).SetBytes(raw).String()}
	case ed25519.PrivateKey:
		return []string{string(k.Seed())}
	}
	return nil
}
