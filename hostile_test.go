package oidcauth_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Whatever is wrong with a token or a request decides alone, and without it the
// same is accepted.
func TestHostile(t *testing.T) {
	t.Parallel()
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
				if err != nil && row.BadToken != "" {
					checkRefusalText(t, err, row.BadToken)
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

// checkRefusalText fails the test if a text of the refusal contains the token, in
// whole or in part, or is too long for a log.
func checkRefusalText(t *testing.T, err error, token string) {
	t.Helper()
	refusal, _ := errors.AsType[*oidcauth.Refusal](err)
	for _, text := range []string{err.Error(), refusal.Got + refusal.Want + fmt.Sprintf("%+v", refusal)} {
		authtest.CheckText(t, text, token)
	}
	if n := len(err.Error()); n > 2000 {
		t.Errorf("a text of %d bytes: %s", n, err)
	}
}

// A value that the caller chooses is cut before it reaches a log.
func TestAuthenticate_LongValues(t *testing.T) {
	t.Parallel()
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
		{"sub", claim("other", "sub", `"`+strings.Repeat(long, 1+2048/len(long))+`"`), oidcauth.ErrClaim},
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
				authtest.CheckText(t, text, tt.tok)
			}
			if n := len(err.Error()); n > 2000 {
				t.Errorf("a text of %d bytes: %s", n, err)
			}
		})
	}
}

// TestHistory presents to this library what has broken others, by the number
// under which it was published. Each row stands beside its twin.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	rsaKey := w.Keys["RS256"]
	goodRSA := hostile.Sign(rsaKey, hostile.Header(rsaKey), hostile.Claims(hostile.URL))
	good := w.WithClaims(hostile.Claims(hostile.URL))
	header, payload, signature := hostile.Parts(good)
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
		{"CVE-2026-48523", "an algorithm that is listed, and a signature by another", oidcauth.ErrSignature, hostile.Sign(rsaKey, hostile.Header(rsaKey).Set("alg", `"PS256"`), hostile.Claims(hostile.URL)), goodRSA},
		{"CVE-2026-32597", "an extension that is critical and that nobody knows", oidcauth.ErrMalformedToken, w.WithHeader(hostile.Header(w.Key()).With("crit", `["x"]`).With("x", "1")), w.WithHeader(hostile.Header(w.Key()).With("x", "1"))},
		{"CVE-2026-48525", "a payload that is not to be decoded", oidcauth.ErrMalformedToken, w.WithHeader(hostile.Header(w.Key()).With("b64", "false")), good},
		{"GHSA-jc38-x7x8-2xc8", "a token as a JSON object, which has room for a header that nobody signs", oidcauth.ErrMalformedToken, `{"payload":"` + payload + `","protected":"` + header + `","signature":"` + signature + `"}`, good},
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
	t.Parallel()
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
	t.Parallel()
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
			authtest.CheckText(t, log.String(), form)
		}
	}
}

// CVE-2025-64527, CVE-2024-45809: a fetch that fails, or that ends when the
// request it was for is gone, while others wait for it.
func TestHistory_FetchFailsUnderway(t *testing.T) {
	t.Parallel()
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

// What comes from the issuer's address may not come from the issuer. None of
// these answers gives keys, and none leads to an address that was not configured.
func TestKeySources_Hostile(t *testing.T) {
	t.Parallel()
	discovery := func(name string, value any) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{name: value}) }
	}
	fail := func(at oidctest.Endpoint, f oidctest.Fault) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.Fail(at, f) }
	}
	const evil = "https://evil.test/jwks.json"
	tests := []struct {
		name   string
		spoil  func(*oidctest.Issuer)
		accept bool
	}{
		{"nothing", func(*oidctest.Issuer) {}, true},
		{"discovery for another issuer", discovery("issuer", "https://evil.test"), false},
		{"discovery for an issuer with a slash", discovery("issuer", hostile.URL+"/"), false},
		{"discovery for no issuer", discovery("issuer", nil), false},
		{"discovery with the issuer in a list", discovery("issuer", []string{hostile.URL}), false},
		{"discovery with the key set nowhere", discovery("jwks_uri", nil), false},
		{"discovery with the key set over http", discovery("jwks_uri", "http://issuer.test/jwks.json"), false},
		{"discovery with the key set in a file", discovery("jwks_uri", "file:///etc/passwd"), false},
		{"discovery with the key set in capitals", func(i *oidctest.Issuer) {
			i.SetDiscovery(map[string]any{"jwks_uri": nil, "JWKS_URI": i.JWKSURL()})
		}, false},
		{"discovery as a web page", fail(oidctest.Discovery, oidctest.HTMLPage(200)), false},
		{"discovery that moved to another host", fail(oidctest.Discovery, oidctest.Fault{Redirect: "https://evil.test/.well-known/openid-configuration"}), false},
		{"key set that moved to another host", fail(oidctest.JWKS, oidctest.Fault{Redirect: evil}), false},
		{"key set that moved to another host for good", fail(oidctest.JWKS, oidctest.Fault{Redirect: evil, Status: http.StatusPermanentRedirect}), false},
		{"key set that moved to http", fail(oidctest.JWKS, oidctest.Fault{Redirect: "http://issuer.test/moved/jwks.json"}), false},
		{"key set that moved in a circle", fail(oidctest.JWKS, oidctest.Fault{Redirect: "/jwks.json"}), false},
		{"key set that moved on its host", fail(oidctest.JWKS, oidctest.Fault{Redirect: "/moved/jwks.json"}), true},
		{"key set of two mebibytes", fail(oidctest.JWKS, oidctest.Fault{Pad: 2 << 20}), false},
		{"key set of a hundred mebibytes, compressed", fail(oidctest.JWKS, oidctest.Fault{Pad: 100 << 20, Gzip: true}), false},
		{"key set of half a mebibyte", fail(oidctest.JWKS, oidctest.Fault{Pad: 1 << 19}), true},
		{"key set, compressed", fail(oidctest.JWKS, oidctest.Fault{Pad: 1 << 10, Gzip: true}), true},
		{"key set that is cut off", fail(oidctest.JWKS, oidctest.Fault{Cut: true}), false},
		{"key set as a web page", fail(oidctest.JWKS, oidctest.HTMLPage(200)), false},
		{"key set with an error's status", fail(oidctest.JWKS, oidctest.Fault{Status: 503}), false},
		{"empty key set", func(i *oidctest.Issuer) { i.RemoveKeys() }, false},
		{"key set with a secret alone", func(i *oidctest.Issuer) {
			i.RemoveKeys()
			i.AddJWK(map[string]any{"kty": "oct", "k": "AAAA", "kid": i.Key().ID()})
		}, false},
		{"key set with garbage beside the key", func(i *oidctest.Issuer) {
			for _, jwk := range []string{`null`, `1`, `"x"`, `[]`, `{}`, `{"kty":"XYZ"}`, `{"kty":"EC"}`, `{"kty":1}`} {
				i.AddJWK(jwk)
			}
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			thief := oidctest.NewIssuer(t, oidctest.Config{URL: "https://evil.test"})
			thief.Publish(issuer.Key())
			tt.spoil(issuer)
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, thief),
			})
			var want error
			if !tt.accept {
				want = oidcauth.ErrKeysUnavailable
			}
			_, err := a.Authenticate(t.Context(), issuer.Token(nil))
			if !errors.Is(err, want) {
				t.Errorf("Authenticate() error = %v, want %v", err, want)
			}
			if status, _, description := oidcauth.Answer(err); err != nil && (status != 503 || strings.Contains(description, "issuer.test")) {
				t.Errorf("Answer() = %d %q", status, description)
			}
			if n := thief.Fetches(); n != (oidctest.Fetches{}) {
				t.Errorf("another host was asked: %+v", n)
			}
			if n := issuer.Fetches().PlainHTTP; n != 0 {
				t.Errorf("%d fetches without TLS", n)
			}
		})
	}
}
