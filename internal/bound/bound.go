// Package bound decides whether whoever presents a token has proved to have what the
// token is bound to.
package bound

import (
	"context"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/possession"
)

// Presented is what came with a token.
type Presented struct {
	possession.Proof
	Token  string
	Bearer string // whose token it is

	// Certificate returns the thumbprint of the one that the other end has, empty for
	// none. It is asked if the token is bound to one. Nil means that of the Proof.
	Certificate func() (string, error)

	// Nonce is the one nonce that a proof by a key must have; empty for those of the
	// Verifier.
	Nonce string
}

// Check returns what the token is bound to with the note that all of it was proved, nil
// for a bearer token. The error is a refusal. A proof that is good is used up.
//
// It depends on what the token is bound to, and on what came with it, and on nothing
// else: wherever a record has its confirmation from, it is checked alike.
func Check(ctx context.Context, v *dpop.Verifier, c *claims.Confirmation, p Presented) (*claims.Confirmation, error) {
	isDPoP := p.IsDPoP()
	if c == nil || c.Key == "" {
		if isDPoP {
			return nil, refusal.New(refusal.Possession, refusal.ErrProof, "a token under the scheme DPoP that is bound to no key", "one that is, or the scheme Bearer")
		}
		if c == nil {
			return nil, nil
		}
	}
	proved := c.WithProof(&claims.Proved{Method: p.Method, URL: p.URL})
	if c.Certificate != "" {
		if err := p.checkCertificate(c.Certificate); err != nil {
			return nil, err
		}
	}
	if c.Key == "" {
		return proved, nil
	}
	if v == nil {
		return nil, refusal.New(refusal.Possession, refusal.ErrProof, "a token bound to a key", "a server that checks proofs (Config.DPoP)")
	}
	if !isDPoP {
		return nil, refusal.New(refusal.Possession, refusal.ErrProof, "a token bound to a key, as a bearer token", "the scheme DPoP, with a proof")
	}
	return proved, v.Verify(ctx, dpop.Use{Proof: p.DPoP, Method: p.Method, URL: p.URL, Token: p.Token, Thumbprint: c.Key, Bearer: p.Bearer, Nonce: p.Nonce})
}

func (p *Presented) checkCertificate(want string) error {
	got := possession.Thumbprint(p.Proof.Certificate)
	if p.Certificate != nil {
		var err error
		if got, err = p.Certificate(); err != nil {
			return err
		}
	}
	switch got {
	case want:
		return nil
	case "":
		return refusal.New(refusal.Possession, refusal.ErrProof, "a token bound to a certificate, over a connection without", "the certificate "+refusal.Quote(want))
	}
	return refusal.New(refusal.Possession, refusal.ErrProof, "the certificate "+refusal.Quote(got), refusal.Quote(want))
}
