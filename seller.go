package oidcauth

import "github.com/oidcauth/oidcauth/internal/claims"

// A seller is who vouches for claims that came from a ticket: their own token's
// signature was not seen when the ticket was used. It never changes.
type seller struct {
	issuer string // the local one
	keyID  string
	soldAt claims.Time
}

// key returns the ID of the seller's key, or "" where there is no seller.
func (s *seller) key() string {
	if s == nil {
		return ""
	}
	return s.keyID
}

// revokedBy reports whether a revocation is of the key that vouches. One of its
// issuer alone is of that issuer's own tokens and of tickets not yet used.
func (s *seller) revokedBy(r *Revocation) bool {
	return s != nil && r.KeyID != "" && r.KeyID == s.keyID && agrees(r.Issuer, s.issuer) &&
		r.Subject == "" && r.SessionID == "" && r.TokenID == "" &&
		(r.IssuedBefore.IsZero() || s.soldAt.Time().Before(r.IssuedBefore))
}
