package keyset_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// signingKey is the nth of the keys that sign.
func signingKey(n int) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(fmt.Sprint(n)))
	return ed25519.NewKeyFromSeed(seed[:])
}

// fastToken is a token signed by the nth key, or by nobody.
func fastToken(tb testing.TB, n int, good bool) *jws.Token {
	tb.Helper()
	input := encode([]byte(`{"alg":"EdDSA"}`)) + "." + encode([]byte(`{}`))
	signature := ed25519.Sign(signingKey(n), []byte(input))
	if !good {
		signature[10] ^= 1
	}
	token := new(jws.Token)
	if _, err := token.Parse(nil, input+"."+base64.RawURLEncoding.EncodeToString(signature), 1<<10); err != nil {
		tb.Fatal(err)
	}
	return token
}

func fixed(tb testing.TB, from, to int) *keyset.Set {
	tb.Helper()
	if !sigcheck.Enabled() {
		tb.Skip("keys are not prepared in FIPS 140 mode, nor with the tag oidcauth_stdcrypto")
	}
	s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: document(from, to)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// document has the keys from one number to another.
func document(from, to int) []byte {
	var keys []string
	for n := from; n < to; n++ {
		public := signingKey(n).Public().(ed25519.PublicKey)
		keys = append(keys, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"%d","x":%q}`, n, encode(public)))
	}
	return []byte(jwks(keys...))
}

// sign verifies a good token by key n and reports whether the key is prepared then.
func sign(tb testing.TB, s *keyset.Set, n int) bool {
	tb.Helper()
	key := mustKeys(tb, s, fmt.Sprint(n))[0]
	if err := key.Verify(fastToken(tb, n, true)); err != nil {
		tb.Fatalf("Verify() by key %d: error = %v, want none", n, err)
	}
	return key.Prepared() != 0
}

// TestKey_Prepared prepares a key with its first good token and with nothing else, and
// keeps it so from one document to the next, until the key leaves the set.
func TestKey_Prepared(t *testing.T) {
	s := fixed(t, 0, 3)
	first, second := mustKeys(t, s, "0")[0], mustKeys(t, s, "1")[0]
	if first.Verify(fastToken(t, 0, false)) == nil || first.Verify(fastToken(t, 1, true)) == nil || first.Prepared() != 0 {
		t.Error("prepared by a token that it did not sign")
	}
	if !sign(t, s, 0) || !sign(t, s, 1) {
		t.Error("not prepared by the first good token")
	}
	if first.Verify(fastToken(t, 0, false)) == nil || first.Verify(fastToken(t, 1, true)) == nil {
		t.Error("the prepared key verifies what it did not sign")
	}
	if err := s.Adopt(document(1, 4)); err != nil {
		t.Fatal(err)
	}
	if first.Prepared() != 0 || second.Prepared() == 0 || mustKeys(t, s, "1")[0] != second {
		t.Errorf("the key that left takes %d bytes, the one that stayed %d", first.Prepared(), second.Prepared())
	}
	if first.Verify(fastToken(t, 0, true)) != nil || first.Prepared() != 0 {
		t.Error("a key that left the set is prepared again")
	}
	third := mustKeys(t, s, "2")[0]
	if err := s.Adopt(document(3, 4)); err != nil {
		t.Fatal(err)
	}
	if third.Verify(fastToken(t, 2, true)) != nil || third.Prepared() != 0 {
		t.Error("a key that left the set is prepared by its first token")
	}
}

// TestKey_Prepared_Bounded prepares keys of a set until they take 16 KiB, which is 86
// Ed25519 keys. All verify, and a key that leaves makes room for another.
func TestKey_Prepared_Bounded(t *testing.T) {
	const most = 86
	s := fixed(t, 0, 100)
	for range 2 {
		for n := range 100 {
			if got, want := sign(t, s, n), n < most; got != want {
				t.Errorf("key %d is prepared: %t, want %t", n, got, want)
			}
		}
	}
	if err := s.Adopt(document(5, 100)); err != nil {
		t.Fatal(err)
	}
	for n := 99; n >= 5; n-- {
		if got, want := sign(t, s, n), n < most || n >= 95; got != want {
			t.Errorf("after five have left, key %d is prepared: %t, want %t", n, got, want)
		}
	}
	if err := s.Withdraw(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(document(200, 290)); err != nil {
		t.Fatal(err)
	}
	for n := 200; n < 290; n++ {
		if got, want := sign(t, s, n), n < 200+most; got != want {
			t.Errorf("after all have left, key %d is prepared: %t, want %t", n, got, want)
		}
	}
}

// TestKey_Prepared_Memory bounds what the prepared keys of a set take: the last one
// may exceed 16 KiB, and is no larger than a set accepts.
func TestKey_Prepared_Memory(t *testing.T) {
	n := new(big.Int).SetBit(big.NewInt(1), jose.MaxRSAModulusBits-1, 1)
	key, err := sigcheck.NewRSA(&rsa.PublicKey{N: n, E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := 16<<10+key.Bytes(), 18<<10; got > want || jose.MaxRSAModulusBits != 4096 {
		t.Errorf("prepared keys take up to %d bytes at %d bits, want %d at most", got, jose.MaxRSAModulusBits, want)
	}
}

// TestKey_Prepared_Concurrently verifies with keys while they are prepared, leave and
// come back.
func TestKey_Prepared_Concurrently(t *testing.T) {
	s := fixed(t, 0, 100)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 200 {
				if keys, err := s.Keys(t.Context(), jws.Named(fmt.Sprint(n%100))); err == nil {
					if err := keys[0].Verify(fastToken(t, n%100, true)); err != nil {
						t.Errorf("Verify() by key %d: error = %v, want none", n%100, err)
					}
				}
			}
		})
	}
	for n := range 20 {
		if err := s.Adopt(document(n*5, 100)); err != nil {
			t.Fatal(err)
		}
		if err := s.Adopt(document(0, 100)); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	prepared := 0
	for n := range 100 {
		if sign(t, s, n) {
			prepared++
		}
	}
	if prepared != 86 {
		t.Errorf("%d keys are prepared, want 86", prepared)
	}
}
