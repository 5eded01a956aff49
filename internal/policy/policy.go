// Package policy holds what the tokens of an issuer must be like, made ready for
// use: names, audiences, algorithms, types, demands on claims, tenants.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// AllAlgorithms are those that are accepted where an issuer's are not restricted.
var AllAlgorithms = []string{
	"RS256", "ES256", "EdDSA", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "Ed25519",
}

// ErrTicket is the cause of the refusal of a ticket that is sent for a token, and
// ErrNoAudience that of the refusal of a token that is for nobody.
var (
	ErrTicket     = errors.New("a ticket")
	ErrNoAudience = errors.New("it is for nobody")
)

// ErrNotOpaque is the cause of the refusal of a JWT by a description of opaque tokens.
var ErrNotOpaque = errors.New("a JWT, by a description of opaque tokens alone")

// A Policy is what the tokens of one issuer must be like. It never changes.
type Policy struct {
	URL           string
	Name          string   // of this description; may be empty where it is the only one
	Names         []string // of the issuer: URL and aliases
	Tenants       *Tenants // nil unless URL is a template
	Audiences     []string
	AnyAudience   bool
	DedicatedKeys bool
	AudienceClaim string   // empty for "aud"
	Logout        []string // audiences of logout tokens; empty for any
	LogoutBySID   bool     // and not by the subject that is named beside it
	Algorithms    []string
	Types         []string // in the spelling of MediaType
	RequireKeyID  bool
	ReusesKeyIDs  bool
	Opaque        bool // the tokens are no JWTs
	Shape         claims.Shape
	Demands       []Demand
	Bound         string // whether tokens are bound to something: BoundRequired, BoundRefused or either

	accepted map[string]bool // Audiences, where they are many
}

// fewAudiences are compared one by one.
const fewAudiences = 4

// Complete fills in the defaults, and brings what was given into the form that the
// checks compare.
func (p *Policy) Complete() {
	if p.AudienceClaim == "aud" {
		p.AudienceClaim = ""
	}
	if len(p.Logout) == 0 {
		p.Logout = p.Audiences
	}
	if len(p.Algorithms) == 0 {
		p.Algorithms = AllAlgorithms
	}
	if len(p.Shape.Roles) == 0 {
		p.Shape.Roles = []claims.Path{{"roles"}}
	}
	for n, typ := range p.Types {
		p.Types[n] = MediaType(typ)
	}
	switch {
	case len(p.Types) > 0:
	case p.isTrustDomain():
		p.Types = []string{TypeJWT, "jose"} // JWT-SVID, section 2.3
	default:
		p.Types = []string{TypeJWT}
	}
	if len(p.Audiences) > fewAudiences {
		p.accepted = make(map[string]bool)
		for _, audience := range p.Audiences {
			p.accepted[audience] = true
		}
	}
}

// accepts reports whether the audience is one of those configured. A token may
// name thousands.
func (p *Policy) accepts(audience string) bool {
	if p.accepted != nil {
		return p.accepted[audience]
	}
	return slices.Contains(p.Audiences, audience)
}

// NameIssuer notes the issuer's canonical name, which for a tenant is its own and
// not the template.
func (p *Policy) NameIssuer(r *claims.Reader, iss string) error {
	if p.Tenants == nil {
		r.Record.Issuer = p.URL
		return nil
	}
	if err := p.Tenants.Check(r, iss); err != nil {
		return err
	}
	r.Record.Issuer = iss
	return nil
}

// KeyUse returns what the issuer's keys may be for ("use") besides signatures: a
// trust domain's bundle marks those of its JWT-SVIDs (SPIFFE Trust Domain and
// Bundle, section 4.2.2), and for nobody else that is a mark of keys that sign tokens.
func (p *Policy) KeyUse() string {
	if p.isTrustDomain() {
		return "jwt-svid"
	}
	return ""
}

// isTrustDomain reports whether the issuer is a SPIFFE trust domain.
func (p *Policy) isTrustDomain() bool { return strings.HasPrefix(p.URL, claims.SPIFFE) }

// CheckSubject refuses a workload of another trust domain than vouches for it.
func (p *Policy) CheckSubject(r *claims.Reader) error {
	if !p.isTrustDomain() {
		return nil
	}
	id, err := r.Text(refusal.Subject, "sub")
	if domain, ok := claims.TrustDomain(id); err != nil || !ok || domain != p.URL {
		return refusal.New(refusal.Subject, refusal.ErrClaim, `"sub" `+refusal.Quote(id), "a SPIFFE ID in "+p.URL)
	}
	return nil
}

// CheckAudience refuses a token that is for somebody else. The values of "aud"
// have been read.
func (p *Policy) CheckAudience(r *claims.Reader) error {
	if p.AnyAudience || p.DedicatedKeys && !r.Has("aud") {
		return nil
	}
	got, err := p.ComparedAudiences(r)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(got, p.accepts) {
		return nil
	}
	refused := refusal.New(refusal.Audience, refusal.ErrAudience, refusal.QuoteAll(got), p.WantedAudience())
	if len(got) == 0 && !p.takesForAccess(r) {
		refused.Err = refusal.With(refused.Err, ErrNoAudience)
	}
	return p.explainIDToken(r, refused)
}

// ComparedAudiences returns the values that the audiences are compared with.
func (p *Policy) ComparedAudiences(r *claims.Reader) ([]string, error) {
	if p.AudienceClaim == "" {
		return r.Record.AudienceList(), nil
	}
	m, found := r.Member(p.AudienceClaim)
	if !found {
		return nil, nil
	}
	values, err := claims.AppendStrings(nil, m)
	if err != nil {
		return nil, claims.WrongType(refusal.Audience, m, "a string or an array of strings")
	}
	return values, nil
}

// WantedAudience returns what passes.
func (p *Policy) WantedAudience() string {
	switch {
	case p.AudienceClaim != "":
		return fmt.Sprintf("%s in %q", refusal.OneOf(p.Audiences), p.AudienceClaim)
	case p.DedicatedKeys && len(p.Audiences) == 0:
		return "no audience (DedicatedKeys)"
	case p.DedicatedKeys:
		return "no audience (DedicatedKeys), or " + refusal.OneOf(p.Audiences)
	}
	return refusal.OneOf(p.Audiences)
}

// CheckType keeps out tokens that are signed by the same issuer for another
// purpose (RFC 8725, section 3.11).
func (p *Policy) CheckType(t *jws.Token, r *claims.Reader) error {
	if p.Opaque {
		return refusal.Because(refusal.Type, refusal.ErrTokenType, ErrNotOpaque)
	}
	typ := MediaType(t.Type)
	if !t.HasType {
		typ = TypeJWT
	}
	known := slices.Index(p.Types, typ)
	if typ == TypeTicket {
		return &refusal.Refusal{Check: refusal.Type, Err: refusal.With(refusal.ErrTokenType, ErrTicket), Got: refusal.Quote(t.Type), Want: refusal.OneOf(p.Types)}
	}
	if NeverAuthenticates(typ) || known < 0 {
		return p.explainIDToken(r, refusal.New(refusal.Type, refusal.ErrTokenType, refusal.Quote(t.Type), refusal.OneOf(p.Types)))
	}
	if r.Has("events") {
		return refusal.New(refusal.Type, refusal.ErrTokenType, `a security event ("events")`, "a token that authenticates")
	}
	if t.HasType {
		r.Record.Type = uint16(known + 1)
	}
	return nil
}

// TypeOf returns the type of a token that was accepted, in the spelling of
// [MediaType]. It is empty for one that had none.
func (p *Policy) TypeOf(r *claims.Record) string {
	if r.Type == 0 {
		return ""
	}
	return p.Types[r.Type-1]
}

// CheckDemands applies the demands on further claims that the token alone decides.
func (p *Policy) CheckDemands(r *claims.Reader) error {
	for i := range p.Demands {
		if p.Demands[i].Supplemented() {
			continue
		}
		if err := p.Demands[i].Check(r.Lookup, nil); err != nil {
			return refusal.Because(refusal.Rules, refusal.ErrRule, p.explainDemand(r, err))
		}
	}
	return nil
}

// CountDemands returns how many demands the token decides alone, and how many not.
func (p *Policy) CountDemands() (alone, supplemented int) {
	for i := range p.Demands {
		if p.Demands[i].Supplemented() {
			supplemented++
		}
	}
	return len(p.Demands) - supplemented, supplemented
}

// CheckSupplement applies the other demands, by what supplements the token.
func (p *Policy) CheckSupplement(payload, supplement Lookup) error {
	for i := range p.Demands {
		if !p.Demands[i].Supplemented() {
			continue
		}
		if err := p.Demands[i].Check(payload, supplement); err != nil {
			return refusal.Because(refusal.AllRules, refusal.ErrRule, err)
		}
	}
	return nil
}
