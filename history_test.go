package oidcauth_test

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestHistory presents to this library what has broken others, by the number
// under which it was published. Each row stands beside its twin.
func TestHistory(t *testing.T) {
	w := hostile.NewWorld(t)
	rsaKey := w.Keys["RS256"]
	goodRSA := hostile.Sign(rsaKey, hostile.Header(rsaKey), hostile.Claims(hostile.URL))
	good := w.WithClaims(hostile.Claims(hostile.URL))
	_, payload, signature := hostile.Parts(good)
	inPEM := hostile.PublicForms(t, rsaKey)["PEM"]
	thief := w.Evil.Key()
	unsigned := hostile.Encode(`{"alg":"none"}`) + "." + hostile.Encode(hostile.Claims(hostile.URL).String()) + "."
	claim := func(name, value string) string { return w.WithClaims(hostile.Claims(hostile.URL).Set(name, value)) }
	folded := w.WithClaims(hostile.Claims(hostile.URL).With("SUB", `"admin"`).With("ſub", `"root"`))
	tests := []struct {
		advisory, what string
		want           error
		bad, good      string
	}{
		{"CVE-2015-9235", "a public key as the secret of an HMAC", oidcauth.ErrAlgorithm, hostile.HMAC(crypto.SHA256, inPEM, hostile.Header(rsaKey).Set("alg", `"HS256"`)), goodRSA},
		{"CVE-2016-10555", "the same, with the algorithm of the key in the header", oidcauth.ErrSignature, hostile.HMAC(crypto.SHA256, inPEM, hostile.Header(rsaKey)), goodRSA},
		{"CVE-2015-2951", "no algorithm, no signature", oidcauth.ErrMalformedToken, unsigned, good},
		{"CVE-2018-1000531", "no algorithm, a signature", oidcauth.ErrAlgorithm, unsigned + signature, good},
		{"CVE-2020-28042", "an empty signature under a good algorithm", oidcauth.ErrMalformedToken, hostile.Encode(hostile.Header(w.Key()).String()) + "." + payload + ".", good},
		{"CVE-2026-22817", "no algorithm in the key, HMAC in the header", oidcauth.ErrAlgorithm, hostile.HMAC(crypto.SHA256, hostile.PublicForms(t, w.Key())["JWK"], hostile.Header(w.Key()).Set("alg", `"HS256"`)), good},
		{"CVE-2026-29000", "an encrypted token around an unsigned one", oidcauth.ErrMalformedToken, hostile.Encode(`{"alg":"RSA-OAEP-256","enc":"A128GCM","cty":"JWT"}`) + ".AA.AA." + hostile.Encode(unsigned) + ".AA", good},
		{"CVE-2026-27962", "the key in the header", oidcauth.ErrUnknownKey, hostile.Sign(thief, hostile.Header(thief).With("jwk", string(thief.JWK())), hostile.Claims(hostile.URL)), good},
		{"CVE-2018-0114", "the key in the header under a known key ID", oidcauth.ErrSignature, hostile.Sign(thief, hostile.Header(w.Key()).With("jwk", string(thief.JWK())), hostile.Claims(hostile.URL)), good},
		{"CVE-2024-28180", "compression", oidcauth.ErrMalformedToken, w.WithHeader(hostile.Header(w.Key()).With("zip", `"DEF"`)), good},
		{"CVE-2023-50658", "a password with a billion rounds", oidcauth.ErrMalformedToken, hostile.Encode(`{"alg":"PBES2-HS512+A256KW","enc":"A128GCM","p2c":1000000000,"p2s":"AA"}`) + ".AA.AA.AA.AA", good},
		{"CVE-2024-21664", "JSON serialization without a protected header", oidcauth.ErrMalformedToken, `{"payload":"` + payload + `","signature":"` + signature + `"}`, good},
		{"CVE-2020-26160", "an audience of the wrong type", oidcauth.ErrClaim, claim("aud", `[1]`), good},
		{"CVE-2020-26160", "an empty audience", oidcauth.ErrAudience, claim("aud", `[]`), good},
		{"CVE-2024-51744", "expired and forged", oidcauth.ErrSignature, hostile.SpoilSignature(claim("exp", "1")), claim("exp", hostile.Expiry)},
		{"CVE-2026-25537", "an expiry of the wrong type", oidcauth.ErrClaim, claim("exp", `"`+hostile.Expiry+`"`), good},
		{"CVE-2026-25537", "a not-before time of the wrong type", oidcauth.ErrClaim, claim("nbf", `"`+hostile.Expiry+`"`), good},
		{"CVE-2022-21449", "a signature of zeros", oidcauth.ErrSignature, strings.TrimSuffix(good, signature) + hostile.Encode(strings.Repeat("\x00", 64)), good},
		{"CVE-2022-23539", "an RSA key for an ECDSA algorithm", oidcauth.ErrAlgorithm, hostile.Sign(rsaKey, hostile.Header(rsaKey).Set("alg", `"ES256"`), hostile.Claims(hostile.URL)), goodRSA},
		{"golang/go#14750", "a subject in capitals for one that is missing", oidcauth.ErrClaim, w.WithClaims(hostile.Claims(hostile.URL).Set("sub", "").With("SUB", `"admin"`).With("ſub", `"root"`)), folded},
		{"GHSA-4cf7-xm37-g63h", "a claim's name that ends the string", oidcauth.ErrMalformedToken, w.WithClaims(hostile.Claims(hostile.URL).With(`x":1,"sub":"admin","y`, "1")), w.WithClaims(hostile.Claims(hostile.URL).With(`x\":1,\"sub\":\"admin\",\"y`, "1"))},
	}
	for _, tt := range tests {
		t.Run(tt.advisory+" "+tt.what, func(t *testing.T) {
			c, err := w.Authenticate(tt.good)()
			if err != nil {
				t.Fatalf("the twin is refused: %v", err)
			}
			if c.Subject() != "alice" {
				t.Errorf("the twin is %q, want alice", c.Subject())
			}
			_, err = w.Authenticate(tt.bad)()
			checkSole(t, err, tt.want)
		})
	}
}

// CVE-2025-27144, CVE-2025-30204, CVE-2025-22868: memory in proportion to the
// dots in a token. Also with a limit that lets such tokens through to the parser.
func TestHistory_Dots(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, limit := range []int{0, 4 << 20} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenBytes: limit})
		for _, tok := range []string{strings.Repeat(".", 1<<20), "a." + strings.Repeat(".", 1<<20), strings.Repeat("a.", 1<<19)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			const runs = 20
			for range runs {
				if _, err := a.Authenticate(t.Context(), tok); !errors.Is(err, oidcauth.ErrMalformedToken) {
					t.Fatalf("Authenticate() error = %v, want %v", err, oidcauth.ErrMalformedToken)
				}
			}
			runtime.ReadMemStats(&after)
			if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > 64<<10 {
				t.Errorf("limit %d: %d bytes for a token of dots", limit, n)
			}
		}
	}
}

// A token full of names or of nesting takes time in proportion to its size.
func TestHistory_CostlyObjects(t *testing.T) {
	w := hostile.NewWorld(t)
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: hostile.URL, Audiences: []string{testAudience}}}, Client: w.Main.Client(), MaxTokenBytes: 8 << 20,
	})
	claims := hostile.Claims(hostile.URL).String()
	var names strings.Builder
	for n := range 200_000 {
		names.WriteString(`,"` + strings.Repeat("x", n%7) + string(rune('a'+n%26)) + strings.Repeat("y", n%5) + strconv.Itoa(n) + `":0`)
	}
	tok := w.Key().Sign([]byte(hostile.Header(w.Key()).String()), claims[:len(claims)-1]+names.String()+"}")
	start := time.Now()
	if _, err := a.Authenticate(t.Context(), tok); err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%v for a token of %d bytes: that is not linear", took, len(tok))
	}
}

// CVE-2026-40945: a token in a log, at any level.
func TestHistory_NoTokenInLogs(t *testing.T) {
	w := hostile.NewWorld(t)
	var log logBuffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 100, AddSource: true}))
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: w.Config.Issuers, Logger: logger, KeyCacheDir: filepath.Join(t.TempDir(), "keys"),
		Client: oidctest.Client(w.Main, w.By["other"], w.By["down"], w.By["ruled"]),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.QueryToken("access_token"),
			oidcauth.SubprotocolToken, oidcauth.CookieToken("session", "https://app.test")),
	})
	toks := []string{w.WithClaims(hostile.Claims(hostile.URL)), w.Of("other", nil), w.Of("down", nil), w.Of("ruled", nil), w.Evil.Token(nil)}
	for _, f := range hostile.Faults() {
		toks = append(toks, w.Faulty(f))
	}
	for _, tok := range toks {
		for _, c := range hostile.Carriers {
			for _, second := range []hostile.Carrier{{}, hostile.Carriers[0], hostile.Carriers[2]} {
				r := newRequest(t, "GET /")
				c.Put(r, tok)
				if second.Put != nil {
					second.Put(r, tok)
				}
				serve(a.Middleware(whoami), r)
			}
		}
	}
	a.Close()
	if !strings.Contains(log.String(), "request refused") {
		t.Fatalf("nothing in the log: %s", &log)
	}
	for _, tok := range toks {
		for _, form := range []string{tok, hostile.Encode(tok)} {
			checkText(t, log.String(), form)
		}
	}
}

// CVE-2025-64527, CVE-2024-45809: a fetch that fails, or that ends when the
// request it was for is gone, while others wait for it.
func TestHistory_FetchFailsUnderway(t *testing.T) {
	for _, f := range []oidctest.Fault{{Hang: true}, {Reset: true}, {Cut: true}, {Stall: true}, {Body: []byte(`{"keys":[`)}, {Body: []byte(`null`)}, oidctest.HTMLPage(200)} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.JWKS, f)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*5*time.Millisecond)
				defer cancel()
				if _, err := a.Authenticate(ctx, issuer.Token(nil)); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
					t.Errorf("%+v: Authenticate() error = %v, want %v", f, err, oidcauth.ErrKeysUnavailable)
				}
			})
		}
		wg.Wait()
		a.Close()
	}
}
