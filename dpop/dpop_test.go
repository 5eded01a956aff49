package dpop_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	public = "https://db.example.com"
	target = public + "/v1/call"
	token  = "header.payload.signature"
)

// newVerifier makes a Verifier of a server at public, unless the configuration says
// otherwise.
func newVerifier(t testing.TB, cfg dpop.Config) *dpop.Verifier {
	t.Helper()
	if cfg.PublicURL == "" && !cfg.InsecureAnyHost {
		cfg.PublicURL = public
	}
	v, err := dpop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// verify has a proof checked, and keeps the error.
func verify(t testing.TB, v *dpop.Verifier, u dpop.Use) error {
	t.Helper()
	err := v.Verify(t.Context(), u)
	said.Error(err)
	return err
}

// use is what a proof of p is presented for.
func use(p *oidctest.Prover, proof string) dpop.Use {
	return dpop.Use{Proof: proof, Method: "POST", URL: target, Token: token, Thumbprint: p.Thumbprint()}
}

// The example of RFC 9449, section 7.1, and of section 6.1 the thumbprint.
func TestVerify_RFC9449(t *testing.T) {
	t.Parallel()
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19." +
		"eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
		"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	good := dpop.Use{
		Proof: proof, Method: "GET", URL: "https://resource.example.org/protectedresource",
		Token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
	}
	for _, tt := range []struct {
		name   string
		change func(*dpop.Use)
		want   error
	}{
		{"as it stands", func(*dpop.Use) {}, nil},
		{"another token", func(u *dpop.Use) { u.Token += "x" }, dpop.ErrInvalidProof},
		{"another method", func(u *dpop.Use) { u.Method = "POST" }, dpop.ErrInvalidProof},
		{"another address", func(u *dpop.Use) { u.URL += "/more" }, dpop.ErrInvalidProof},
		{"another key", func(u *dpop.Use) { u.Thumbprint = strings.Repeat("A", 43) }, refusal.ErrProof},
		{"another signature", func(u *dpop.Use) { u.Proof = strings.Replace(proof, ".2oW9", ".2oW8", 1) }, dpop.ErrInvalidProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, dpop.Config{PublicURL: "https://resource.example.org", Now: func() time.Time { return time.Unix(1562262618, 0) }})
			u := good
			tt.change(&u)
			if err := verify(t, v, u); !errors.Is(err, tt.want) {
				t.Errorf("Verify() error = %v, want %v", err, tt.want)
			}
		})
	}
}

// Each algorithm of the list makes proofs that are good, and none by another's key.
func TestVerify_Algorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256", "PS512"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			v, p := newVerifier(t, dpop.Config{}), oidctest.NewProver(t, alg)
			if err := verify(t, v, use(p, p.Proof("POST", target, token, nil))); err != nil {
				t.Errorf("Verify() error = %v", err)
			}
			narrow := newVerifier(t, dpop.Config{Algorithms: []string{"ES256"}})
			err := verify(t, narrow, use(p, p.Proof("POST", target, token, nil)))
			if (err == nil) != (alg == "ES256") {
				t.Errorf("Verify() error = %v where ES256 alone is accepted", err)
			}
		})
	}
}

// What the program does with its lists after New changes nothing.
func TestNew_Copies(t *testing.T) {
	t.Parallel()
	key := []byte(said.NewSecret("nonce key"))
	shared := newVerifier(t, dpop.Config{Nonces: true, NonceKey: slices.Clone(key)})
	cfg := dpop.Config{Nonces: true, NonceKey: key, Algorithms: []string{"ES256"}, Aliases: []string{"https://db.internal"}}
	v := newVerifier(t, cfg)
	cfg.NonceKey[0], cfg.Algorithms[0], cfg.Aliases[0] = cfg.NonceKey[0]^1, "RS256", "https://evil.test"
	p := oidctest.NewProver(t, "")
	for _, address := range []string{target, "https://db.internal/v1/call"} {
		u := use(p, p.Proof("POST", address, token, map[string]any{"nonce": shared.Nonce()}))
		u.URL = address
		if err := verify(t, v, u); err != nil {
			t.Errorf("%s: Verify() error = %v", address, err)
		}
	}
}

// TestVerify_Hostile has proofs that must be refused, each with its twin.
func TestVerify_Hostile(t *testing.T) {
	t.Parallel()
	p, other := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
	v := newVerifier(t, dpop.Config{})
	with := func(name string, value any) string {
		return p.Proof("POST", target, token, map[string]any{name: value})
	}
	header := func(header map[string]any) string {
		payload := p.Proof("POST", target, token, nil)
		text, _ := base64.RawURLEncoding.DecodeString(strings.Split(payload, ".")[1])
		return p.Sign(header, string(text))
	}
	now := time.Now()
	for _, tt := range []struct {
		name      string
		bad, good string
		want      error
	}{
		{"none", "", with("x", 1), dpop.ErrInvalidProof},
		{"no JWT", "x", with("x", 1), dpop.ErrInvalidProof},
		{"longer than 8 KiB", with("x", strings.Repeat("x", 8<<10)), with("x", strings.Repeat("x", 4<<10)), dpop.ErrInvalidProof},
		{"no typ", header(map[string]any{"typ": nil}), header(nil), dpop.ErrInvalidProof},
		{"typ of a token", header(map[string]any{"typ": "JWT"}), header(nil), dpop.ErrInvalidProof},
		{"typ in capitals", header(map[string]any{"typ": "DPOP+JWT"}), header(nil), dpop.ErrInvalidProof},
		{"alg none", header(map[string]any{"alg": "none"}), header(nil), dpop.ErrInvalidProof},
		{"alg HS256", header(map[string]any{"alg": "HS256"}), header(nil), dpop.ErrInvalidProof},
		{"alg of another key", header(map[string]any{"alg": "RS256"}), header(nil), dpop.ErrInvalidProof},
		{"alg of a longer key", header(map[string]any{"alg": "ES384"}), header(nil), dpop.ErrInvalidProof},
		{"crit", header(map[string]any{"crit": []string{"x"}}), header(map[string]any{"cty": "x"}), dpop.ErrInvalidProof},
		{"no jwk", header(map[string]any{"jwk": nil}), header(nil), dpop.ErrInvalidProof},
		{"jwk no object", header(map[string]any{"jwk": "x"}), header(nil), dpop.ErrInvalidProof},
		{"kid in place of jwk", header(map[string]any{"jwk": nil, "kid": "x"}), header(map[string]any{"kid": "x"}), dpop.ErrInvalidProof},
		{"jti missing", with("jti", nil), with("jti", "a"), dpop.ErrInvalidProof},
		{"jti empty", with("jti", ""), with("jti", "b"), dpop.ErrInvalidProof},
		{"jti a number", with("jti", 1), with("jti", "1"), dpop.ErrInvalidProof},
		{"jti of 257 bytes", with("jti", strings.Repeat("x", 257)), with("jti", strings.Repeat("x", 256)), dpop.ErrInvalidProof},
		{"htm missing", with("htm", nil), with("htm", "POST"), dpop.ErrInvalidProof},
		{"htm of another method", with("htm", "GET"), with("htm", "POST"), dpop.ErrInvalidProof},
		{"htm in small letters", with("htm", "post"), with("htm", "POST"), dpop.ErrInvalidProof},
		{"htu missing", with("htu", nil), with("htu", target), dpop.ErrInvalidProof},
		{"htu of another path", with("htu", target+"s"), with("htu", target), dpop.ErrInvalidProof},
		{"htu of another host", with("htu", "https://db.example.org/v1/call"), with("htu", target), dpop.ErrInvalidProof},
		{"htu of another port", with("htu", public+":8443/v1/call"), with("htu", public+":443/v1/call"), dpop.ErrInvalidProof},
		{"htu without encryption", with("htu", "http://db.example.com/v1/call"), with("htu", "HTTPS://DB.example.com/v1/call"), dpop.ErrInvalidProof},
		{"htu of a socket", with("htu", "wss://db.example.com/v1/call"), with("htu", target+"?a=b#c"), dpop.ErrInvalidProof},
		{"htu with a user", with("htu", "https://x@db.example.com/v1/call"), with("htu", target), dpop.ErrInvalidProof},
		{"htu in another case", with("htu", public+"/v1/CALL"), with("htu", public+"/v1/%63all"), dpop.ErrInvalidProof},
		{"htu with an escaped slash", with("htu", public+"/v1%2Fcall"), with("htu", public+"/v1/./x/../call"), dpop.ErrInvalidProof},
		{"htu without host", with("htu", "/v1/call"), with("htu", target), dpop.ErrInvalidProof},
		{"iat missing", with("iat", nil), with("iat", now), dpop.ErrInvalidProof},
		{"iat a string", with("iat", "1"), with("iat", float64(now.Unix())+0.25), dpop.ErrInvalidProof},
		{"iat from before the server started", with("iat", now.Add(-5*time.Second)), with("iat", now), dpop.ErrInvalidProof},
		{"iat far ahead", with("iat", now.Add(time.Minute)), with("iat", now.Add(20*time.Second)), dpop.ErrInvalidProof},
		{"ath missing", with("ath", nil), with("x", 1), dpop.ErrInvalidProof},
		{"ath of another token", p.Proof("POST", target, token+"x", nil), with("x", 1), dpop.ErrInvalidProof},
		{"ath a number", with("ath", 1), with("x", 1), dpop.ErrInvalidProof},
		{"nonce a number", with("nonce", 1), with("nonce", "x"), dpop.ErrInvalidProof},
		{"nonce of 257 bytes", with("nonce", strings.Repeat("x", 257)), with("nonce", strings.Repeat("x", 256)), dpop.ErrInvalidProof},
		{"another key", other.Proof("POST", target, token, nil), with("x", 1), refusal.ErrProof},
		{"another key's signature", forged(p, other), with("x", 1), dpop.ErrInvalidProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, again := range []bool{false, true} {
				if err := verify(t, v, use(p, tt.bad)); !errors.Is(err, tt.want) || !errors.Is(err, refusal.ErrProof) {
					t.Errorf("Verify() error = %v, want %v (again: %v)", err, tt.want, again)
				}
			}
			good := use(p, tt.good)
			if tt.name == "iat from before the server started" {
				good.Proof = with("iat", time.Now())
			}
			if err := verify(t, v, good); err != nil {
				t.Errorf("the twin is refused: %v", err)
			}
			if err := verify(t, v, good); !errors.Is(err, dpop.ErrInvalidProof) {
				t.Errorf("Verify() error = %v for the second time, want %v", err, dpop.ErrInvalidProof)
			}
		})
	}
}

// A proof is read if it is 8 KiB long, and not if it is a byte longer.
func TestVerify_Longest(t *testing.T) {
	t.Parallel()
	p, v, longest := oidctest.NewProver(t, ""), newVerifier(t, dpop.Config{}), 0
	const most = 8 << 10
	for n := most * 3 / 4; n > 0 && longest == 0; n-- {
		proof := p.Proof("POST", target, token, map[string]any{"x": strings.Repeat("x", n)})
		if len(proof) > most+16 {
			n -= (len(proof) - most) / 2
			continue
		}
		var want error
		if len(proof) > most {
			want = dpop.ErrInvalidProof
		} else {
			longest = len(proof)
		}
		if err := verify(t, v, use(p, proof)); !errors.Is(err, want) {
			t.Errorf("%d bytes: Verify() error = %v, want %v", len(proof), err, want)
		}
	}
	if longest < most-1 { // not each length can be written in base64
		t.Errorf("the longest that was tried has %d bytes, want %d", longest, most)
	}
}

// A proof may state a time from MaxAge ago to half a minute ahead.
func TestVerify_Times(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := oidctest.NewProver(t, ""), newVerifier(t, dpop.Config{})
		short := newVerifier(t, dpop.Config{MaxAge: time.Second})
		time.Sleep(time.Hour)
		for _, tt := range []struct {
			v     *dpop.Verifier
			after time.Duration
			want  error
		}{
			{v, -61 * time.Second, dpop.ErrInvalidProof}, {v, -60 * time.Second, nil},
			{v, 30 * time.Second, nil}, {v, 31 * time.Second, dpop.ErrInvalidProof},
			{short, -2 * time.Second, dpop.ErrInvalidProof}, {short, -time.Second, nil},
		} {
			proof := p.Proof("POST", target, token, map[string]any{"iat": time.Now().Add(tt.after)})
			if err := verify(t, tt.v, use(p, proof)); !errors.Is(err, tt.want) {
				t.Errorf("%v: Verify() error = %v, want %v", tt.after, err, tt.want)
			}
		}
	})
}

// forged is a proof with p's key in it that other has signed.
func forged(p, other *oidctest.Prover) string {
	mine, theirs := p.Proof("POST", target, token, nil), other.Proof("POST", target, token, nil)
	return mine[:strings.LastIndexByte(mine, '.')] + theirs[strings.LastIndexByte(theirs, '.'):]
}

// What a request asks for is compared with as the server will see it: an address with
// dots in its path could be one thing to us and another to the server.
func TestVerify_Address(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "")
	for _, tt := range []struct {
		name     string
		cfg      dpop.Config
		htu, url string
		want     error
	}{
		{"at the public address", dpop.Config{}, target, "http://10.0.0.7:8080/v1/call?x=y", nil},
		{"by a path alone", dpop.Config{}, target, "/v1/call", nil},
		{"behind a path that a proxy takes off", dpop.Config{PublicURL: "https://example.com/db/"}, "https://example.com/db/v1/call", "http://inner/v1/call", nil},
		{"without that path", dpop.Config{PublicURL: "https://example.com/db/"}, "https://example.com/v1/call", "http://inner/v1/call", dpop.ErrInvalidProof},
		{"by another name", dpop.Config{Aliases: []string{"https://db.internal"}}, "https://db.internal/v1/call", target, nil},
		{"by nobody's name", dpop.Config{}, "https://db.internal/v1/call", "https://db.internal/v1/call", dpop.ErrInvalidProof},
		{"any host", dpop.Config{InsecureAnyHost: true}, "https://db.internal/v1/call", "https://db.internal:443/v1/call", nil},
		{"any host, another", dpop.Config{InsecureAnyHost: true}, target, "https://db.internal/v1/call", dpop.ErrInvalidProof},
		{"no path", dpop.Config{}, public, public + "/", nil},
		{"no path in the request", dpop.Config{}, public + "/", public, nil},
		{"dots in the request", dpop.Config{}, target, public + "/v1/x/../call", dpop.ErrInvalidProof},
		{"escaped dots in the request", dpop.Config{}, target, public + "/v1/x/%2e%2E/call", dpop.ErrInvalidProof},
		{"a name that begins with dots", dpop.Config{}, public + "/v1/..call", public + "/v1/..call", nil},
		{"escapes of letters beyond ASCII", dpop.Config{}, public + "/%C3%a4", public + "/ä", nil},
		{"two slashes", dpop.Config{}, public + "/v1/call", public + "//v1/call", dpop.ErrInvalidProof},
		{"a broken escape", dpop.Config{}, public + "/v1/%zz", public + "/v1/%zz", dpop.ErrInvalidProof},
		{"no address", dpop.Config{}, target, "*", dpop.ErrInvalidProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, tt.cfg) // before the proof: none from before its start counts
			u := use(p, p.Proof("POST", target, token, map[string]any{"htu": tt.htu}))
			u.URL = tt.url
			if err := verify(t, v, u); !errors.Is(err, tt.want) {
				t.Errorf("Verify() error = %v, want %v", err, tt.want)
			}
		})
	}
}

// An address that is refused is told without its query and its user, which may be secret.
func TestVerify_AddressShown(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "")
	for _, tt := range []struct{ htu, url, shown string }{
		{"wss://db.example.com/v1/call?t=s3cret", target, `"wss://db.example.com/v1/call"`},
		{"https://me:s3cret@db.example.com/v1/call", target, `"https://…@db.example.com/v1/call"`},
		{target, public + "/v1/%zz?t=s3cret", `"` + public + `/v1/%zz"`},
	} {
		v := newVerifier(t, dpop.Config{})
		u := use(p, p.Proof("POST", target, token, map[string]any{"htu": tt.htu}))
		u.URL = tt.url
		err := verify(t, v, u)
		if !errors.Is(err, dpop.ErrInvalidProof) || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), tt.shown) {
			t.Errorf("proof for %q, request for %q: Verify() error = %v, want %v that shows %s", tt.htu, tt.url, err, dpop.ErrInvalidProof, tt.shown)
		}
	}
}

// A proof is good for a minute, to the second, and after a restart not at all.
func TestVerify_Age(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidctest.NewProver(t, "")
		v := newVerifier(t, dpop.Config{MaxAge: 10 * time.Second})
		time.Sleep(time.Hour)
		proofs := make([]string, 3)
		for i := range proofs {
			proofs[i] = p.Proof("POST", target, token, nil)
		}
		restarted := newVerifier(t, dpop.Config{MaxAge: 10 * time.Second})
		time.Sleep(time.Second)
		late := newVerifier(t, dpop.Config{MaxAge: 10 * time.Second})
		time.Sleep(9 * time.Second)
		if err := verify(t, v, use(p, proofs[0])); err != nil {
			t.Errorf("Verify() error = %v after ten seconds", err)
		}
		if err := verify(t, restarted, use(p, proofs[0])); err != nil {
			t.Errorf("Verify() error = %v by a server that started in the same second", err)
		}
		if err := verify(t, late, use(p, proofs[0])); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("Verify() error = %v after a restart, want %v", err, dpop.ErrInvalidProof)
		}
		time.Sleep(time.Second)
		if err := verify(t, v, use(p, proofs[1])); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("Verify() error = %v after eleven seconds, want %v", err, dpop.ErrInvalidProof)
		}
	})
}

// shared is a store that several servers share, and that can be down.
type shared struct {
	used map[[32]byte]bool
	err  error
}

func (s *shared) FirstUse(_ context.Context, id [32]byte, _ time.Time) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	first := !s.used[id]
	s.used[id] = true
	return first, nil
}

// What one server took the others refuse, by a store that they share: after a restart,
// too.
func TestVerify_Replays(t *testing.T) {
	t.Parallel()
	p, store := oidctest.NewProver(t, ""), &shared{used: map[[32]byte]bool{}}
	one, other := newVerifier(t, dpop.Config{Replays: store}), newVerifier(t, dpop.Config{Replays: store})
	proof := p.Proof("POST", target, token, nil)
	if err := verify(t, one, use(p, proof)); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*dpop.Verifier{"the same server": one, "another": other, "a new one": newVerifier(t, dpop.Config{Replays: store})} {
		if err := verify(t, v, use(p, proof)); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("%s: Verify() error = %v, want %v", name, err, dpop.ErrInvalidProof)
		}
	}
	if err := verify(t, other, use(p, p.Proof("POST", target, token, nil))); err != nil {
		t.Errorf("Verify() error = %v for another proof", err)
	}
	store.err = errors.New("down")
	remembered := dpop.CountOf(other)
	proof = p.Proof("POST", target, token, nil)
	for range 2 {
		err := verify(t, other, use(p, proof))
		if !errors.Is(err, refusal.ErrAnswerUnavailable) || !errors.Is(err, store.err) {
			t.Errorf("Verify() error = %v while the store is down, want %v", err, refusal.ErrAnswerUnavailable)
		}
	}
	if n := dpop.CountOf(other); n != remembered {
		t.Errorf("%d proofs are remembered after those that nobody could judge, want %d", n, remembered)
	}
	store.err = nil
	if err := verify(t, other, use(p, proof)); err != nil {
		t.Errorf("Verify() error = %v once the store is back", err)
	}
	if err := verify(t, other, use(p, proof)); !errors.Is(err, dpop.ErrInvalidProof) {
		t.Errorf("Verify() error = %v for the second time, want %v", err, dpop.ErrInvalidProof)
	}
}

// A proof is good once as long as it is fresh, whatever time of those that are accepted it
// states, and at whatever moment it comes again.
func TestVerify_OnceWhileFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := oidctest.NewProver(t, ""), newVerifier(t, dpop.Config{})
		time.Sleep(time.Hour)
		used := make(map[time.Duration]string)
		for made := -time.Minute; made <= 30*time.Second; made += 5 * time.Second {
			used[made] = p.Proof("POST", target, token, map[string]any{"iat": time.Now().Add(made)})
			if err := verify(t, v, use(p, used[made])); err != nil {
				t.Fatalf("made in %v: Verify() error = %v", made, err)
			}
		}
		for after := time.Duration(0); after <= 2*time.Minute; after += time.Second {
			for made, proof := range used {
				if err := verify(t, v, use(p, proof)); !errors.Is(err, dpop.ErrInvalidProof) {
					t.Fatalf("made in %v, again after %v: Verify() error = %v, want %v", made, after, err, dpop.ErrInvalidProof)
				}
			}
			time.Sleep(time.Second) // and others are let go of meanwhile
			if err := verify(t, v, use(p, p.Proof("POST", target, token, nil))); err != nil {
				t.Fatalf("a new one after %v: Verify() error = %v", after, err)
			}
		}
	})
}

// A dropping is a store that forgets a use as soon as it may.
type dropping map[[32]byte]time.Time

func (d dropping) FirstUse(_ context.Context, id [32]byte, until time.Time) (bool, error) {
	if forgotten, found := d[id]; found && !time.Now().After(forgotten) {
		return false, nil
	}
	d[id] = until
	return true, nil
}

// A store that servers share has to remember a use for as long as any of them takes the
// proof for fresh: one whose clock is half a minute behind, too.
func TestVerify_ReplaysWhileFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := oidctest.NewProver(t, ""), dropping{}
		one := newVerifier(t, dpop.Config{Replays: store})
		for _, made := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
			proof := p.Proof("POST", target, token, map[string]any{"iat": time.Now().Add(made)})
			if err := verify(t, one, use(p, proof)); err != nil {
				t.Fatal(err)
			}
			for range 150 {
				other := newVerifier(t, dpop.Config{Replays: store, Now: func() time.Time { return time.Now().Add(-30 * time.Second) }})
				if err := verify(t, other, use(p, proof)); !errors.Is(err, dpop.ErrInvalidProof) {
					t.Fatalf("made in %v: Verify() error = %v elsewhere, want %v", made, err, dpop.ErrInvalidProof)
				}
				time.Sleep(time.Second)
			}
		}
	})
}

func TestNew_Errors(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]dpop.Config{
		"no address":               {},
		"an address without host":  {PublicURL: "https://"},
		"an address of no scheme":  {PublicURL: "db.example.com"},
		"a socket's address":       {PublicURL: "wss://db.example.com"},
		"an address with a query":  {PublicURL: "https://db.example.com?x"},
		"a password":               {PublicURL: "https://user:hunter2@db.example.com"},
		"a bad alias":              {PublicURL: public, Aliases: []string{"x"}},
		"an address, and any host": {PublicURL: public, InsecureAnyHost: true},
		"an unknown algorithm":     {PublicURL: public, Algorithms: []string{"HS256"}},
		"less than no age":         {PublicURL: public, MaxAge: -1},
		"more than ten minutes":    {PublicURL: public, MaxAge: 10*time.Minute + 1},
		"a nonce key alone":        {PublicURL: public, NonceKey: []byte(said.NewSecret("nonce key"))},
		"a short nonce key":        {PublicURL: public, Nonces: true, NonceKey: []byte(said.NewSecret("nonce key"))[:31]},
		"hardly any memory":        {PublicURL: public, ReplayBytes: 1},
		"less than no memory":      {PublicURL: public, ReplayBytes: -1},
		"a byte for a nonce key":   {PublicURL: public, Nonces: true, NonceKey: []byte{1}},
		"any host, and an alias":   {Aliases: []string{public}, InsecureAnyHost: true},
	} {
		_, err := dpop.New(cfg)
		said.Error(err)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: New() error = %v, want one without the password", name, err)
		}
	}
}

// An error names the field that the address stands in.
func TestNew_NamesField(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]dpop.Config{
		"Config.PublicURL: got \"x\"": {PublicURL: "x", Aliases: []string{public}},
		"Config.Aliases: got \"x\"":   {PublicURL: public, Aliases: []string{public, "x"}},
	} {
		if _, err := dpop.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New() error = %v, want it to say %s", err, want)
		}
	}
}

// The least and the most that may be configured.
func TestNew_Bounds(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]dpop.Config{
		"a second":              {PublicURL: public, MaxAge: time.Second},
		"ten minutes":           {PublicURL: public, MaxAge: 10 * time.Minute},
		"32 bytes of nonce key": {PublicURL: public, Nonces: true, NonceKey: []byte(said.NewSecret("nonce key"))[:32]},
		"64 KiB":                {PublicURL: public, ReplayBytes: 64 << 10},
		"any host":              {InsecureAnyHost: true},
	} {
		if v, err := dpop.New(cfg); err != nil || v == nil {
			t.Errorf("%s: New() error = %v", name, err)
		}
	}
	_, err := dpop.New(dpop.Config{PublicURL: public, NonceKey: []byte{1}})
	if err == nil || !strings.Contains(err.Error(), "Config.NonceKey is set without Nonces") {
		t.Errorf("New() error = %v for a key of nothing", err)
	}
}
