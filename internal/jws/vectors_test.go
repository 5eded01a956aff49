package jws_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// vector is one example of testdata/jws/rfc.json.
type vector struct {
	Source    string          `json:"source"`
	Token     string          `json:"token"`
	Form      string          `json:"form"`
	Signature string          `json:"signature"`
	Key       json.RawMessage `json:"key"`
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("../../testdata/jws/rfc.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 11 {
		t.Fatalf("got %d vectors, want at least 11", len(vectors))
	}
	return vectors
}

func (v vector) key(t *testing.T) *jws.Key {
	t.Helper()
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(v.Key, &jwk); err != nil {
		t.Fatal(err)
	}
	key, err := jws.NewKey(jwk.KeyID, jwk.Algorithm, jwk.Use, nil, jwk.Key)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		t.Run(v.Source, func(t *testing.T) {
			var token jws.Token
			err := form(&token, v.Token, 16<<10)
			if v.Form == "refused" && !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("Parse() error = %v, want %v", err, jws.ErrMalformed)
			}
			if v.Form == "accepted" {
				if err != nil {
					t.Fatalf("Parse() error = %v", err)
				}
				checkOutcome(t, "Verify()", v.key(t).Verify(&token), v.Signature)
			}
			if v.Signature != "" {
				checkOutcome(t, "VerifyBytes()", verifyUnparsed(t, v), v.Signature)
			}
		})
	}
}

// verifyUnparsed checks the signature of a token whose form may be refused.
func verifyUnparsed(t *testing.T, v vector) error {
	t.Helper()
	dot := strings.LastIndexByte(v.Token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(v.Token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	header, err := base64.RawURLEncoding.DecodeString(v.Token[:strings.IndexByte(v.Token, '.')])
	if err != nil {
		t.Fatal(err)
	}
	var fields struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal(header, &fields); err != nil {
		t.Fatal(err)
	}
	return v.key(t).VerifyBytes(fields.Alg, []byte(v.Token[:dot]), signature)
}

func checkOutcome(t *testing.T, call string, err error, want string) {
	t.Helper()
	switch {
	case want == "accepted" && err != nil:
		t.Errorf("%s error = %v, want none", call, err)
	case want == "refused" && !errors.Is(err, jws.ErrSignature):
		t.Errorf("%s error = %v, want %v", call, err, jws.ErrSignature)
	}
}
