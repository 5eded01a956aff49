package localissuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"path/filepath"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A local issuer's own tokens always have a key ID. One without is tried against
// keys from elsewhere alone, however often the issuer's own have changed.
func TestIssuer_WithoutKeyID(t *testing.T) {
	t.Parallel()
	own := `{"iss":"localhost","sub":"bob","aud":["my-db"],"exp":4102444800}`
	path := filepath.Join(t.TempDir(), "keys")
	l := newLocal(t, localissuer.Config{Dir: path})
	a := trusting(t, l)
	imported := make([]*ecdsa.PrivateKey, 3)
	for i := range imported {
		imported[i] = newKey(t)
		if _, err := l.Import(t.Context(), privatePEM(t, imported[i])); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range imported {
		wants(t, a, signAs(t, key, "JWT", own), nil)
	}
	wants(t, a, signAs(t, newKey(t), "JWT", own), oidcauth.ErrSignature)

	dir, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := dir.Load()
	if err != nil {
		t.Fatal(err)
	}
	wants(t, a, signAs(t, ring.Active().Private, "JWT", own), oidcauth.ErrSignature)
	wants(t, a, issue(t, l, localissuer.Request{}), nil)
}

// The key of an external signer may have signed elsewhere before, and so may all
// that it is configured with. The issuer's own, in a directory, have not.
func TestIssuer_OwnKeyWithoutKeyID(t *testing.T) {
	t.Parallel()
	own := `{"iss":"localhost","sub":"bob","aud":["my-db"],"exp":4102444800}`
	signer, retired := newKey(t), newKey(t)
	l := newLocal(t, localissuer.Config{Signer: signer, RetiredKeys: []crypto.PublicKey{retired.Public()}})
	for _, key := range []*ecdsa.PrivateKey{signer, retired} {
		wants(t, trusting(t, l), signAs(t, key, "JWT", own), nil)
	}
	wants(t, trusting(t, l), signAs(t, newKey(t), "JWT", own), oidcauth.ErrSignature)
}
