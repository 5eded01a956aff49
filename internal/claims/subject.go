package claims

import (
	"fmt"
	"strings"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// ReadSubject reads the subject and derives the identity.
func (r *Reader) ReadSubject() error {
	sub, err := r.Text(refusal.Subject, "sub")
	if err != nil {
		return err
	}
	if paths := r.subjectPaths(sub); len(paths) > 0 {
		r.Record.Mapped = true
		if sub, err = r.mappedSubject(paths); err != nil {
			return err
		}
	}
	if sub == "" || len(sub) > MaxNameBytes {
		return refusal.New(refusal.Subject, refusal.ErrClaim, fmt.Sprintf("a subject of %d bytes", len(sub)), fmt.Sprintf("1 to %d bytes", MaxNameBytes))
	}
	r.Record.Subject = sub
	r.Record.Identity = identity.New(r.Record.Issuer, sub)
	return r.checkHexIdentity()
}

// subjectPaths chooses between the two lists of paths.
func (r *Reader) subjectPaths(sub string) []Path {
	s := r.Shape
	if len(s.SubjectElse) == 0 {
		return s.Subject
	}
	if len(s.Subject) == 0 && sub != "" {
		return nil
	}
	for _, path := range s.Subject {
		m, found, err := r.Lookup(path)
		if err != nil || found && (m.Kind != jws.String || m.Value != `""`) {
			return s.Subject
		}
	}
	return s.SubjectElse
}

// mappedSubject joins the values that the paths lead to. Of several, only the
// last may contain the separator, so that no two tuples give one subject.
func (r *Reader) mappedSubject(paths []Path) (string, error) {
	parts := make([]string, len(paths))
	for i, path := range paths {
		m, found := r.memberAt(path)
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
