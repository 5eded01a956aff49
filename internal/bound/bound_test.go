package bound_test

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/bound"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/possession"
)

// Where nothing verifies proofs, what is bound to a key is let in by none, and nothing
// but a certificate of the same thumbprint proves possession of that.
func TestCheck_NoVerifier(t *testing.T) {
	t.Parallel()
	over := func(thumbprint string, err error) bound.Presented {
		return bound.Presented{Certificate: func() (string, error) { return thumbprint, err }}
	}
	withProof := bound.Presented{Proof: possession.Proof{DPoP: "proof"}}
	failed := errors.New("failed")
	for _, tt := range []struct {
		name string
		to   *claims.Confirmation
		p    bound.Presented
		want error
	}{
		{"a bearer token", nil, bound.Presented{}, nil},
		{"a token bound to a key", &claims.Confirmation{Key: "K"}, bound.Presented{}, refusal.ErrProof},
		{"a token bound to a key, with a proof", &claims.Confirmation{Key: "K"}, withProof, refusal.ErrProof},
		{"a token bound to a certificate, over it", &claims.Confirmation{Certificate: "C"}, over("C", nil), nil},
		{"a token bound to a certificate, over another", &claims.Confirmation{Certificate: "C"}, over("D", nil), refusal.ErrProof},
		{"a token bound to a certificate, over none", &claims.Confirmation{Certificate: "C"}, over("", nil), refusal.ErrProof},
		{"a token bound to a certificate, which cannot be read", &claims.Confirmation{Certificate: "C"}, over("C", failed), failed},
		{"a token bound to both, over the certificate", &claims.Confirmation{Key: "K", Certificate: "C"}, over("C", nil), refusal.ErrProof},
	} {
		got, err := bound.Check(t.Context(), nil, tt.to, tt.p)
		if !errors.Is(err, tt.want) || (got != nil) != (tt.to != nil && tt.want == nil) {
			t.Errorf("%s: Check() = %+v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}
