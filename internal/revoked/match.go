package revoked

import (
	"slices"
	"strings"
	"time"
)

// A Token is what revocations are compared with. What a token does not have is
// empty.
type Token struct {
	Issuer       string   // the canonical name
	Aliases      []string // other names of the issuer, one of which may have been that
	Prefix       string   // of the subjects that share it with the token's
	Subject      string   // that of the identity
	SubjectClaim string   // "sub", where that is not the subject
	SessionID    string
	TokenID      string
	KeyID        string    // of the key that stands for the token now
	IssuedAt     time.Time // zero where the token does not say
	Seller       Seller
}

// A Seller is who vouches for a token that was exchanged for a ticket: the
// token's own signature was not seen when the ticket was used. The zero value is
// nobody.
type Seller struct {
	Issuer string // the local one
	KeyID  string
	SoldAt time.Time
}

// Matches reports whether the revocation is of the token, or of who vouches for
// it.
func (r *Revocation) Matches(t *Token) bool {
	return r.matchesToken(t) || r.matchesSeller(&t.Seller)
}

func (r *Revocation) matchesToken(t *Token) bool {
	return r.ofIssuer(t) &&
		(agrees(r.Subject, t.Subject) || agrees(r.Subject, t.SubjectClaim)) &&
		agrees(r.SessionID, t.SessionID) &&
		agrees(r.TokenID, t.TokenID) &&
		agrees(r.KeyID, t.KeyID) &&
		(r.IssuedBefore.IsZero() || t.IssuedAt.IsZero() || t.IssuedAt.Before(r.IssuedBefore))
}

// matchesSeller reports whether the revocation is of the key that vouches. One of
// its issuer alone is of that issuer's own tokens and of tickets not yet used.
func (r *Revocation) matchesSeller(s *Seller) bool {
	return r.KeyID != "" && r.KeyID == s.KeyID && agrees(r.Issuer, s.Issuer) &&
		r.Subject == "" && r.SessionID == "" && r.TokenID == "" &&
		(r.IssuedBefore.IsZero() || s.SoldAt.Before(r.IssuedBefore))
}

// ofIssuer reports whether the revocation is of the token's issuer: of all that it
// has, or of the subjects with the token's prefix. No issuer's name has a "|" in it.
func (r *Revocation) ofIssuer(t *Token) bool {
	name, prefix, scoped := strings.Cut(r.Issuer, "|")
	return (agrees(name, t.Issuer) || slices.Contains(t.Aliases, name)) && (!scoped || prefix == t.Prefix)
}

func agrees(want, got string) bool { return want == "" || want == got }
