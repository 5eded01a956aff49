package revoked

import (
	"time"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Revocation is the public one of the same name, field by field and tag by
// tag, so that each converts to the other.
type Revocation struct {
	Issuer       string    `json:"issuer,omitempty"`
	Subject      string    `json:"subject,omitempty"`
	SessionID    string    `json:"session_id,omitempty"`
	TokenID      string    `json:"token_id,omitempty"`
	KeyID        string    `json:"key_id,omitempty"`
	IssuedBefore time.Time `json:"issued_before,omitzero"`
	EndedAt      time.Time `json:"ended_at,omitzero"`
	Until        time.Time `json:"until,omitzero"`
}

// IsEmpty reports whether nothing is set that a token could agree with.
func (r *Revocation) IsEmpty() bool {
	return r.pattern() == Revocation{} && r.IssuedBefore.IsZero()
}

// IsIssuerAlone reports whether all tokens of an issuer could agree with it, later ones
// too.
func (r *Revocation) IsIssuerAlone() bool {
	return r.Issuer != "" && r.pattern() == Revocation{Issuer: r.Issuer} && r.IssuedBefore.IsZero()
}

// pattern returns the revocation without its times.
func (r *Revocation) pattern() Revocation {
	p := *r
	p.IssuedBefore, p.EndedAt, p.Until = time.Time{}, time.Time{}, time.Time{}
	return p
}

// covers reports whether r revokes all that other, of the same pattern, does.
func (r *Revocation) covers(other *Revocation) bool {
	if r.Until.Before(other.Until) || !r.EndedAt.IsZero() && (other.EndedAt.IsZero() || r.EndedAt.Before(other.EndedAt)) {
		return false
	}
	if r.IssuedBefore.IsZero() || other.IssuedBefore.IsZero() {
		return r.IssuedBefore.IsZero()
	}
	return !r.IssuedBefore.Before(other.IssuedBefore)
}

// IsWritable reports whether the revocation can be written as JSON and read again as
// what it is: in another form it would wait for a log for ever, or be of somebody else.
func (r *Revocation) IsWritable() bool {
	for _, text := range [...]string{r.Issuer, r.Subject, r.SessionID, r.TokenID, r.KeyID} {
		if !utf8.ValidString(text) {
			return false
		}
	}
	for _, t := range [...]time.Time{r.IssuedBefore, r.EndedAt, r.Until} {
		if year := t.UTC().Year(); year < 0 || year > 9999 {
			return false
		}
	}
	return true
}

// Describe says what is revoked, for an operator.
func (r *Revocation) Describe() string {
	var text string
	for _, part := range []struct{ name, value string }{
		{"issuer", r.Issuer}, {"subject", r.Subject}, {"session ID", r.SessionID},
		{"token ID", r.TokenID}, {"key ID", r.KeyID},
	} {
		if part.value != "" {
			text += ", " + part.name + " " + refusal.Quote(part.value)
		}
	}
	if !r.IssuedBefore.IsZero() {
		text += ", issued before " + r.IssuedBefore.UTC().Format(time.RFC3339)
	}
	return "revoked" + text
}

// Normal returns the revocation with its times in the form that they have after
// they were written and read again, so that equal ones compare as equal.
func (r Revocation) Normal() Revocation {
	if !r.IssuedBefore.IsZero() {
		r.IssuedBefore = r.IssuedBefore.Round(0).UTC()
	}
	if !r.EndedAt.IsZero() {
		r.EndedAt = r.EndedAt.Round(0).UTC()
	}
	r.Until = r.Until.Round(0).UTC()
	return r
}
