package verify_test

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hostile"
)

// What says that a token has expired has seen a good signature: a caller that
// forgives expiry must not thereby forgive forgery.
func TestAuthenticate_ExpiredMeansSigned(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	expired := w.WithClaims(hostile.Claims(hostile.URL).Set("exp", "1700000060"))
	if _, err := w.Authenticate(expired)(); !errors.Is(err, oidcauth.ErrExpired) {
		t.Fatalf("Authenticate() error = %v, want %v", err, oidcauth.ErrExpired)
	}
	reasons := map[error]int{}
	for range 4000 {
		mutant := mutate(t, random, expired)
		if mutant == expired {
			continue
		}
		c, err := w.Authenticate(mutant)()
		if err == nil || c != nil {
			t.Fatalf("accepted a mutant: %q", mutant)
		}
		if errors.Is(err, oidcauth.ErrExpired) {
			t.Fatalf("Authenticate() error = %v for a mutant: %q", err, mutant)
		}
		authtest.CheckText(t, err.Error(), mutant)
		for _, sentinel := range authtest.Sentinels {
			if errors.Is(err, sentinel) {
				reasons[sentinel]++
			}
		}
	}
	for _, want := range []error{oidcauth.ErrMalformedToken, oidcauth.ErrSignature, oidcauth.ErrUnknownIssuer, oidcauth.ErrAlgorithm} {
		if reasons[want] == 0 {
			t.Errorf("no mutant was refused with %q: %v", want, reasons)
		}
	}
}

// mutate changes a token at random: its text, or what a part of it stands for.
func mutate(t *testing.T, random *rand.Rand, tok string) string {
	if random.IntN(4) == 0 {
		return mutateBytes(random, tok)
	}
	p := strings.Split(tok, ".")
	i := random.IntN(len(p))
	text := hostile.Decode(t, p[i])
	for range 1 + random.IntN(2) {
		text = mutateBytes(random, text)
	}
	p[i] = base64.RawURLEncoding.EncodeToString([]byte(text))
	return strings.Join(p, ".")
}

// mutateBytes changes one byte, or repeats, drops or adds a few.
func mutateBytes(random *rand.Rand, text string) string {
	i := random.IntN(len(text) - 8)
	switch random.IntN(5) {
	case 0:
		return text[:i] + string([]byte{text[i] ^ 1<<random.IntN(8)}) + text[i+1:]
	case 1:
		return text[:i] + text[i+1+random.IntN(4):]
	case 2:
		return text[:i] + text[i:i+4] + text[i:]
	case 3:
		return text[:i] + string([]byte{byte(random.IntN(256))}) + text[i:]
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return text[:i] + letters[random.IntN(len(letters)):][:1] + text[i+1:]
}

// Every check has a fault, but for what is revoked, which no token says of itself.
func TestFaults_EachCheck(t *testing.T) {
	t.Parallel()
	for _, check := range checkOrder {
		hasFault := slices.ContainsFunc(hostile.Faults(), func(f hostile.Fault) bool { return f.Check == check })
		if !hasFault && check != "revocation" {
			t.Errorf("faults() has none for the check %q", check)
		}
	}
}

// TestAuthenticate_Order gives tokens with two faults, for all pairs, and
// tokens with all faults from one on: the earliest check decides, alone.
func TestAuthenticate_Order(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	all := hostile.Faults()
	if _, err := w.Authenticate(w.Faulty())(); err != nil {
		t.Fatalf("no fault: %v", err)
	}
	expect := func(first hostile.Fault, given ...hostile.Fault) {
		t.Helper()
		_, err := w.Authenticate(w.Faulty(given...))()
		authtest.CheckSole(t, err, first.Want)
		if refusal, ok := errors.AsType[*oidcauth.Refusal](err); ok && refusal.Check != first.Check {
			t.Errorf("%s: check = %q, want %q", first.Name, refusal.Check, first.Check)
		}
		if t.Failed() {
			t.Fatalf("with the faults %+v", given)
		}
	}
	for i, first := range all {
		expect(first, first)
		rest := []hostile.Fault{first}
		for _, second := range all[i+1:] {
			if second.Check == first.Check {
				continue // they change the same claim
			}
			expect(first, first, second)
			expect(first, second, first)
			rest = append(rest, second)
		}
		expect(first, rest...)
	}
}

// A token over the size limit is refused for that, whatever else it is.
func TestAuthenticate_SizeFirst(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	for _, f := range hostile.Faults() {
		if f.Check == "form" {
			continue
		}
		_, err := w.Authenticate(w.Faulty(f, hostile.TooLarge()))()
		authtest.CheckSole(t, err, oidcauth.ErrMalformedToken)
	}
}
