package oidcauth

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// readers fill in the claims. They depend on the payload and the issuer's
// description alone: no clock, no key, no network.
var readers = [...]func(*evaluation) error{
	(*evaluation).readExpiry, (*evaluation).readNotBefore, (*evaluation).readIssuedAt,
	(*evaluation).readAudience, (*evaluation).readSubject, (*evaluation).readOthers,
}

// member returns a top-level claim by its exact name.
func (e *evaluation) member(name string) (jws.Member, bool) {
	return jws.Find(e.members, name)
}

// has reports whether there is a top-level claim of that exact name.
func (e *evaluation) has(name string) bool {
	_, found := e.member(name)
	return found
}

// untrustedIssuer reads "iss" before the signature is known: fit only to choose
// who has to vouch for the token.
func (e *evaluation) untrustedIssuer() (string, error) {
	m, found := e.member("iss")
	if !found {
		return "", refusal.New(refusal.Issuer, ErrClaim, `no "iss"`, "an issuer")
	}
	iss, err := m.Text()
	if err != nil {
		return "", wrongType(refusal.Issuer, m, "a string")
	}
	if iss == "" || len(iss) > maxNameBytes {
		return "", refusal.New(refusal.Issuer, ErrClaim, fmt.Sprintf(`"iss" of %d bytes`, len(iss)), fmt.Sprintf("1 to %d bytes", maxNameBytes))
	}
	return iss, nil
}

func (e *evaluation) readExpiry() error {
	m, found := e.member("exp")
	if e.trust != nil && e.trust.noExpiry && (!found || m.Kind == jws.Null) {
		e.claims.neverExpires = true
		return nil
	}
	if !found {
		return refusal.New(refusal.Expiry, ErrClaim, `no "exp"`, "an expiry")
	}
	var err error
	e.claims.expiry, err = numericDate(refusal.Expiry, m)
	return err
}

func (e *evaluation) readNotBefore() (err error) {
	if m, found := e.member("nbf"); found {
		e.claims.notBefore, err = numericDate(refusal.NotBefore, m)
	}
	return err
}

func (e *evaluation) readIssuedAt() (err error) {
	if m, found := e.member("iat"); found {
		e.claims.issuedAt, err = numericDate(refusal.IssuedAt, m)
	}
	return err
}

// numericDate reads a time (RFC 7519, section 2). A value of another type is a
// refusal: read as missing, it would switch the check off.
func numericDate(check string, m jws.Member) (claimTime, error) {
	sec, nsec, err := m.Seconds()
	if err != nil {
		return 0, refusal.New(check, ErrClaim, fmt.Sprintf("%q: %s", m.Name, err), "seconds since 1970 as a number")
	}
	return claimTimeOf(sec, nsec), nil
}

// readAudience reads "aud" (RFC 7519, section 4.1.3): a string or an array of
// strings and nothing else.
func (e *evaluation) readAudience() error {
	m, found := e.member("aud")
	if !found {
		return nil
	}
	values, err := appendStrings(e.values[:0], m)
	if err != nil {
		return wrongType(refusal.Audience, m, "a string or an array of strings")
	}
	if len(values) > math.MaxUint16 {
		return refusal.New(refusal.Audience, ErrClaim, fmt.Sprintf(`"aud" of %d values`, len(values)), fmt.Sprintf("at most %d", math.MaxUint16))
	}
	e.values = values
	e.claims.lists, e.claims.audiences = values, uint16(len(values))
	return nil
}

// readSubject reads the subject and derives the identity.
func (e *evaluation) readSubject() error {
	sub, err := e.text(refusal.Subject, "sub")
	if err != nil {
		return err
	}
	if paths := e.subjectPaths(sub); len(paths) > 0 {
		e.claims.mapped = true
		if sub, err = e.mappedSubject(paths); err != nil {
			return err
		}
	}
	if sub == "" || len(sub) > maxNameBytes {
		return refusal.New(refusal.Subject, ErrClaim, fmt.Sprintf("a subject of %d bytes", len(sub)), fmt.Sprintf("1 to %d bytes", maxNameBytes))
	}
	e.claims.subject = sub
	e.claims.identity = identity.New(e.claims.issuer, sub)
	return e.checkHexIdentity()
}

// subjectPaths chooses between Issuer.Subject and Issuer.SubjectElse.
func (e *evaluation) subjectPaths(sub string) []Path {
	if len(e.trust.subjectElse) == 0 {
		return e.trust.subject
	}
	if len(e.trust.subject) == 0 && sub != "" {
		return nil
	}
	for _, path := range e.trust.subject {
		m, found, err := e.lookup(path)
		if err != nil || found && (m.Kind != jws.String || m.Value != `""`) {
			return e.trust.subject
		}
	}
	return e.trust.subjectElse
}

// mappedSubject joins the values that the paths lead to. Of several, only the
// last may contain the separator, so that no two tuples give one subject.
func (e *evaluation) mappedSubject(paths []Path) (string, error) {
	parts := make([]string, len(paths))
	for i, path := range paths {
		m, found := e.memberAt(path)
		if !found || m.Kind != jws.String {
			return "", refusal.New(refusal.Subject, ErrClaim, fmt.Sprintf("no string at %q", path), "a part of the subject")
		}
		var err error
		if parts[i], err = m.Text(); err != nil || parts[i] == "" {
			return "", refusal.New(refusal.Subject, ErrClaim, fmt.Sprintf("an empty string at %q", path), "a part of the subject")
		}
		if i < len(parts)-1 && strings.Contains(parts[i], "|") {
			return "", refusal.New(refusal.Subject, ErrClaim, fmt.Sprintf("%q contains \"|\"", path), "a part without the separator")
		}
	}
	return strings.Join(parts, "|"), nil
}

// checkHexIdentity compares the identity that SpacetimeDB's own tokens carry.
func (e *evaluation) checkHexIdentity() error {
	m, found := e.member("hex_identity")
	if !found {
		return nil
	}
	claimed, err := m.Text()
	if err != nil {
		return wrongType(refusal.Subject, m, "a string")
	}
	if claimed != e.claims.identity.String() {
		return refusal.New(refusal.Subject, ErrClaim, `"hex_identity" `+refusal.Quote(claimed), refusal.Quote(e.claims.identity.String()))
	}
	return nil
}

// readOthers reads the claims that decide nothing by themselves.
func (e *evaluation) readOthers() (err error) {
	c := e.claims
	if c.tokenID, err = e.text(refusal.Claims, "jti"); err != nil {
		return err
	}
	if c.sessionID, err = e.text(refusal.Claims, "sid"); err != nil {
		return err
	}
	if c.scopes, err = e.scopes(); err != nil {
		return err
	}
	if e.trust.ignoresScopes {
		c.scopes = ""
	}
	e.values = e.appendRoles(e.values[:c.audiences])
	c.lists = slices.Clone(e.values)
	c.index = newClaimIndex(c.payload, e.members)
	return nil
}

// text returns a registered claim that must be a string if it is there.
func (e *evaluation) text(check, name string) (string, error) {
	m, found := e.member(name)
	if !found {
		return "", nil
	}
	s, err := m.Text()
	if err != nil {
		return "", wrongType(check, m, "a string")
	}
	return s, nil
}

func wrongType(check string, m jws.Member, want string) error {
	return refusal.New(check, ErrClaim, fmt.Sprintf("%q: %s", m.Name, m.Kind), want)
}

// appendStrings appends what a claim holds that is a string or an array of
// strings. With an error it returns dst as it was.
func appendStrings(dst []string, m jws.Member) ([]string, error) {
	if m.Kind != jws.String {
		return m.AppendStrings(dst)
	}
	s, err := m.Text()
	if err != nil {
		return dst, err
	}
	return append(dst, s), nil
}

// scopes reads "scope" (RFC 8693, section 4.2) or, without it, "scp", the name
// that Okta and Entra use: a string, in which spaces separate the scopes, or an
// array. An element with a space in it is no scope and is left out.
func (e *evaluation) scopes() (string, error) {
	m, found := e.member("scope")
	if !found || m.Kind == jws.Null {
		m, found = e.member("scp")
	}
	if !found || m.Kind == jws.Null {
		return "", nil
	}
	if m.Kind == jws.String {
		return m.Text()
	}
	list, err := m.AppendStrings(nil)
	if err != nil {
		return "", wrongType(refusal.Claims, m, "a string or an array of strings")
	}
	hasSpace := func(s string) bool { return strings.Contains(s, " ") }
	return strings.Join(slices.DeleteFunc(list, hasSpace), " "), nil
}

// memberAt returns the claim at a path. One that leads through something other
// than objects leads to none.
func (e *evaluation) memberAt(path Path) (jws.Member, bool) {
	m, found, err := e.lookup(path)
	return m, found && err == nil
}

// lookup is [jws.Lookup] in the payload, which has been parsed already.
func (e *evaluation) lookup(path Path) (jws.Member, bool, error) {
	if len(path) == 0 {
		return jws.Member{}, false, nil
	}
	m, found := e.member(path[0])
	if !found || len(path) == 1 {
		return m, found, nil
	}
	return m.At(path[1:]...)
}
