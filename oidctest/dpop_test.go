package oidctest_test

import (
	"errors"
	"net/http"
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

// TestProver_ClientAddress: a proof is for the address without query and fragment, and the
// body of a request that is not sent is closed.
func TestProver_ClientAddress(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "")
	for _, url := range []string{"https://db.test/x?a=b#c", "https://db.test/x#c?d"} {
		if got := payload(t, p.Proof("GET", url, "token", nil))["htu"]; got != "https://db.test/x" {
			t.Errorf("Proof(%q): htu = %v, want https://db.test/x", url, got)
		}
	}
	body := &brokenBody{}
	request, err := http.NewRequestWithContext(t.Context(), "POST", "https://db.test/x", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Client("token", nil).Transport.RoundTrip(request); err == nil || !body.closed {
		t.Errorf("RoundTrip() error = %v, body closed: %t, want an error and a closed body", err, body.closed)
	}
}

// A brokenBody cannot be read.
type brokenBody struct{ closed bool }

func (b *brokenBody) Read([]byte) (int, error) { return 0, errors.New("broken") }

func (b *brokenBody) Close() error { b.closed = true; return nil }
