package ticket_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/ticket"
)

// A ticket may be by so much longer than the token that it stands for.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	for token, want := range map[int]int{0: 5120, 9: 5136, 9000: 21120} {
		if got := ticket.MaxBytes(token); got != want {
			t.Errorf("MaxBytes(%d) = %d, want %d", token, got, want)
		}
	}
}

// What a ticket says is written as it is, without the escapes for HTML.
func TestBody_Encode(t *testing.T) {
	t.Parallel()
	payload, err := (&ticket.Body{Issuer: "https://i.test/?a&b", Database: "<chat>"}).Encode()
	if err != nil || !bytes.Contains(payload, []byte(`"https://i.test/?a&b"`)) || !bytes.Contains(payload, []byte(`"<chat>"`)) {
		t.Errorf("Encode() = %s, error %v, want the names as they are", payload, err)
	}
}

// Where no secret is configured, it is the process's own and nobody's guess: that of
// neither nothing nor zeros.
func TestExternalSecret(t *testing.T) {
	t.Parallel()
	secret := func(configured []byte, keyID string) []byte {
		t.Helper()
		got, err := ticket.ExternalSecret(configured, keyID)
		if err != nil || len(got) != 32 {
			t.Fatalf("ExternalSecret() = %d bytes, error %v, want 32", len(got), err)
		}
		return got
	}
	derived := func(from []byte) []byte {
		t.Helper()
		key, err := hkdf.Key(sha256.New, from, nil, "oidcauth ticket secret k", 32)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	own, configured := secret(nil, "k"), []byte(strings.Repeat("1", 32))
	if !bytes.Equal(own, secret(nil, "k")) || bytes.Equal(own, secret(nil, "other")) {
		t.Error("the process's secret is not one for each key")
	}
	// Where FIPS 140 alone is allowed nothing is derived from nothing.
	ofNothing, err := hkdf.Key(sha256.New, nil, nil, "oidcauth ticket secret k", 32)
	if err == nil && bytes.Equal(own, ofNothing) || bytes.Equal(own, derived(make([]byte, ticket.MinSecret))) {
		t.Error("the process's secret can be guessed")
	}
	if !bytes.Equal(secret(configured, "k"), derived(configured)) {
		t.Error("those who share a secret do not open each other's tickets")
	}
}
