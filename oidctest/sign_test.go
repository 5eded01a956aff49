package oidctest_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/oidctest"
)

func TestToken_Claims(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000
	clock := func() time.Time { return time.Unix(now, 0) }
	tests := []struct {
		name   string
		config map[string]any
		claims map[string]any
		want   string
	}{
		{"nothing given", nil, nil,
			`{"exp":1700003600,"iat":1700000000,"iss":"https://issuer.test","sub":"alice"}`},
		{"claims added", nil, map[string]any{"aud": []string{"a", "b"}, "sub": "bob"},
			`{"aud":["a","b"],"exp":1700003600,"iat":1700000000,"iss":"https://issuer.test","sub":"bob"}`},
		{"claims of the configuration", map[string]any{"aud": "db", "sub": "carol"}, nil,
			`{"aud":"db","exp":1700003600,"iat":1700000000,"iss":"https://issuer.test","sub":"carol"}`},
		{"call before configuration", map[string]any{"aud": "db"}, map[string]any{"aud": "other"},
			`{"aud":"other","exp":1700003600,"iat":1700000000,"iss":"https://issuer.test","sub":"alice"}`},
		{"nil leaves out", map[string]any{"aud": "db"}, map[string]any{"aud": nil, "iss": nil, "sub": nil, "iat": nil, "exp": nil},
			`{}`},
		{"nil of a type leaves out", map[string]any{"aud": []string(nil), "cnf": map[string]any(nil)},
			map[string]any{"act": (*int)(nil), "exp": json.RawMessage(nil), "roles": []string{}},
			`{"iat":1700000000,"iss":"https://issuer.test","roles":[],"sub":"alice"}`},
		{"expiry of the configuration left out", map[string]any{"exp": nil}, nil,
			`{"iat":1700000000,"iss":"https://issuer.test","sub":"alice"}`},
		{"null", nil, map[string]any{"exp": json.RawMessage("null")},
			`{"exp":null,"iat":1700000000,"iss":"https://issuer.test","sub":"alice"}`},
		{"times", nil, map[string]any{"exp": clock().Add(-time.Second), "nbf": clock().Add(time.Minute)},
			`{"exp":1699999999,"iat":1700000000,"iss":"https://issuer.test","nbf":1700000060,"sub":"alice"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{Claims: tt.config, Now: clock})
			token := iss.Token(tt.claims)
			if got := part(t, token, 1); got != tt.want {
				t.Errorf("payload = %s, want %s", got, tt.want)
			}
			if err := verify(t, iss, token); err != nil {
				t.Errorf("verify: error = %v", err)
			}
		})
	}
}

func TestToken_BubbleClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		time.Sleep(90 * time.Minute)
		want := float64(time.Now().Unix())
		if got := payload(t, iss.Token(nil))["iat"]; got != want {
			t.Errorf("iat = %v, want %v", got, want)
		}
	})
}

func TestSign(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		header, payload any
		wantHeader      string
		wantPayload     string
	}{
		{"completed header", map[string]any{"cty": "x"}, "{}",
			`{"alg":"ES256","cty":"x","kid":"issuer.test-1","typ":"JWT"}`, `{}`},
		{"no header given", nil, "{}",
			`{"alg":"ES256","kid":"issuer.test-1","typ":"JWT"}`, `{}`},
		{"members left out", map[string]any{"kid": nil, "typ": nil}, "{}",
			`{"alg":"ES256"}`, `{}`},
		{"null key ID", map[string]any{"kid": json.RawMessage("null"), "typ": nil}, "{}",
			`{"alg":"ES256","kid":null}`, `{}`},
		{"raw header", `{"alg":"ES256","alg":"none"}`, "{}",
			`{"alg":"ES256","alg":"none"}`, `{}`},
		{"raw payload with a duplicate", nil, []byte(`{"sub":"a", "sub":"b"}`),
			`{"alg":"ES256","kid":"issuer.test-1","typ":"JWT"}`, `{"sub":"a", "sub":"b"}`},
		{"payload that is not JSON", nil, []byte("\xff\x00"),
			`{"alg":"ES256","kid":"issuer.test-1","typ":"JWT"}`, "\xff\x00"},
		{"raw JSON", json.RawMessage(`{ }`), json.RawMessage(`[ ]`), `{ }`, `[ ]`},
		{"values", struct{ A int }{1}, []int{2}, `{"A":1}`, `[2]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{})
			token := iss.Sign(tt.header, tt.payload)
			if got := part(t, token, 0); got != tt.wantHeader {
				t.Errorf("header = %s, want %s", got, tt.wantHeader)
			}
			if got := part(t, token, 1); got != tt.wantPayload {
				t.Errorf("payload = %q, want %q", got, tt.wantPayload)
			}
			if strings.Count(token, ".") != 2 || len(part(t, token, 2)) != 64 {
				t.Errorf("token = %q", token)
			}
		})
	}
}

// RFC 7518, section 3.5, fixes the length of the salt.
func TestSign_PSSSalt(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Algorithm: "PS256"})
	token := iss.Token(nil)
	digest := sha256.Sum256([]byte(token[:strings.LastIndexByte(token, '.')]))
	err := rsa.VerifyPSS(iss.Key().Public().(*rsa.PublicKey), crypto.SHA256, digest[:], []byte(part(t, token, 2)),
		&rsa.PSSOptions{SaltLength: sha256.Size})
	if err != nil {
		t.Errorf("VerifyPSS() error = %v", err)
	}
}

func TestSign_LeavesArgumentsAlone(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	h, claims := map[string]any{"kid": nil}, map[string]any{"sub": nil, "exp": time.Now()}
	iss.Sign(h, "{}")
	iss.Token(claims)
	if _, isTime := claims["exp"].(time.Time); len(h) != 1 || len(claims) != 2 || !isTime {
		t.Errorf("header = %v, claims = %v after use", h, claims)
	}
}

func TestForgeries(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{Algorithm: alg})
			names := []string{}
			for _, f := range iss.Key().Forgeries(map[string]any{"aud": "db"}) {
				names = append(names, f.Name)
				if err := verify(t, iss, f.Token); err == nil {
					t.Errorf("%s: accepted", f.Name)
				}
				claims := payload(t, f.Token)
				if claims["iss"] != iss.URL() || claims["aud"] != "db" || claims["exp"] == nil {
					t.Errorf("%s: claims = %v, want good ones", f.Name, claims)
				}
				if got := header(t, f.Token)["kid"]; got != iss.Key().ID() {
					t.Errorf("%s: kid = %v, want %q", f.Name, got, iss.Key().ID())
				}
			}
			slices.Sort(names)
			if n := len(slices.Compact(names)); n < 30 {
				t.Errorf("%d different names, want 30 at least", n)
			}
			if err := verify(t, iss, iss.Token(nil)); err != nil {
				t.Errorf("good token: error = %v", err)
			}
		})
	}
}

// The forgery is real: a program that lets the header choose would accept it.
func TestAttackHMAC_WorksOnTheConfused(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Algorithm: "RS256"})
	found := false
	for _, f := range iss.Key().AttackHMAC(nil) {
		if f.Name != "HS256 with the public key as JWK" {
			continue
		}
		found = true
		jws, err := jose.ParseSignedCompact(f.Token, []jose.SignatureAlgorithm{jose.HS256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify([]byte(iss.Key().JWK())); err != nil {
			t.Errorf("Verify() error = %v", err)
		}
	}
	if !found {
		t.Error("no such forgery")
	}
}

func TestAttackHeader_WorksOnTheTrusting(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	forged := iss.Key().AttackHeader(nil)[0]
	var h struct {
		JWK jose.JSONWebKey `json:"jwk"`
	}
	if err := json.Unmarshal([]byte(part(t, forged.Token, 0)), &h); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(forged.Token, algorithms())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(h.JWK); err != nil {
		t.Errorf("Verify() with the key of the header: error = %v", err)
	}
}
