package jws_test

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

func TestVerify(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			const payload = `{"sub":"alice","exp":1924992000}`
			token := sign(t, alg, testSigner(t, alg), `{"alg":"`+alg+`","kid":"k1","typ":"JWT"}`, payload)
			var got jws.Token
			if err := got.Parse(token, 16<<10); err != nil {
				t.Fatalf("Parse() error = %v", err)
			}
			if got.Algorithm != alg || got.KeyID != "k1" || got.Type != "JWT" || got.Payload != payload {
				t.Errorf("Parse() = %q, %q, %q, %q", got.Algorithm, got.KeyID, got.Type, got.Payload)
			}
			if err := testKey(t, alg).Verify(&got); err != nil {
				t.Errorf("Verify() error = %v, want none", err)
			}
			other := sign(t, alg, testSigner(t, alg), `{"alg":"`+alg+`"}`, `{"sub":"mallory"}`)
			if err := got.Parse(token[:len(token)-len(signaturePart(token))]+signaturePart(other), 16<<10); err != nil {
				t.Fatalf("Parse() error = %v", err)
			}
			if err := testKey(t, alg).Verify(&got); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("Verify() of another token's signature: error = %v, want %v", err, jws.ErrSignature)
			}
		})
	}
}
