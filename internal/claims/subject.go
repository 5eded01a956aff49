package claims

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// ReadSubject reads the subject and derives the identity.
func (r *Reader) ReadSubject() error {
	sub, err := r.subject()
	if err != nil {
		return err
	}
	if sub == "" && !r.Has("sub") {
		return refusal.New(refusal.Subject, refusal.ErrClaim, `no "sub"`, "a subject: have the issuer put one into its tokens (in Keycloak by the mapper \"Subject (sub)\" of the client scope \"basic\", into lightweight access tokens too), or name another claim in Issuer.Subject")
	}
	if most := MaxSubjectBytes - len(r.Shape.Prefix); sub == "" || len(sub) > most {
		return refusal.New(refusal.Subject, refusal.ErrClaim, fmt.Sprintf("a subject of %d bytes", len(sub)), fmt.Sprintf("1 to %d bytes", most))
	}
	if r.Shape.Prefix != "" {
		sub = r.Shape.Prefix + sub
	}
	for _, others := range r.Shape.Reserved {
		if strings.HasPrefix(sub, others) {
			return refusal.New(refusal.Subject, refusal.ErrClaim, "the subject "+refusal.Quote(sub), "one that does not begin with "+refusal.Quote(others)+", another description's SubjectPrefix")
		}
	}
	r.Record.Subject = sub
	r.Record.Identity = identity.New(r.Record.Issuer, sub)
	return r.checkHexIdentity()
}

// subject returns what makes the subject. "sub" is not looked at where it is other
// claims.
func (r *Reader) subject() (string, error) {
	paths := r.Shape.Subject
	if len(paths) == 0 {
		sub, err := r.SubjectClaim(refusal.Subject)
		if err != nil || sub != "" || len(r.Shape.SubjectElse) == 0 {
			return sub, err
		}
	}
	r.Record.Mapped = true
	if len(r.Shape.SubjectElse) > 0 && r.allMissing(paths) {
		paths = r.Shape.SubjectElse
	}
	return r.mappedSubject(paths)
}

// SubjectClaim returns "sub", or an empty string if there is none. Where the subject
// is an integer, "sub" has to be one; where it is other claims, it may be one.
func (r *Reader) SubjectClaim(check string) (string, error) {
	m, found := r.Member("sub")
	switch {
	case !found:
		return "", nil
	case r.Shape != nil && r.Shape.Numeric && len(r.Shape.Subject) == 0:
		return integer(check, m)
	case r.Shape != nil && len(r.Shape.Subject) > 0 && m.Kind == jws.Number:
		return integer(check, m)
	}
	return r.Text(check, "sub")
}

// LogoutSubject is SubjectClaim of a logout token, which may have an integer's digits in
// a string: whom it means is the same.
func (r *Reader) LogoutSubject() (string, error) {
	m, found := r.Member("sub")
	if !found || r.Shape == nil || !r.Shape.Numeric || m.Kind != jws.String {
		return r.SubjectClaim(refusal.Logout)
	}
	text, err := m.Text()
	if err != nil {
		return "", WrongType(refusal.Logout, m, "an integer")
	}
	m.Kind, m.Value = jws.Number, text
	digits, err := integer(refusal.Logout, m)
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		return "", refusal.New(refusal.Logout, refusal.ErrClaim, `"sub": `+refusal.Quote(text), "an integer's digits")
	}
	return digits, nil
}

// allMissing reports whether no path leads to anything but an empty string.
func (r *Reader) allMissing(paths []Path) bool {
	for _, path := range paths {
		m, found, err := r.Lookup(path)
		if err != nil || found && (m.Kind != jws.String || m.Value != `""`) {
			return false
		}
	}
	return true
}

// mappedSubject joins the values that the paths lead to. Of several, only the
// last may contain the separator, so that no two tuples give one subject.
func (r *Reader) mappedSubject(paths []Path) (string, error) {
	parts := make([]string, len(paths))
	for i, path := range paths {
		m, found := r.memberAt(path)
		if r.Shape.Numeric && found { // there is one path alone
			return integer(refusal.Subject, m)
		}
		if !found || m.Kind != jws.String {
			return "", refusal.New(refusal.Subject, refusal.ErrClaim, fmt.Sprintf("no string at %q", path), "a part of the subject")
		}
		var err error
		if parts[i], err = m.Text(); err != nil || parts[i] == "" {
			return "", refusal.New(refusal.Subject, refusal.ErrClaim, fmt.Sprintf("an empty string at %q", path), "a part of the subject")
		}
		if i < len(parts)-1 && strings.Contains(parts[i], "|") {
			return "", refusal.New(refusal.Subject, refusal.ErrClaim, fmt.Sprintf("%q contains \"|\"", path), "a part without the separator")
		}
	}
	return strings.Join(parts, "|"), nil
}

// maxInteger is the largest integer that has a double of its own (RFC 8259, section
// 6): of larger ones two may have been made one before they were written.
const maxInteger = 1<<53 - 1

// integer returns an integer that is no less than zero, as the digits that everybody
// writes it with.
func integer(check string, m jws.Member) (string, error) {
	n, err := strconv.ParseUint(m.Value, 10, 64)
	if m.Kind != jws.Number || err != nil || n > maxInteger {
		got := m.Kind.String()
		if m.Kind == jws.Number {
			got = refusal.Quote(m.Value)
		}
		return "", refusal.New(check, refusal.ErrClaim, fmt.Sprintf("%q: %s", m.Name, got), fmt.Sprintf("an integer from 0 to %d, in digits", uint64(maxInteger)))
	}
	return m.Value, nil
}

// checkHexIdentity compares the identity that SpacetimeDB's own tokens carry.
func (r *Reader) checkHexIdentity() error {
	m, found := r.Member("hex_identity")
	if !found {
		return nil
	}
	claimed, err := m.Text()
	if err != nil {
		return WrongType(refusal.Subject, m, "a string")
	}
	if want := r.Record.Identity.String(); claimed != want {
		return refusal.New(refusal.Subject, refusal.ErrClaim, `"hex_identity" `+refusal.Quote(claimed), refusal.Quote(want))
	}
	return nil
}
