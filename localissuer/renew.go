package localissuer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// Renew returns the next token for whoever bears one of l's own, and when it expires, or
// the zero time for never. It has the subject, the audiences and all further claims of
// the former one, and is valid for as long as that was from its beginning, at most for
// [Config.MaxLifetime]. One by an imported key gets l's audiences in place of
// [Config.ImportedAudiences], and without "iat" [Config.Lifetime]. The claims are those of a token that an [oidcauth.Authenticator]
// has verified, just now or at the beginning of a session; it must accept them still.
//
// The error is [oidcauth.ErrForbidden] for another issuer's caller, whose subject may be
// the name of one of l's, [oidcauth.ErrTokenType] for claims from a ticket, which is good
// for a minute and not for ever, and for those of a token that is bound to a key or a
// certificate, [oidcauth.ErrNoToken] for nil, and otherwise what refuses the token now,
// such as [oidcauth.ErrRevoked] or [oidcauth.ErrExpired], or what [Issuer.Issue] returns;
// [oidcauth.ErrKeysUnavailable], too, where the key that signs is revoked, so that the
// next token would be refused.
//
// The former token stays good until it expires. A revocation that names it by its ID or
// its key does not reach the next one: revoke the subject.
func (l *Issuer) Renew(ctx context.Context, claims *oidcauth.Claims) (token string, expires time.Time, err error) {
	if err := l.misused(ctx); err != nil {
		return "", time.Time{}, err
	}
	if err := ctx.Err(); err != nil {
		return "", time.Time{}, fmt.Errorf("localissuer: %w", err)
	}
	now := l.now() // before what is looked at, so that a later revocation reaches the next token
	if err := l.mayRenew(ctx, claims); err != nil {
		return "", time.Time{}, err
	}
	r, err := l.next(claims)
	if err != nil {
		return "", time.Time{}, err
	}
	s, err := l.signer()
	if err == nil {
		err = ticket.Counts(claims, l.url, s.keyID, now)
	}
	if err != nil {
		return "", time.Time{}, err
	}
	if token, err = l.issue(r, identity.New(l.url, r.Subject), now); err != nil {
		return "", time.Time{}, err
	}
	if !r.NoExpiry {
		expires = time.Unix(now.Add(r.Lifetime).Unix(), 0)
	}
	return token, expires, nil
}

// mayRenew refuses claims that are not of one of l's tokens, and those that are good no
// longer. The name alone does not say whose they are: another issuer can have it
// elsewhere.
func (l *Issuer) mayRenew(ctx context.Context, claims *oidcauth.Claims) error {
	verified, err := ticket.Verify(claims)
	if err != nil {
		return err
	}
	forbidden := func(got string) error {
		return refusal.New(refusal.Rules, oidcauth.ErrForbidden, got, "a token that issuer "+refusal.Quote(l.url)+" has issued")
	}
	if claims.Issuer() != l.url {
		return forbidden("one of issuer " + refusal.Quote(claims.Issuer()))
	}
	if err := ticket.Good(ctx, claims); err != nil {
		return err
	}
	if !slices.ContainsFunc(l.Keys(), func(k Key) bool { return k.ID == verified.Key }) {
		return forbidden("one under another issuer's key")
	}
	if verified.Proved {
		return refusal.New(refusal.Possession, oidcauth.ErrTokenType, "a token that is bound", "a bearer token: what is issued here is not bound")
	}
	return nil
}

// next asks for a token like the one that the claims are of.
func (l *Issuer) next(claims *oidcauth.Claims) (Request, error) {
	subject, _ := claims.LookupString("sub")
	if subject == "" { // with which Issue would make somebody new
		return Request{}, refusal.New(refusal.Subject, oidcauth.ErrClaim, "no \"sub\"", "that of a token of issuer "+refusal.Quote(l.url))
	}
	var members map[string]json.RawMessage
	if err := claims.Decode(&members); err != nil {
		return Request{}, refusal.Because(refusal.Claims, oidcauth.ErrClaim, err)
	}
	r := Request{Subject: subject, Claims: make(map[string]any)}
	for name, value := range members {
		if !slices.Contains(reservedClaims[:], name) {
			r.Claims[name] = value
		}
	}
	for audience := range claims.Audience() {
		if slices.Contains(l.audiences, audience) || !slices.Contains(l.imported, audience) {
			r.Audiences = append(r.Audiences, audience)
		}
	}
	switch {
	case claims.Expiry().IsZero():
		r.NoExpiry = true
	case claims.IssuedAt().IsZero(): // of an imported key
		r.Lifetime = l.lifetime
	default:
		r.Lifetime = min(max(claims.Expiry().Sub(claims.IssuedAt()), time.Second), l.maxLifetime)
	}
	return r, nil
}
