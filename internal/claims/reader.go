package claims

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What bounds the names of issuers and of subjects. Identities are made of both and
// need no bound: a subject may have the 255 characters of OpenID Connect Core 1.0,
// section 2, those 339 of Kubernetes, and the 2048 of a SPIFFE ID.
const (
	MaxIssuerBytes  = 512
	MaxSubjectBytes = 2048
)

// What bounds the buffers that an unusual payload leaves behind.
const (
	maxKeptMembers = 4 << 10 // as many as fit into 16 KiB
	maxKeptValues  = 64
)

// A Shape says where an issuer's tokens have their claims.
type Shape struct {
	Subject      []Path   // empty for "sub"
	SubjectElse  []Path   // in place of Subject, where its claims are missing
	Numeric      bool     // the subject is an integer, and no string
	Prefix       string   // in front of the subject that these give
	Reserved     []string // what no subject begins with, because the issuer's other callers' do
	Roles        []Path
	RoleForm     RoleForm
	IgnoreScopes bool
	NoExpiry     bool // a token may have no expiry
}

// A Reader fills a record in from the members of a payload. It depends on these
// and on the shape alone: no clock, no key, no network. Its buffers are kept from
// one payload to the next.
type Reader struct {
	Members []jws.Member
	Record  *Record
	Shape   *Shape // nil until the issuer is known

	values []string // of "aud", then the roles
}

// Reset empties the reader and keeps its buffers, unless they have become large.
func (r *Reader) Reset() {
	r.Record, r.Shape = nil, nil
	if clear(r.Members); cap(r.Members) > maxKeptMembers {
		r.Members = nil
	}
	r.Members = r.Members[:0] // the rest has been empty all the time
	if clear(r.values[:cap(r.values)]); cap(r.values) > maxKeptValues {
		r.values = nil
	}
}

// ReadAll reads everything, in the order of the checks.
func (r *Reader) ReadAll() error {
	for _, read := range [...]func() error{
		r.ReadExpiry, r.ReadNotBefore, r.ReadIssuedAt, r.ReadAudience, r.ReadSubject, r.ReadOthers,
	} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// Member returns a top-level claim by its exact name.
func (r *Reader) Member(name string) (jws.Member, bool) {
	return jws.Find(r.Members, name)
}

// Has reports whether there is a top-level claim of that exact name.
func (r *Reader) Has(name string) bool {
	_, found := r.Member(name)
	return found
}

// Lookup is [jws.Lookup] in the payload, which has been parsed already.
func (r *Reader) Lookup(path Path) (jws.Member, bool, error) {
	if len(path) == 0 {
		return jws.Member{}, false, nil
	}
	m, found := r.Member(path[0])
	if !found || len(path) == 1 {
		return m, found, nil
	}
	return m.At(path[1:]...)
}

// memberAt returns the claim at a path. One that leads through something other
// than objects leads to none.
func (r *Reader) memberAt(path Path) (jws.Member, bool) {
	m, found, err := r.Lookup(path)
	return m, found && err == nil
}

// UntrustedIssuer reads "iss" before the signature is known: fit only to choose
// who has to vouch for the token.
func (r *Reader) UntrustedIssuer() (string, error) {
	m, found := r.Member("iss")
	if !found {
		if domain, ok := r.trustDomain(); ok {
			return domain, nil
		}
		return "", refusal.New(refusal.Issuer, refusal.ErrClaim, `no "iss"`, "an issuer")
	}
	iss, err := m.Text()
	if err != nil {
		return "", WrongType(refusal.Issuer, m, "a string")
	}
	if iss == "" || len(iss) > MaxIssuerBytes {
		return "", refusal.New(refusal.Issuer, refusal.ErrClaim, fmt.Sprintf(`"iss" of %d bytes`, len(iss)), fmt.Sprintf("1 to %d bytes", MaxIssuerBytes))
	}
	return iss, nil
}

// ReadExpiry reads "exp", which must be there unless the shape says otherwise.
func (r *Reader) ReadExpiry() error {
	m, found := r.Member("exp")
	if r.Shape != nil && r.Shape.NoExpiry && (!found || m.Kind == jws.Null) {
		r.Record.NeverExpires = true
		return nil
	}
	if !found {
		return refusal.New(refusal.Expiry, refusal.ErrClaim, `no "exp"`, "an expiry")
	}
	var err error
	r.Record.Expiry, err = numericDate(refusal.Expiry, m)
	return err
}

// ReadNotBefore reads "nbf".
func (r *Reader) ReadNotBefore() (err error) {
	if m, found := r.Member("nbf"); found {
		r.Record.NotBefore, err = numericDate(refusal.NotBefore, m)
	}
	return err
}

// ReadIssuedAt reads "iat".
func (r *Reader) ReadIssuedAt() (err error) {
	if m, found := r.Member("iat"); found {
		r.Record.IssuedAt, err = numericDate(refusal.IssuedAt, m)
	}
	return err
}

// numericDate reads a time (RFC 7519, section 2). A value of another type is a
// refusal: read as missing, it would switch the check off.
func numericDate(check string, m jws.Member) (Time, error) {
	sec, nsec, err := m.Seconds()
	if err != nil {
		got := m.Kind.String()
		if m.Kind == jws.Number {
			got = "a time out of range (perhaps in milliseconds)"
		}
		return 0, refusal.New(check, refusal.ErrClaim, fmt.Sprintf("%q: %s", m.Name, got), "seconds since 1970 as a number")
	}
	return timeOf(sec, nsec), nil
}

// ReadAudience reads "aud" (RFC 7519, section 4.1.3): a string or an array of
// strings and nothing else.
func (r *Reader) ReadAudience() error {
	m, found := r.Member("aud")
	if !found {
		return nil
	}
	values, err := AppendStrings(r.values[:0], m)
	if err != nil {
		return WrongType(refusal.Audience, m, "a string or an array of strings")
	}
	if len(values) > math.MaxUint16 {
		return refusal.New(refusal.Audience, refusal.ErrClaim, fmt.Sprintf(`"aud" of %d values`, len(values)), fmt.Sprintf("at most %d", math.MaxUint16))
	}
	r.values = values
	r.Record.Lists, r.Record.Audiences = values, uint16(len(values))
	return nil
}

// ReadOthers reads the claims that decide nothing by themselves, and makes the
// record independent of the reader's buffers.
func (r *Reader) ReadOthers() (err error) {
	c := r.Record
	if c.TokenID, err = r.Text(refusal.Claims, "jti"); err != nil {
		return err
	}
	if c.SessionID, err = r.Text(refusal.Claims, "sid"); err != nil {
		return err
	}
	if c.Scopes, err = r.scopes(); err != nil {
		return err
	}
	if r.Shape.IgnoreScopes {
		c.Scopes = ""
	}
	r.values = r.appendRoles(r.values[:c.Audiences])
	c.Lists = slices.Clone(r.values)
	c.Index = newIndex(c.Payload, r.Members)
	return nil
}

// Text returns a registered claim that must be a string if it is there.
func (r *Reader) Text(check, name string) (string, error) {
	m, found := r.Member(name)
	if !found {
		return "", nil
	}
	s, err := m.Text()
	if err != nil {
		return "", WrongType(check, m, "a string")
	}
	return s, nil
}

// WrongType refuses a claim of another type than is wanted.
func WrongType(check string, m jws.Member, want string) error {
	return refusal.New(check, refusal.ErrClaim, fmt.Sprintf("%q: %s", m.Name, m.Kind), want)
}

// AppendStrings appends what a claim holds that is a string or an array of
// strings. With an error it returns dst as it was.
func AppendStrings(dst []string, m jws.Member) ([]string, error) {
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
func (r *Reader) scopes() (string, error) {
	m, found := r.Member("scope")
	if !found || m.Kind == jws.Null {
		m, found = r.Member("scp")
	}
	if !found || m.Kind == jws.Null {
		return "", nil
	}
	if m.Kind == jws.String {
		return m.Text()
	}
	list, err := m.AppendStrings(nil)
	if err != nil {
		return "", WrongType(refusal.Claims, m, "a string or an array of strings")
	}
	hasSpace := func(s string) bool { return strings.Contains(s, " ") }
	return strings.Join(slices.DeleteFunc(list, hasSpace), " "), nil
}
