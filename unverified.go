package oidcauth

import (
	"slices"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
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
		if a.anyone != nil && a.anyone.admits(iss) {
			return a.anyone.describe(iss, nil), nil
		}
		return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(iss), a.describeIssuers())
	})
}

// describedAs finds the trust for [UnverifiedClaims].
func describedAs(issuer Issuer) (find func(iss string) (*trust, error), err error) {
	var source *followedSource
	if issuer.KeySource != nil {
		if source, err = issuer.follow(func(_, _ *sourceKeys) error { return nil }); err != nil {
			return nil, err
		}
		source.close()
	}
	t := newTrust(issuer, nil, source)
	return func(iss string) (*trust, error) {
		if !slices.Contains(t.Names, iss) && !t.Tenants.Match(iss) {
			return nil, refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(iss), refusal.OneOf(t.Names))
		}
		return t, nil
	}, nil
}

// unverified reads claims by the description that find has for their issuer.
func unverified(payload []byte, find func(iss string) (*trust, error)) (*Claims, error) {
	var e evaluation
	e.setClaims(string(payload))
	var err error
	if e.Members, err = jws.ParseObject(nil, e.Record.Payload); err != nil {
		return nil, malformedToken(err)
	}
	iss, err := e.UntrustedIssuer()
	if err != nil {
		return nil, err
	}
	t, err := find(iss)
	if err != nil {
		return nil, err
	}
	e.setTrust(t)
	if err := t.NameIssuer(&e.Reader, iss); err != nil {
		return nil, err
	}
	if err := e.ReadAll(); err != nil {
		return nil, err
	}
	return e.claims, nil
}
