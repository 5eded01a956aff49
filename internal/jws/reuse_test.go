package jws_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// TestParse_Allocations is for a Token that is used again, as a server does.
func TestParse_Allocations(t *testing.T) {
	usual, _ := benchmarkToken(t, "RS256")
	for name, token := range map[string]string{
		"usual":                    usual,
		"with a long payload":      encode(goodHeader) + "." + encode(`{"a":"`+strings.Repeat("x", 5000)+`"}`) + ".AAAA",
		"signed by a key of 4,096": withSignature(usual, make([]byte, 512)),
	} {
		var parsed jws.Token
		allocations := testing.AllocsPerRun(100, func() {
			var buf [24]jws.Member
			if _, err := parsed.Parse(buf[:0], token, maxBytes); err != nil {
				t.Fatal(err)
			}
		})
		if allocations > 1 {
			t.Errorf("%s: Parse() allocates %v times, want the payload at most", name, allocations)
		}
	}
}

// The header is kept that has a kilobyte, and none that is longer: it would be kept for
// as long as the Token is.
func TestParse_KeptHeader(t *testing.T) {
	for length, kept := range map[int]bool{1024: true, 1026: false, 2048: false} {
		header := `{"alg":"ES256","x":"` + strings.Repeat("x", base64.RawURLEncoding.DecodedLen(length)-22) + `"}`
		token := encode(header) + ".e30.AAAA"
		if strings.IndexByte(token, '.') != length {
			t.Fatalf("a header of %d bytes, want %d", strings.IndexByte(token, '.'), length)
		}
		var parsed jws.Token
		allocations := testing.AllocsPerRun(100, func() {
			var buf [24]jws.Member
			if _, err := parsed.Parse(buf[:0], token, maxBytes); err != nil {
				t.Fatal(err)
			}
		})
		if (allocations <= 1) != kept {
			t.Errorf("a header of %d bytes: Parse() allocates %v times, want it kept: %v", length, allocations, kept)
		}
	}
}

// A Token that is used again remembers the last header that was in order, and
// nothing of a token that was refused.
func TestParse_HeaderAgain(t *testing.T) {
	t.Parallel()
	var parsed jws.Token
	rows := []struct {
		header, payload string
		want            error
		alg, keyID      string
	}{
		{`{"alg":"ES256","kid":"a","typ":"JWT"}`, `{}`, nil, "ES256", "a"},
		{`{"alg":"ES256","kid":"a","typ":"JWT"}`, `{"a":1}`, nil, "ES256", "a"},
		{`{"alg":"RS256"}`, `{}`, nil, "RS256", ""},
		{`{"alg":"ES256","kid":"a","crit":[]}`, `{}`, jws.ErrMalformed, "", ""},
		{`{"alg":"ES256","kid":"a","crit":[]}`, `{}`, jws.ErrMalformed, "", ""},
		{`{"alg":"RS256"}`, `{`, jws.ErrMalformed, "", ""},
		{`{"alg":"RS256"}`, `{}`, nil, "RS256", ""},
		{`{"alg":"ES256","kid":"a","typ":"JWT"}`, `{}`, nil, "ES256", "a"},
	}
	for _, row := range rows {
		err := form(&parsed, encode(row.header)+"."+encode(row.payload)+".AAAA", maxBytes)
		if !errors.Is(err, row.want) {
			t.Fatalf("Parse(%s, %s) error = %v, want %v", row.header, row.payload, err, row.want)
		}
		if parsed.Algorithm != row.alg || parsed.KeyID.Text != row.keyID || parsed.KeyID.Has != (row.keyID != "") || parsed.HasType != (row.keyID != "") {
			t.Errorf("Parse(%s, %s) = %q, key ID %q, type %q", row.header, row.payload, parsed.Algorithm, parsed.KeyID.Text, parsed.Type)
		}
	}
}

func TestParse_Reset(t *testing.T) {
	t.Parallel()
	var parsed jws.Token
	if err := form(&parsed, signed(t, goodHeader, goodPayload), maxBytes); err != nil {
		t.Fatal(err)
	}
	if err := form(&parsed, signed(t, `{"alg":"ES256"}`, `{}`), maxBytes); err != nil {
		t.Fatal(err)
	}
	if parsed.KeyID.Has || parsed.KeyID.Text != "" || parsed.HasType || parsed.Type != "" {
		t.Errorf("Parse() kept %q, %q of an earlier token", parsed.KeyID.Text, parsed.Type)
	}
	if err := form(&parsed, "a.b", maxBytes); err == nil {
		t.Fatal("Parse() error = nil")
	}
	if err := testKey(t, "ES256").Verify(&parsed); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("Verify() after a refusal: error = %v, want %v", err, jws.ErrSignature)
	}
}

// TestParse_Fields reads every field, with escapes.
