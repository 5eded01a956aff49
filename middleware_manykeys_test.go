package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Whoever has tokens for many keys takes no more of the memory of used proofs than with
// one, however the keys take turns: it is not for them to shut others out.
func TestMiddleware_DPoPManyKeys(t *testing.T) {
	t.Parallel()
	w := newBoundWorld(t, dpop.Config{ReplayBytes: 64 << 10}, nil)
	call := func(p *oidctest.Prover, subject string) int {
		token := w.issuer.Token(map[string]any{"sub": subject, "cnf": map[string]any{"jkt": p.Thumbprint()}})
		return w.call(t, "Authorization", "DPoP "+token, "DPoP", p.Proof("POST", callURL, token, nil)).Code
	}
	taken := 0
	for range 20 {
		p := oidctest.NewProver(t, "")
		for call(p, "many-keys") == 200 {
			taken++
		}
	}
	if taken != 256 {
		t.Errorf("one caller's proofs take %d places of 512, want a half", taken)
	}
	if status := call(oidctest.NewProver(t, ""), "somebody else"); status != 200 {
		t.Errorf("status %d for another caller, want 200", status)
	}
}
