package claims

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// The methods by which a token can be bound to something that its bearer must have,
// as members of "cnf" (RFC 7800, section 3.1), whose possession can be proved here.
const (
	MethodKey         = "jkt"      // the thumbprint of a public key (RFC 9449, section 6.1)
	MethodCertificate = "x5t#S256" // the thumbprint of a certificate (RFC 8705, section 3.1)
)

// ErrBinding is the cause of a refusal for what a token is bound to, or for its being
// bound, or not: another token is due then, and no other type.
var ErrBinding = errors.New("its binding")

// Misbound refuses a token for that.
func Misbound(got, want string) error {
	return &refusal.Refusal{Check: refusal.Type, Err: refusal.With(refusal.ErrTokenType, ErrBinding), Got: got, Want: want}
}

// A Confirmation is what a token is bound to. Key or Certificate is set, or both are,
// and possession of each has to be proved.
type Confirmation struct {
	Key         string // by MethodKey
	Certificate string // by MethodCertificate

	// Proved says that it was, with one use of the token. It is nil in what was read,
	// and in what is remembered of the token, which knows nobody who presents it.
	Proved *Proved
}

// Proved is how possession was proved. It never changes.
type Proved struct {
	Method, URL string // of the request
}

// WithProof returns the same with what was proved, or with nil without that.
func (c *Confirmation) WithProof(p *Proved) *Confirmation {
	if c == nil || c.Proved == p {
		return c
	}
	return &Confirmation{Key: c.Key, Certificate: c.Certificate, Proved: p}
}

// Methods returns the methods by which the token is bound.
func (c *Confirmation) Methods() []string {
	var methods []string
	if c.Key != "" {
		methods = append(methods, MethodKey)
	}
	if c.Certificate != "" {
		methods = append(methods, MethodCertificate)
	}
	return methods
}

// ReadConfirmation reads "cnf", which need not be there. Its members by other names
// than those of the methods say nothing here; without any of these it is refused, for
// the token is bound, and nobody knows by what.
func (r *Reader) ReadConfirmation() error {
	r.Record.Confirmation = nil
	m, found := r.Member("cnf")
	if !found {
		return nil
	}
	if m.Kind != jws.Object {
		return Misbound(`"cnf": `+m.Kind.String(), "an object, or none")
	}
	var c Confirmation
	for name, thumbprint := range map[string]*string{MethodKey: &c.Key, MethodCertificate: &c.Certificate} {
		var err error
		if *thumbprint, err = readThumbprint(m, name); err != nil {
			return err
		}
	}
	if c.Key == "" && c.Certificate == "" {
		return Misbound(`a token bound by none of the methods that are known ("cnf")`, refusal.OneOf([]string{MethodKey, MethodCertificate}))
	}
	r.Record.Confirmation = &c
	return nil
}

// readThumbprint returns a thumbprint in "cnf", empty if it is not there.
func readThumbprint(cnf jws.Member, name string) (string, error) {
	m, found, err := cnf.At(name)
	if err != nil || !found {
		return "", err
	}
	text, err := m.Text()
	if err != nil || !isThumbprint(text) {
		return "", Misbound(`"cnf": a malformed `+refusal.Quote(name), "a SHA-256 thumbprint in base64url without padding")
	}
	return text, nil
}

// isThumbprint reports whether a text is a SHA-256 digest in its one spelling.
func isThumbprint(text string) bool {
	digest, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(digest) == sha256.Size && base64.RawURLEncoding.EncodeToString(digest) == text
}

// Equal reports whether two tokens are bound to the same, or both to nothing. Both may
// be nil.
func (c *Confirmation) Equal(other *Confirmation) bool {
	if c == nil || other == nil {
		return c == other
	}
	return c.Key == other.Key && c.Certificate == other.Certificate
}
