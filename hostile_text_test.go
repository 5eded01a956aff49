package oidcauth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// What says that a token has expired has seen a good signature: a caller that
// forgives expiry must not thereby forgive forgery.
func TestAuthenticate_ExpiredMeansSigned(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	expired := w.withClaims(goodClaims(mainURL).set("exp", "1700000060"))
	if _, err := w.authenticate(expired)(); !errors.Is(err, oidcauth.ErrExpired) {
		t.Fatalf("Authenticate() error = %v, want %v", err, oidcauth.ErrExpired)
	}
	reasons := map[error]int{}
	for range 4000 {
		mutant := mutate(t, random, expired)
		if mutant == expired {
			continue
		}
		c, err := w.authenticate(mutant)()
		if err == nil || c != nil {
			t.Fatalf("accepted a mutant: %q", mutant)
		}
		if errors.Is(err, oidcauth.ErrExpired) {
			t.Fatalf("Authenticate() error = %v for a mutant: %q", err, mutant)
		}
		checkText(t, err.Error(), mutant)
		for _, sentinel := range sentinels {
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
	text := decodePart(t, p[i])
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

// checkText fails if a text that is fit for a log contains a part of the token.
func checkText(t *testing.T, text, tok string) {
	t.Helper()
	for part := range strings.SplitSeq(tok, ".") {
		if len(part) >= 16 && strings.Contains(text, part) {
			t.Errorf("a part of the token is in %q", text)
		}
	}
}

// No text of a refusal contains the token, in whole or in part.
func TestHostile_TextWithoutToken(t *testing.T) {
	w := newWorld(t)
	for _, row := range everyHostile(t, w) {
		_, err := row.bad()
		if err == nil || row.badToken == "" {
			continue
		}
		checkText(t, err.Error(), row.badToken)
		refusal, _ := errors.AsType[*oidcauth.Refusal](err)
		checkText(t, refusal.Got+refusal.Want+fmt.Sprintf("%+v", refusal), row.badToken)
		if len(err.Error()) > 2000 {
			t.Errorf("%s: a text of %d bytes: %s", row.name, len(err.Error()), err)
		}
	}
}

// A value that the caller chooses is cut before it reaches a log.
func TestAuthenticate_LongValues(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "%03d-", i)
	}
	long := b.String()
	value := `"` + long + `"`
	in := func(host string, change func(h, c members) (members, members)) string { return w.of(host, change) }
	claim := func(host, name, value string) string {
		return in(host, func(h, c members) (members, members) { return h, c.set(name, value) })
	}
	header := func(name, value string) string {
		return in("other", func(h, c members) (members, members) { return h.set(name, value), c })
	}
	wide := `"` + strings.Repeat(`\u20ac\u0000\ud83d\ude00`, 300) + `"`
	tests := []struct {
		name, tok string
		want      error
	}{
		{"iss", claim("other", "iss", value), oidcauth.ErrClaim},
		{"iss of 128 bytes", claim("other", "iss", `"`+long[:128]+`"`), oidcauth.ErrUnknownIssuer},
		{"sub", claim("other", "sub", `"`+strings.Repeat(long, 1+2048/len(long))+`"`), oidcauth.ErrClaim},
		{"aud", claim("other", "aud", value), oidcauth.ErrAudience},
		{"many aud", claim("other", "aud", "["+strings.Repeat(value+",", 4)+value+"]"), oidcauth.ErrAudience},
		{"hundreds of aud", claim("other", "aud", `["`+strings.Join(strings.Split(long, "-"), `","`)+`"]`), oidcauth.ErrAudience},
		{"client_id", claim("client", "client_id", value), oidcauth.ErrAudience},
		{"hex_identity", claim("other", "hex_identity", value), oidcauth.ErrClaim},
		{"rule", claim("ruled", "email_verified", value), oidcauth.ErrRule},
		{"roles", claim("program", "roles", value), oidcauth.ErrRule},
		{"exp", claim("other", "exp", strings.Repeat("1", 250)), oidcauth.ErrClaim},
		{"a name twice", in("other", func(h, c members) (members, members) { return h, c.with(long, "1").with(long, "2") }), oidcauth.ErrMalformedToken},
		{"alg", header("alg", value), oidcauth.ErrAlgorithm},
		{"kid", header("kid", value), oidcauth.ErrUnknownKey},
		{"typ", header("typ", value), oidcauth.ErrTokenType},
		{"typ of wide characters", header("typ", wide), oidcauth.ErrTokenType},
		{"aud of wide characters", claim("other", "aud", wide), oidcauth.ErrAudience},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.authenticate(tt.tok)()
			checkSole(t, err, tt.want)
			for _, text := range []string{err.Error(), w.auth.Explain(t.Context(), tt.tok).String()} {
				for i := 0; i+129 <= len(long); i++ {
					if strings.Contains(text, long[i:i+129]) {
						t.Fatalf("129 bytes of the value are in %q", text)
					}
				}
				if strings.ContainsAny(text, "\x00\r") {
					t.Errorf("control characters in %q", text)
				}
				checkText(t, text, tt.tok)
			}
			if n := len(err.Error()); n > 2000 {
				t.Errorf("a text of %d bytes: %s", n, err)
			}
		})
	}
}
