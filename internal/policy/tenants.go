package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Tenants are the issuers that one template stands for. They never change. The
// nil pointer stands for none.
type Tenants struct {
	template       string
	prefix, suffix string // of the template, around the braces
	claim          string
	allowed        []string // empty for all
}

// Claim returns the name of the claim with the tenant's ID.
func (t *Tenants) Claim() string { return t.claim }

// NewTenants returns the tenants of a template with one place in braces. Their
// IDs are GUIDs in small letters, in the claim named; allowed empty means all.
func NewTenants(template, claim string, allowed []string) (*Tenants, error) {
	prefix, suffix, ok := cutTemplate(template)
	switch {
	case !ok:
		return nil, fmt.Errorf("TenantClaim is set: want one place for the tenant, in braces")
	case len(prefix)+guidBytes+len(suffix) > claims.MaxIssuerBytes:
		return nil, fmt.Errorf("more than %d bytes with a tenant's ID", claims.MaxIssuerBytes)
	}
	for _, tenant := range allowed {
		if !isGUID(tenant) {
			return nil, fmt.Errorf("tenant %q is not a GUID in small letters", tenant)
		}
	}
	return &Tenants{template: template, prefix: prefix, suffix: suffix, claim: claim, allowed: slices.Clone(allowed)}, nil
}

// cutTemplate returns what stands before and behind the one place in braces.
func cutTemplate(url string) (prefix, suffix string, ok bool) {
	prefix, rest, opened := strings.Cut(url, "{")
	name, suffix, closed := strings.Cut(rest, "}")
	ok = opened && closed && name != "" && prefix != "" && !strings.ContainsAny(prefix+name+suffix, "{}")
	return prefix, suffix, ok
}

// Template returns the issuer's name with the place for the tenant in braces.
func (t *Tenants) Template() string { return t.template }

// Names returns the issuers of the tenants that are accepted, none where all are.
func (t *Tenants) Names() []string {
	var names []string
	for _, tenant := range t.allowed {
		names = append(names, t.prefix+tenant+t.suffix)
	}
	return names
}

// tenant returns the tenant's ID in an issuer's name.
func (t *Tenants) tenant(iss string) (string, bool) {
	if t == nil || len(iss) != len(t.prefix)+guidBytes+len(t.suffix) ||
		!strings.HasPrefix(iss, t.prefix) || !strings.HasSuffix(iss, t.suffix) {
		return "", false
	}
	id := iss[len(t.prefix) : len(t.prefix)+guidBytes]
	return id, isGUID(id)
}

// Match reports whether the template stands for iss, among others.
func (t *Tenants) Match(iss string) bool {
	_, found := t.tenant(iss)
	return found
}

// Check makes sure that the tenant in "iss" is accepted and is the one that the
// token says it is.
func (t *Tenants) Check(r *claims.Reader, iss string) error {
	tenant, found := t.tenant(iss)
	if !found || len(t.allowed) > 0 && !slices.Contains(t.allowed, tenant) {
		return refusal.New(refusal.Issuer, refusal.ErrUnknownIssuer, refusal.Quote(iss), t.describe())
	}
	want := refusal.Quote(tenant) + `, the tenant in "iss"`
	m, _ := r.Member(t.claim)
	if m.Kind != jws.String {
		return refusal.New(refusal.Issuer, refusal.ErrClaim, fmt.Sprintf("no string %q", t.claim), want)
	}
	if claimed, err := m.Text(); err != nil || claimed != tenant {
		return refusal.New(refusal.Issuer, refusal.ErrClaim, fmt.Sprintf("%q: %s", t.claim, refusal.Quote(claimed)), want)
	}
	return nil
}

// Owns reports whether a key with that "issuer" signs for the tenant iss.
func (t *Tenants) Owns(keyIssuer, iss string) bool {
	return t == nil || keyIssuer == t.template || keyIssuer == iss
}

// AcceptKey returns what decides by a key's own "issuer" whether it belongs to
// the template, nil where every key does.
func (t *Tenants) AcceptKey() func(keyIssuer string) bool {
	if t == nil {
		return nil
	}
	return func(keyIssuer string) bool { return keyIssuer == t.template || t.Match(keyIssuer) }
}

func (t *Tenants) describe() string {
	if len(t.allowed) == 0 {
		return refusal.Quote(t.template) + " with a GUID in small letters"
	}
	return refusal.Quote(t.template) + " with " + refusal.OneOf(t.allowed)
}

const guidBytes = 36

// isGUID reports whether s is a GUID (RFC 9562, section 4) in small letters: one
// spelling only, because it becomes a part of identities.
func isGUID(s string) bool {
	if len(s) != guidBytes {
		return false
	}
	for i := range guidBytes {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
