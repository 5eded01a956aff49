package bound_test

import (
	"crypto/x509"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/bound"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/possession"
)

func TestRenewal(t *testing.T) {
	t.Parallel()
	key, certificate := &claims.Confirmation{Key: "K"}, &claims.Confirmation{Certificate: "C"}
	both := &claims.Confirmation{Key: "K", Certificate: "C"}
	for _, tt := range []struct {
		name         string
		before, next *claims.Confirmation
		nonce        string
		want         error
		asked        string // the nonce that a proof must have
	}{
		{"bearer by bearer", nil, nil, "n", nil, ""},
		{"bearer by a key", nil, key, "n", nil, "n"},
		{"bearer by a key, no nonce given", nil, key, "", dpop.ErrUseNonce, ""},
		{"bearer by a certificate", nil, certificate, "", nil, ""},
		{"a key by the same", key, key, "n", nil, "n"},
		{"a key by the same, no nonce given", key, key, "", dpop.ErrUseNonce, ""},
		{"a key by another", key, &claims.Confirmation{Key: "L"}, "n", refusal.ErrProof, ""},
		{"a key by bearer", key, nil, "n", refusal.ErrProof, ""},
		{"a key by a certificate", key, certificate, "n", refusal.ErrProof, ""},
		{"a key by both", key, both, "n", nil, "n"},
		{"both by a key", both, key, "n", refusal.ErrProof, ""},
		{"a certificate by another", certificate, &claims.Confirmation{Certificate: "D"}, "", refusal.ErrProof, ""},
		{"a certificate by bearer", certificate, nil, "", refusal.ErrProof, ""},
		{"a certificate by the same", certificate, certificate, "n", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := bound.Renewal(tt.before, tt.next, bound.Presented{}, tt.nonce)
			if !errors.Is(err, tt.want) || p.Nonce != tt.asked {
				t.Errorf("Renewal() asks for nonce %q, error %v, want %q, %v", p.Nonce, err, tt.asked, tt.want)
			}
		})
	}
}

// What is not said anew is what the session was proved with; what is said counts.
func TestRenewal_SameConnection(t *testing.T) {
	t.Parallel()
	proved := &claims.Confirmation{Certificate: "C", Proved: &claims.Proved{Method: "GET", URL: "https://db.test/ws"}}
	next := &claims.Confirmation{Certificate: "C"}
	p, err := bound.Renewal(proved, next, bound.Presented{}, "")
	if err != nil || p.Method != "GET" || p.URL != "https://db.test/ws" || p.Certificate == nil {
		t.Fatalf("Renewal() = %+v, %v, want what the session was proved with", p, err)
	}
	if got, err := p.Certificate(); got != "C" || err != nil {
		t.Errorf("Certificate() = %q, %v, want that of the connection", got, err)
	}
	own := bound.Presented{Proof: possession.Proof{Method: "POST", URL: "https://db.test/renew", Certificate: &x509.Certificate{Raw: []byte("another")}}}
	p, err = bound.Renewal(proved, next, own, "")
	if err != nil || p.Method != "POST" || p.URL != "https://db.test/renew" || p.Certificate != nil {
		t.Errorf("Renewal() = %+v, %v, want what was said", p, err)
	}
	half := bound.Presented{Proof: possession.Proof{Method: "POST"}}
	if p, err = bound.Renewal(proved, next, half, ""); err != nil || p.Method != "POST" || p.URL != "" {
		t.Errorf("Renewal() = %+v, %v, want the method that was said, and no other's address", p, err)
	}
	p, err = bound.Renewal(next, next, bound.Presented{}, "")
	if err != nil || p.Method != "" || p.Certificate != nil {
		t.Errorf("Renewal() = %+v, %v, want nothing where nothing was proved", p, err)
	}
}
