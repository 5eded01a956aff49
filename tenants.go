package oidcauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// tenants are the issuers that one template stands for. It never changes. The
// nil pointer stands for none.
type tenants struct {
	template       string
	prefix, suffix string // of the template, around the braces
	claim          string
	allowed        []string // empty for all
}

// newTenants returns nil for an issuer whose URL is no template.
func newTenants(i Issuer) *tenants {
	if i.TenantClaim == "" {
		return nil
	}
	t := &tenants{template: i.URL, claim: i.TenantClaim, allowed: slices.Clone(i.Tenants)}
	t.prefix, t.suffix, _ = cutTemplate(i.URL)
	return t
}

// cutTemplate returns what stands before and behind the one place in braces.
func cutTemplate(url string) (prefix, suffix string, ok bool) {
	prefix, rest, opened := strings.Cut(url, "{")
	name, suffix, closed := strings.Cut(rest, "}")
	ok = opened && closed && name != "" && prefix != "" && !strings.ContainsAny(name+suffix, "{}")
	return prefix, suffix, ok
}

// checkTenants reports the first contradiction about tenants.
func (i *Issuer) checkTenants() error {
	if i.TenantClaim == "" {
		if len(i.Tenants) > 0 {
			return fmt.Errorf("oidcauth: issuer %q: Tenants without TenantClaim", i.URL)
		}
		return nil
	}
	prefix, suffix, ok := cutTemplate(i.URL)
	switch {
	case !ok:
		return fmt.Errorf("oidcauth: issuer %q: TenantClaim is set: want one place for the tenant, in braces", i.URL)
	case len(prefix)+guidBytes+len(suffix) > maxNameBytes:
		return fmt.Errorf("oidcauth: issuer %q: more than %d bytes with a tenant's ID", i.URL, maxNameBytes)
	case len(i.Aliases) > 0:
		return fmt.Errorf("oidcauth: issuer %q: both TenantClaim and Aliases are set", i.URL)
	case i.DiscoveryURL == "" && i.JWKSURL == "" && len(i.JWKS) == 0:
		return fmt.Errorf("oidcauth: issuer %q: a template is no address: set DiscoveryURL, JWKSURL or JWKS", i.URL)
	}
	for _, tenant := range i.Tenants {
		if !isGUID(tenant) {
			return fmt.Errorf("oidcauth: issuer %q: tenant %q is not a GUID in small letters", i.URL, tenant)
		}
	}
	return nil
}

// tenant returns the tenant's ID in an issuer's name.
func (t *tenants) tenant(iss string) (string, bool) {
	if t == nil || len(iss) != len(t.prefix)+guidBytes+len(t.suffix) ||
		!strings.HasPrefix(iss, t.prefix) || !strings.HasSuffix(iss, t.suffix) {
		return "", false
	}
	id := iss[len(t.prefix) : len(t.prefix)+guidBytes]
	return id, isGUID(id)
}

// match reports whether the template stands for iss, among others.
func (t *tenants) match(iss string) bool {
	_, found := t.tenant(iss)
	return found
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

// tenantTrust finds the template that stands for an issuer that is not
// configured by its name.
func (a *Authenticator) tenantTrust(iss string) *trust {
	for _, t := range a.order {
		if t.tenants.match(iss) {
			return t
		}
	}
	return nil
}

// nameIssuer notes the issuer's canonical name, which for a tenant is its own
// and not the template, and checks that the tenant is the one it says it is.
func (e *evaluation) nameIssuer(iss string) error {
	t := e.trust.tenants
	if t == nil {
		e.claims.issuer = e.trust.url
		return nil
	}
	tenant, found := t.tenant(iss)
	if !found || len(t.allowed) > 0 && !slices.Contains(t.allowed, tenant) {
		return refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(iss), t.describe())
	}
	m, _ := e.member(t.claim)
	if m.Kind != jws.String {
		return refusal.New(refusal.Issuer, ErrClaim, fmt.Sprintf("no string %q", t.claim), refusal.Quote(tenant)+`, the tenant in "iss"`)
	}
	if claimed, err := m.Text(); err != nil || claimed != tenant {
		return refusal.New(refusal.Issuer, ErrClaim, fmt.Sprintf("%q: %s", t.claim, refusal.Quote(claimed)), refusal.Quote(tenant)+`, the tenant in "iss"`)
	}
	e.claims.issuer = iss
	return nil
}

func (t *tenants) describe() string {
	if len(t.allowed) == 0 {
		return refusal.Quote(t.template) + " with a GUID in small letters"
	}
	return refusal.Quote(t.template) + " with " + refusal.OneOf(t.allowed)
}

// acceptKey decides by a key's own "issuer" whether it belongs to the template.
func acceptKey(t *tenants) func(keyIssuer string) bool {
	if t == nil {
		return nil
	}
	return func(keyIssuer string) bool { return keyIssuer == t.template || t.match(keyIssuer) }
}

// ofTenant leaves out the keys with which other tenants' tokens are signed.
func (e *evaluation) ofTenant(keys []*keyset.Key) []*keyset.Key {
	t := e.trust.tenants
	if t == nil {
		return keys
	}
	var own []*keyset.Key
	for _, k := range keys {
		if k.Issuer() == t.template || k.Issuer() == e.claims.issuer {
			own = append(own, k)
		}
	}
	return own
}
