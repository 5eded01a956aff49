package oidcauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Whatever is wrong with a token or a request decides alone, and without it the
// same is accepted.
func TestHostile(t *testing.T) {
	w := hostile.NewWorld(t)
	rows := w.Rows()
	seen := map[error]bool{}
	for _, row := range rows {
		seen[row.Want] = true
		t.Run(row.Name, func(t *testing.T) {
			if c, err := row.Good(); err != nil {
				t.Errorf("the twin is refused: %v", err)
			} else if c == nil {
				t.Error("the twin is accepted without claims")
			}
			for range 2 {
				c, err := row.Bad()
				checkSole(t, err, row.Want)
				if c != nil {
					t.Errorf("refused with claims: %s", c.Payload())
				}
			}
		})
	}
	if n := w.Evil.Fetches(); n != (oidctest.Fetches{}) {
		t.Errorf("an address in a token was fetched: %+v", n)
	}
	if n := w.Main.Fetches().Other; n != 0 {
		t.Errorf("%d requests to addresses in tokens", n)
	}
	if len(rows) < 1000 {
		t.Errorf("%d rows: some of the tables are gone", len(rows))
	}
	for name, sentinel := range sentinels {
		if !seen[sentinel] {
			t.Errorf("%s has no row: nobody has seen it work", name)
		}
	}
}

// What says that a token has expired has seen a good signature: a caller that
// forgives expiry must not thereby forgive forgery.
func TestAuthenticate_ExpiredMeansSigned(t *testing.T) {
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
	w := hostile.NewWorld(t)
	for _, row := range w.Rows() {
		_, err := row.Bad()
		if err == nil || row.BadToken == "" {
			continue
		}
		checkText(t, err.Error(), row.BadToken)
		refusal, _ := errors.AsType[*oidcauth.Refusal](err)
		checkText(t, refusal.Got+refusal.Want+fmt.Sprintf("%+v", refusal), row.BadToken)
		if len(err.Error()) > 2000 {
			t.Errorf("%s: a text of %d bytes: %s", row.Name, len(err.Error()), err)
		}
	}
}

// A value that the caller chooses is cut before it reaches a log.
func TestAuthenticate_LongValues(t *testing.T) {
	w := hostile.NewWorld(t)
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "%03d-", i)
	}
	long := b.String()
	value := `"` + long + `"`
	in := func(host string, change func(h, c hostile.Members) (hostile.Members, hostile.Members)) string {
		return w.Of(host, change)
	}
	claim := func(host, name, value string) string {
		return in(host, func(h, c hostile.Members) (hostile.Members, hostile.Members) { return h, c.Set(name, value) })
	}
	header := func(name, value string) string {
		return in("other", func(h, c hostile.Members) (hostile.Members, hostile.Members) { return h.Set(name, value), c })
	}
	wide := `"` + strings.Repeat(`\u20ac\u0000\ud83d\ude00`, 300) + `"`
	tests := []struct {
		name, tok string
		want      error
	}{
		{"iss", claim("other", "iss", value), oidcauth.ErrClaim},
		{"iss of 128 bytes", claim("other", "iss", `"`+long[:128]+`"`), oidcauth.ErrUnknownIssuer},
		{"sub", claim("other", "sub", value), oidcauth.ErrClaim},
		{"aud", claim("other", "aud", value), oidcauth.ErrAudience},
		{"many aud", claim("other", "aud", "["+strings.Repeat(value+",", 4)+value+"]"), oidcauth.ErrAudience},
		{"hundreds of aud", claim("other", "aud", `["`+strings.Join(strings.Split(long, "-"), `","`)+`"]`), oidcauth.ErrAudience},
		{"client_id", claim("client", "client_id", value), oidcauth.ErrAudience},
		{"hex_identity", claim("other", "hex_identity", value), oidcauth.ErrClaim},
		{"rule", claim("ruled", "email_verified", value), oidcauth.ErrRule},
		{"roles", claim("program", "roles", value), oidcauth.ErrRule},
		{"exp", claim("other", "exp", strings.Repeat("1", 250)), oidcauth.ErrClaim},
		{"a name twice", in("other", func(h, c hostile.Members) (hostile.Members, hostile.Members) {
			return h, c.With(long, "1").With(long, "2")
		}), oidcauth.ErrMalformedToken},
		{"alg", header("alg", value), oidcauth.ErrAlgorithm},
		{"kid", header("kid", value), oidcauth.ErrUnknownKey},
		{"typ", header("typ", value), oidcauth.ErrTokenType},
		{"typ of wide characters", header("typ", wide), oidcauth.ErrTokenType},
		{"aud of wide characters", claim("other", "aud", wide), oidcauth.ErrAudience},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Authenticate(tt.tok)()
			checkSole(t, err, tt.want)
			for _, text := range []string{err.Error(), w.Auth.Explain(t.Context(), tt.tok).String()} {
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

// Every check has a fault, but for what is revoked, which no token says of itself.
func TestFaults_EachCheck(t *testing.T) {
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
	w := hostile.NewWorld(t)
	all := hostile.Faults()
	if _, err := w.Authenticate(w.Faulty())(); err != nil {
		t.Fatalf("no fault: %v", err)
	}
	expect := func(first hostile.Fault, given ...hostile.Fault) {
		t.Helper()
		_, err := w.Authenticate(w.Faulty(given...))()
		checkSole(t, err, first.Want)
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
	w := hostile.NewWorld(t)
	for _, f := range hostile.Faults() {
		if f.Check == "form" {
			continue
		}
		_, err := w.Authenticate(w.Faulty(f, hostile.TooLarge()))()
		checkSole(t, err, oidcauth.ErrMalformedToken)
	}
}

// A rule that panics is the program's fault and the program's to see; the
// Authenticator goes on working.
func TestAuthenticate_RulePanics(t *testing.T) {
	w := hostile.NewWorld(t)
	issuer := w.By["other"]
	fail := true
	a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{{
		URL: issuer.URL(), Audiences: []string{testAudience},
		Rules: []oidcauth.Rule{func(*oidcauth.Claims) error {
			if fail {
				panic("rule")
			}
			return nil
		}},
	}}})
	tok := issuer.Token(map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Hour)})
	present := func() (recovered any, err error) {
		defer func() { recovered = recover() }()
		_, err = a.Authenticate(t.Context(), tok)
		return nil, err
	}
	for range 3 {
		if recovered, _ := present(); recovered != "rule" {
			t.Errorf("recovered %v, want the rule's panic", recovered)
		}
		fail = false
		if recovered, err := present(); err != nil || recovered != nil {
			t.Errorf("Authenticate() error = %v, panic %v after the rule was mended", err, recovered)
		}
		fail = true
	}
}

// The context of a call on a session ends with the refusal of the session's
// token. That is no verdict on a token that was waiting for its key meanwhile:
// least of all may ErrExpired stand for a signature that nobody has checked.
func TestAuthenticate_CauseIsNoVerdict(t *testing.T) {
	causes := []error{oidcauth.ErrExpired, oidcauth.ErrRevoked, oidcauth.ErrForbidden, oidcauth.ErrNoToken}
	silent := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	for _, tt := range []struct {
		name string
		cfg  oidcauth.Config
		want error
	}{
		{"configured issuer", oidcauth.Config{Client: silent, Issuers: []oidcauth.Issuer{
			{URL: "https://slow.test", Audiences: []string{testAudience}},
		}}, oidcauth.ErrKeysUnavailable},
		{"any issuer", open(silent, oidcauth.AnyIssuer{}), oidcauth.ErrUnknownIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthenticator(t, tt.cfg)
				for _, cause := range causes {
					ctx, end := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { end(&oidcauth.Refusal{Err: cause}) })
					_, err := a.Authenticate(ctx, madeUp("https://slow.test"))
					checkSole(t, err, tt.want)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Authenticate() error = %v, want %v too", err, context.Canceled)
					}
					end(nil)
				}
			})
		})
	}
}
