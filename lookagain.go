package oidcauth

import (
	"context"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// lookAgain is for a token that none of its candidates fits although no key ID
// tells them apart: it has none, or the issuer reuses key IDs. Its key may be
// newer than the keys in hand, so that the issuer is asked as it is for an unknown
// key ID. It reports whether there are candidates now that fit. The error says that
// the issuer cannot be asked at present, and that the token may well be good.
func (e *evaluation) lookAgain(ctx context.Context, fit func() bool) (bool, error) {
	const rounds = 3 // others may change the keys meanwhile
	for range rounds {
		others, err := e.otherKeys(ctx)
		if err != nil || !others {
			return false, err
		}
		if fit() {
			return true, nil
		}
	}
	return false, nil
}

// otherKeys replaces the candidates, and reports whether there are other ones.
func (e *evaluation) otherKeys(ctx context.Context) (bool, error) {
	if e.token.HasKeyID && !e.trust.ReusesKeyIDs {
		return false, nil
	}
	if e.trust.source != nil {
		e.trust.source.refresh()
		keys, err := e.trust.keys.Keys(ctx, e.token.KeyID, e.token.HasKeyID)
		return err == nil && e.replaceKeys(keys), nil
	}
	whole := e.raw
	if whole == "" {
		whole = e.claims.record.Payload // of a ticket's token only that is left
	}
	keys, err := e.trust.keys.LookAgain(ctx, keyset.Doubt{
		Token: whole, KeyID: e.token.KeyID, HasKeyID: e.token.HasKeyID,
		Lookups: e.lookups, Tried: e.offered, Issued: e.latestIssue(),
	})
	switch {
	case err != nil && e.trust.strangers != nil:
		return false, e.strangersRefusal(ctx, err)
	case err != nil:
		return false, e.keysRefusal(err)
	}
	return e.replaceKeys(keys), nil
}

// replaceKeys makes other keys the candidates, and reports whether they are other
// ones.
func (e *evaluation) replaceKeys(keys []*keyset.Key) bool {
	if len(keys) == 0 || slices.Equal(keys, e.offered) {
		return false
	}
	e.keys, e.offered = e.ofTenant(keys), keys
	return true
}

// latestIssue returns when the token was issued at the latest, by what it says of
// itself and with all the leeway that it has: "iat" may leave out the fraction of
// a second. It is zero if the token says nothing, or what no good token says.
func (e *evaluation) latestIssue() time.Time {
	if e.ReadIssuedAt() != nil || e.claims.record.IssuedAt == 0 || claims.At(e.now).Plus(e.auth.leeway) < e.claims.record.IssuedAt {
		return time.Time{}
	}
	return e.claims.record.IssuedAt.Time().Add(e.auth.leeway + time.Second)
}
