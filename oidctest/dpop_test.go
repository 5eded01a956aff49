package oidctest_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// Without a test a Prover works as in one, and panics with the reason where it cannot.
func TestNewProver_WithoutTest(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(nil, "")
	if proof := p.Proof("GET", "https://db.example.com/", "token", nil); strings.Count(proof, ".") != 2 || p.Thumbprint() == "" {
		t.Errorf("Proof() = %q, Thumbprint() = %q", proof, p.Thumbprint())
	}
	defer func() {
		if reason, _ := recover().(string); !strings.Contains(reason, "HS256") {
			t.Errorf("NewProver() for HS256 panics with %q, want the algorithm", reason)
		}
	}()
	oidctest.NewProver(nil, "HS256")
}
