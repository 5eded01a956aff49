package oidcauth

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// UnverifiedClaims rebuilds the claims of a payload that this Authenticator, or
// one of the same configuration, has accepted: with what it is configured with
// for the issuer that the payload names, so that the roles, the scopes and the
// identity are those that the token had. Of an issuer that [Config.AnyIssuer]
// alone admits they are none unless AnyIssuer grants them. Like the function
// [UnverifiedClaims] it verifies nothing, and it makes no request, so that a log
// is replayed without the issuers; [AnyIssuer.Accept] and rules are not asked.
//
// The error is [ErrUnknownIssuer] for an issuer whose tokens could not be
// accepted.
func (a *Authenticator) UnverifiedClaims(payload []byte) (*Claims, error) {
	return unverified(payload, func(iss string) (*trust, error) {
		if t, known := a.trusts[iss]; known {
			return t, nil
		}
		if t := a.tenantTrust(iss); t != nil {
			return t, nil
		}
		if a.open != nil && a.open.admits(iss) {
			return a.open.describe(iss), nil
		}
		return nil, refuse(checkIssuer, ErrUnknownIssuer, quote(iss), a.describeIssuers())
	})
}

// describedAs finds the trust for [UnverifiedClaims].
func describedAs(issuer Issuer) func(iss string) (*trust, error) {
	t := newTrust(issuer, nil)
	return func(iss string) (*trust, error) {
		if !slices.Contains(t.names, iss) && !t.tenants.match(iss) {
			return nil, refuse(checkIssuer, ErrUnknownIssuer, quote(iss), oneOf(t.names))
		}
		return t, nil
	}
}

// unverified reads claims by the description that find has for their issuer.
func unverified(payload []byte, find func(iss string) (*trust, error)) (*Claims, error) {
	e := evaluation{claims: &Claims{payload: string(payload)}}
	var err error
	if e.members, err = jws.ParseObject(nil, e.claims.payload); err != nil {
		return nil, malformedToken(err)
	}
	iss, err := e.untrustedIssuer()
	if err != nil {
		return nil, err
	}
	if e.trust, err = find(iss); err != nil {
		return nil, err
	}
	if err := e.nameIssuer(iss); err != nil {
		return nil, err
	}
	for _, read := range readers {
		if err := read(&e); err != nil {
			return nil, err
		}
	}
	e.claims.trust = e.trust
	return e.claims, nil
}

// admits reports whether name is one that a stranger's issuer can have.
func (o *openIssuers) admits(name string) bool {
	return checkIssuerName(name) == nil && o.client.CheckURL(name) == nil && !strings.Contains(name, "?")
}

// describe returns what all strangers' issuers have in common, for one of them,
// without keys.
func (o *openIssuers) describe(name string) *trust {
	t := o.common
	t.order = new(keyOrder)
	t.url = strings.Clone(name) // not a part of the token
	t.names = []string{t.url}
	return &t
}
