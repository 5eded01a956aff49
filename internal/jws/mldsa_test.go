package jws_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A latticeToken is a token of another implementation, with its key.
type latticeToken struct {
	Key struct {
		Algorithm string `json:"alg"`
		ID        string `json:"kid"`
		Public    string `json:"pub"`
	} `json:"key"`
	Token string `json:"token"`
}

func latticeTokens(tb testing.TB) []latticeToken {
	tb.Helper()
	text, err := os.ReadFile("testdata/mldsa/tokens.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct {
		Tokens []latticeToken `json:"tokens"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Tokens) != 3 {
		tb.Fatalf("%d tokens, error %v", len(file.Tokens), err)
	}
	return file.Tokens
}

// An algorithm of ML-DSA is known where it can be verified, and elsewhere it is said
// what to build with.
func TestKnown_MLDSA(t *testing.T) {
	err := jws.CheckMLDSA()
	for _, given := range latticeTokens(t) {
		alg := given.Key.Algorithm
		if !jws.IsMLDSA(alg) || jws.Known(alg) != (err == nil) {
			t.Errorf("%s: IsMLDSA() = %t, Known() = %t, CheckMLDSA() = %v", alg, jws.IsMLDSA(alg), jws.Known(alg), err)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, jws.ErrNoMLDSA) || !strings.Contains(err.Error(), "Go 1.27") {
			t.Errorf("CheckMLDSA() error = %v, want %v and with what to build", err, jws.ErrNoMLDSA)
		}
		if _, err := jws.NewMLDSA(alg, []byte(given.Key.Public)); !errors.Is(err, jws.ErrNoMLDSA) {
			t.Errorf("NewMLDSA() error = %v, want %v", err, jws.ErrNoMLDSA)
		}
		token := new(jws.Token)
		if _, err := token.Parse(nil, given.Token, 16<<10); err != nil {
			t.Fatal(err)
		}
		if err := testKey(t, "ES256").Verify(token); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("Verify() error = %v, want %v", err, jws.ErrSignature)
		}
	}
	for _, alg := range []string{"ML-DSA-43", "ml-dsa-44", "ML-DSA-44 ", "ML-DSA", "HashML-DSA-44", "", "AKP", "MLDSA44"} {
		if jws.IsMLDSA(alg) || jws.Known(alg) {
			t.Errorf("%q passes for an algorithm of ML-DSA", alg)
		}
	}
	if _, found := jws.ThumbprintMLDSA(testSigner(t, "ES256").Public()); found {
		t.Error("an ECDSA key has a thumbprint of ML-DSA")
	}
	if _, found := jws.NameMLDSA(nil); found {
		t.Error("no key has a name")
	}
}
