package bound

import (
	"fmt"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Renewal completes what came with a token that takes the place of another on a live
// session: what is not said anew is what the other was proved with, for the connection
// is the same, and possession of a key is proved over the nonce of the session, which
// is empty if it gave none. The error is a refusal: the next token has to be bound to
// all that the other is bound to.
func Renewal(before, next *claims.Confirmation, p Presented, nonce string) (Presented, error) {
	if err := CheckContinues(before, next); err != nil {
		return p, err
	}
	if before != nil && before.Proved != nil {
		if p.Method == "" && p.URL == "" {
			p.Method, p.URL = before.Proved.Method, before.Proved.URL
		}
		if p.Proof.Certificate == nil {
			p.Certificate = func() (string, error) { return before.Certificate, nil }
		}
	}
	if next == nil || next.Key == "" {
		return p, nil
	}
	if nonce == "" {
		return p, refusal.New(refusal.Possession, dpop.ErrUseNonce, "a token bound to a key, on a session that gave no nonce", "a proof over one (Session.Nonce)")
	}
	p.Nonce = nonce
	return p, nil
}

// CheckContinues refuses a token that is to take the place of another and is not bound
// to all that the other is bound to, so that nobody goes on without what was proved.
func CheckContinues(before, after *claims.Confirmation) error {
	if before == nil {
		return nil
	}
	if after == nil {
		after = new(claims.Confirmation)
	}
	for _, m := range [...]struct{ what, before, after string }{{"key", before.Key, after.Key}, {"certificate", before.Certificate, after.Certificate}} {
		if m.before != "" && m.before != m.after {
			return refusal.New(refusal.Possession, refusal.ErrProof, fmt.Sprintf("a token bound to the %s %s", m.what, refusal.Quote(m.after)), "one bound to that of the session, "+refusal.Quote(m.before))
		}
	}
	return nil
}
