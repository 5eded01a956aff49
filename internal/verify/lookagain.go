package verify

import (
	"context"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// LookAgain is for a token that none of its candidates fits although no key ID
// tells them apart: it has none, or the issuer reuses key IDs. Its key may be
// newer than the keys in hand, so that the issuer is asked as it is for an unknown
// key ID. It reports whether there are candidates now that fit. The error says that
// the issuer cannot be asked at present, and that the token may well be good.
func (e *Evaluation) LookAgain(ctx context.Context, fit func() bool) (bool, error) {
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
func (e *Evaluation) otherKeys(ctx context.Context) (bool, error) {
	if e.still || e.Token.KeyID.Has && !e.Trust.Keys.ReusesKeyIDs() {
		return false, nil
	}
	if e.Trust.Local != nil {
		if err := e.Trust.refreshLocal(); err != nil {
			return false, err
		}
		keys, err := e.Trust.Keys.Keys(ctx, e.Token.KeyID)
		return err == nil && e.replaceKeys(keys), nil
	}
	keys, err := e.Trust.Keys.LookAgain(ctx, keyset.Doubt{
		Token: e.whole(), KeyID: e.Token.KeyID,
		Lookups: e.lookups, Tried: e.offered, Issued: e.latestIssue(),
	})
	switch {
	case err != nil && e.Trust.Stray != nil:
		return false, e.strayRefusal(ctx, err)
	case err != nil:
		return false, e.keysRefusal(err)
	}
	return e.replaceKeys(keys), nil
}

// whole returns all that is known of the token, by which it is told apart: of a ticket's
// only the payload is left.
func (e *Evaluation) whole() string {
	if e.Raw == "" {
		return e.Record.Payload
	}
	return e.Raw
}

// replaceKeys makes other keys the candidates, and reports whether they are other
// ones.
func (e *Evaluation) replaceKeys(keys []*keyset.Key) bool {
	if len(keys) == 0 || slices.Equal(keys, e.offered) {
		return false
	}
	e.Candidates, e.offered = e.ofTenant(keys), keys
	return true
}

// latestIssue returns when the token was issued at the latest, by what it says of
// itself and with all the leeway that it has: "iat" may leave out the fraction of
// a second. It is zero if the token says nothing, or what no good token says.
func (e *Evaluation) latestIssue() time.Time {
	if e.ReadIssuedAt() != nil || e.Record.IssuedAt == 0 || claims.At(e.Now).Plus(e.leeway()) < e.Record.IssuedAt {
		return time.Time{}
	}
	return e.Record.IssuedAt.Time().Add(e.leeway() + time.Second)
}
