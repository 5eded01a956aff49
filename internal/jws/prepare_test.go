package jws_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// preparable are the algorithms whose keys may be prepared.
var preparable = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"}

func parsed(tb testing.TB, text string) *jws.Token {
	tb.Helper()
	token := new(jws.Token)
	if _, err := token.Parse(nil, text, maxBytes); err != nil {
		tb.Fatal(err)
	}
	return token
}

// needPreparing skips a test where the standard library alone may check signatures.
func needPreparing(tb testing.TB) {
	tb.Helper()
	if !sigcheck.Enabled() {
		tb.Skip("keys are not prepared in FIPS 140 mode, nor with the tag oidcauth_stdcrypto")
	}
}

// TestKey_Prepare prepares a key by a token of each algorithm, and verifies tokens of
// all algorithms that the key permits as before.
func TestKey_Prepare(t *testing.T) {
	needPreparing(t)
	for _, by := range preparable {
		key := testKey(t, by)
		if err := key.Prepare(parsed(t, sign(t, by, testSigner(t, by), headerFor(by), goodPayload))); err != nil || key.Prepared() == 0 {
			t.Fatalf("%s: Prepare() error = %v, Prepared() = %v, want none and some bytes", by, err, key.Prepared())
		}
		for _, alg := range algorithms {
			token := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
			var want error
			if !key.Permits(alg) {
				want = jws.ErrSignature
			}
			if err := verify(t, key, token); !errors.Is(err, want) {
				t.Errorf("prepared by %s: Verify() of %s: error = %v, want %v", by, alg, err, want)
			}
			signature := signatureOf(t, token)
			signature[len(signature)/3] ^= 1
			if err := verify(t, key, withSignature(token, signature)); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("prepared by %s: Verify() of %s with a bit changed: error = %v, want %v", by, alg, err, jws.ErrSignature)
			}
		}
		if bytes := key.Prepared(); key.Discard() != bytes || key.Prepared() != 0 || key.Discard() != 0 {
			t.Errorf("%s: Discard() does not undo it once", by)
		}
	}
}

// TestKey_Prepare_KnownAnswer requires a signature by which to prepare a key to be one
// of its own, by the standard library's verdict.
func TestKey_Prepare_KnownAnswer(t *testing.T) {
	needPreparing(t)
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, otherEd, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	others := map[string]crypto.Signer{"RS256": otherRSA, "PS256": otherRSA, "EdDSA": otherEd}
	for alg, other := range others {
		good := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
		ec := sign(t, "ES256", testSigner(t, "ES256"), headerFor("ES256"), goodPayload)
		for name, tt := range map[string]struct {
			token string
			want  error
		}{
			"good":                          {good, nil},
			"by another key":                {sign(t, alg, other, headerFor(alg), goodPayload), jws.ErrSignature},
			"for another message":           {withSignature(signed(t, headerFor(alg), `{}`), signatureOf(t, good)), jws.ErrSignature},
			"of an algorithm of other keys": {ec, jws.ErrSignature},
			"of no algorithm":               {withSignature(signed(t, headerFor("none"), goodPayload), signatureOf(t, good)), jws.ErrSignature},
		} {
			key := testKey(t, alg)
			if err := key.Prepare(parsed(t, tt.token)); !errors.Is(err, tt.want) || (key.Prepared() != 0) != (tt.want == nil) {
				t.Errorf("%s, %s: Prepare() error = %v, Prepared() = %v, want %v", alg, name, err, key.Prepared(), tt.want)
			}
		}
		if key := testKey(t, alg); !errors.Is(key.Prepare(new(jws.Token)), jws.ErrSignature) || key.Prepared() != 0 {
			t.Errorf("%s: prepared by a token that was not parsed", alg)
		}
		if key := testKey(t, alg); !errors.Is(key.PrepareBytes(alg, nil, nil), jws.ErrSignature) || key.Prepared() != 0 {
			t.Errorf("%s: prepared by an empty signature", alg)
		}
	}
}

// TestKey_Prepare_Disagreement adopts no prepared key that gives another answer than
// the standard library: here, because it is another key's.
func TestKey_Prepare_Disagreement(t *testing.T) {
	needPreparing(t)
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, otherEd, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for alg, signer := range map[string]crypto.Signer{"RS256": otherRSA, "PS256": otherRSA, "EdDSA": otherEd} {
		other, err := jws.NewKey("k1", "", "", nil, signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		signature := signBytes(t, alg, testSigner(t, alg), "text")
		for name, tt := range map[string]struct {
			from *jws.Key
			want error
		}{"its own": {testKey(t, alg), nil}, "another's": {other, jws.ErrDisagreement}} {
			key := testKey(t, alg)
			if err := key.AdoptPrepared(tt.from, alg, []byte("text"), signature); !errors.Is(err, tt.want) || (key.Prepared() != 0) != (tt.want == nil) {
				t.Errorf("%s, %s: error = %v, Prepared() = %v, want %v", alg, name, err, key.Prepared(), tt.want)
			}
			if err := key.VerifyBytes(alg, []byte("text"), signature); err != nil {
				t.Errorf("%s, %s: VerifyBytes() error = %v, want none", alg, name, err)
			}
		}
	}
}

// A check that accepts everything, or nothing, is not the standard library's.
func TestKey_Prepare_Agree(t *testing.T) {
	t.Parallel()
	good := []byte("signature")
	exact := func(signature []byte) bool { return bytes.Equal(signature, good) }
	for _, tt := range []struct {
		name string
		ours func([]byte) bool
		want bool
	}{
		{"one that does as the standard", exact, true},
		{"one that accepts everything", func([]byte) bool { return true }, false},
		{"one that accepts nothing", func([]byte) bool { return false }, false},
		{"one that accepts the contrary", func(signature []byte) bool { return !exact(signature) }, false},
	} {
		if got := jws.Agree(tt.ours, exact, good); got != tt.want || string(good) != "signature" {
			t.Errorf("%s agrees: %t, want %t; the signature is %q", tt.name, got, tt.want, good)
		}
	}
}

// TestKey_Prepare_OtherKeys leaves keys alone for which there is nothing to prepare.
func TestKey_Prepare_OtherKeys(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "ES512"} {
		key := testKey(t, alg)
		token := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
		if err := key.Prepare(parsed(t, token)); !errors.Is(err, jws.ErrNoPreparing) || key.Prepared() != 0 || key.Preparable() {
			t.Errorf("%s: Prepare() error = %v, want %v", alg, err, jws.ErrNoPreparing)
		}
		if err := verify(t, key, token); err != nil {
			t.Errorf("%s: Verify() error = %v, want none", alg, err)
		}
	}
	var zero jws.Key
	if err := zero.Prepare(new(jws.Token)); !errors.Is(err, jws.ErrNoPreparing) || zero.Preparable() || zero.Prepared() != 0 || zero.Discard() != 0 {
		t.Errorf("the zero Key: Prepare() error = %v, want %v", err, jws.ErrNoPreparing)
	}
}

// TestKey_Prepare_StandardOnly leaves all to the standard library where it has to be
// so: with the tag oidcauth_stdcrypto, and in FIPS 140-3 mode, for which the test
// starts itself once more.
func TestKey_Prepare_StandardOnly(t *testing.T) {
	if sigcheck.Enabled() {
		if strings.Contains(os.Getenv("GODEBUG"), "fips140=on") {
			t.Fatal("keys may be prepared in FIPS 140-3 mode")
		}
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestKey_Prepare_StandardOnly$")
		command.Env = append(os.Environ(), "GODEBUG=fips140=on")
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "standard library alone") {
			t.Errorf("in FIPS 140-3 mode: %v\n%s", err, output)
		}
		return
	}
	t.Log("standard library alone")
	for _, alg := range preparable {
		key := testKey(t, alg)
		token := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
		if err := key.Prepare(parsed(t, token)); !errors.Is(err, jws.ErrNoPreparing) || key.Prepared() != 0 || key.Preparable() {
			t.Errorf("%s: Prepare() error = %v, want %v", alg, err, jws.ErrNoPreparing)
		}
		if err := verify(t, key, token); err != nil {
			t.Errorf("%s: Verify() error = %v, want none", alg, err)
		}
	}
}

// TestKey_Prepare_Hostile requires the same verdicts of a key that was prepared and of
// one that was not, on whatever replaces a good signature.
func TestKey_Prepare_Hostile(t *testing.T) {
	needPreparing(t)
	for _, alg := range preparable {
		plain, key := testKey(t, alg), testKey(t, alg)
		token := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
		good := signatureOf(t, token)
		if err := key.Prepare(parsed(t, token)); err != nil {
			t.Fatal(err)
		}
		signatures := [][]byte{good, good[1:], good[:1], append([]byte{0}, good...), append(slices.Clone(good), 0), make([]byte, len(good)), []byte(strings.Repeat("\xff", len(good))), make([]byte, 3000)}
		for i := range good {
			changed := slices.Clone(good)
			changed[i] ^= byte(1 << (i % 8))
			signatures = append(signatures, changed)
		}
		for i, signature := range signatures {
			text := withSignature(token, signature)
			got, want := verify(t, key, text), verify(t, plain, text)
			if (got == nil) != (want == nil) || (got == nil) != (i == 0) {
				t.Errorf("%s: signature %x: prepared %v, not prepared %v", alg, signature, got, want)
			}
		}
	}
}

// TestKey_Prepare_Concurrently verifies while the key is prepared and discarded.
func TestKey_Prepare_Concurrently(t *testing.T) {
	for _, alg := range []string{"PS256", "EdDSA"} {
		key := testKey(t, alg)
		token := parsed(t, sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload))
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				for range 50 {
					if n == 0 {
						_ = key.Prepare(token) // in vain where it may not be
						key.Discard()
					}
					if err := key.Verify(token); err != nil {
						t.Errorf("%s: Verify() error = %v, want none", alg, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestKey_Prepare_Allocations requires a check with a prepared key to allocate no more
// than the payload.
func TestKey_Prepare_Allocations(t *testing.T) {
	needPreparing(t)
	for _, alg := range []string{"RS256", "PS256", "RS512", "EdDSA"} {
		token, _ := benchmarkToken(t, alg)
		key := testKey(t, alg)
		var again jws.Token
		if err := key.Prepare(parsed(t, token)); err != nil {
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(50, func() {
			var buf [24]jws.Member
			if _, err := again.Parse(buf[:0], token, maxBytes); err != nil {
				t.Fatal(err)
			}
			if err := key.Verify(&again); err != nil {
				t.Fatal(err)
			}
		})
		if got > 1 {
			t.Errorf("%s: got %v allocations, want one at most", alg, got)
		}
	}
}
