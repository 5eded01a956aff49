// Package claims reads a token's payload into a record of what it says. It
// judges nothing but the form of what it reads: no time, no audience, no issuer.
// What an issuer's description says about where claims stand is a [Shape].
package claims

import (
	"slices"
	"unsafe"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Record is what a payload says. A [Reader] fills it in; afterwards it never
// changes and may be shared.
type Record struct {
	Identity  identity.Identity
	Issuer    string // the canonical name
	Subject   string // that of the identity
	Expiry    Time
	NotBefore Time
	IssuedAt  Time
	TokenID   string
	SessionID string
	Scopes    string // separated by spaces
	Payload   string // as it was signed
	Index     Index  // of Payload

	// Confirmation is what the token is bound to; nil for that of a bearer.
	Confirmation *Confirmation

	// Lists holds the values of "aud" and then the roles: one piece of memory,
	// since records are kept by the hundred thousand.
	Lists     []string
	Audiences uint16 // how many of Lists are values of "aud"

	Type         uint16 // which of the types that its issuer's tokens may have, from 1; 0 for none
	Mapped       bool   // the subject is not "sub"
	NeverExpires bool   // there is no expiry, and none is demanded
	Algorithm    uint8  // of the signature, among those that its issuer's tokens may have
	HasKeyID     bool   // the token names its key
}

// AudienceList returns the values of "aud", which must not be changed.
func (r *Record) AudienceList() []string { return r.Lists[:r.Audiences] }

// RoleList returns the roles, which must not be changed.
func (r *Record) RoleList() []string { return r.Lists[r.Audiences:] }

// HasAudience reports whether "aud" contains audience.
func (r *Record) HasAudience(audience string) bool {
	return slices.Contains(r.AudienceList(), audience)
}

// SubjectClaim returns "sub" where that is not the subject.
func (r *Record) SubjectClaim() string {
	if !r.Mapped {
		return ""
	}
	m, found := r.Member([]string{"sub"})
	if found && m.Kind == jws.Number {
		sub, _ := integer(refusal.Subject, m)
		return sub
	}
	sub, _ := r.Text("sub")
	return sub
}

// Text returns the string at a path and whether there is one. It copies nothing
// unless the string is written with escapes.
func (r *Record) Text(path ...string) (string, bool) {
	if len(path) == 1 && r.Index != "" {
		offset, found := r.Index.find(r.Payload, path[0])
		if !found {
			return "", false
		}
		text, err := jws.TextAt(r.Payload, offset)
		return text, err == nil
	}
	m, found := r.Member(path)
	if !found {
		return "", false
	}
	text, err := m.Text()
	return text, err == nil
}

// Member returns the claim at a path; one that leads through something other
// than objects leads to none. Without a path it is the payload.
func (r *Record) Member(path []string) (jws.Member, bool) {
	if len(path) == 0 || r.Index == "" {
		m, found, err := jws.Lookup(r.Payload, path...)
		return m, found && err == nil
	}
	offset, found := r.Index.find(r.Payload, path[0])
	if !found {
		return jws.Member{}, false
	}
	m, err := jws.ValueAt(r.Payload, offset)
	if err != nil || len(path) == 1 {
		return m, err == nil
	}
	m, found, err = m.At(path[1:]...)
	return m, found && err == nil
}

// Size estimates the memory that the record refers to, without its own.
func (r *Record) Size() int {
	const stringHeader = int(unsafe.Sizeof(""))
	size := len(r.Payload) + len(r.Index) + len(r.Lists)*stringHeader
	if r.Confirmation != nil {
		size += int(unsafe.Sizeof(*r.Confirmation))
	}
	return size
}
