package oidcauth

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// A trust is what is known of an issuer: what its tokens must be like, which never
// changes, its keys, the program's own rules, and what is learned on the way.
type trust struct {
	verify.Trust
	rules      []Rule
	sessionIDs *sessionIDs        // of the tokens accepted so far
	strangers  *strangers.Issuers // whom it is one of; nil for a configured issuer
	source     *followedSource    // of keys that nobody fetches; else nil
	client     *fetch.Client      // that is the issuer's alone; else nil

	// Who supplies what tokens do not say, and for how long an answer counts. The
	// asker is nil if nobody does.
	ask       func(context.Context, *Claims, string) (json.RawMessage, error)
	answerAge time.Duration
	asker     *supplement.Asker
}

// newTrust copies what the checks need of a valid description.
func newTrust(i Issuer, leeway time.Duration, keys *keyset.Set, source *followedSource) *trust {
	if i.Leeway != 0 {
		leeway = tolerance(i.Leeway)
	}
	t := &trust{
		Trust:      verify.Trust{Policy: i.policy(), Keys: keys, Leeway: leeway, Order: new(verify.Order)},
		rules:      slices.Clone(i.Rules),
		sessionIDs: new(sessionIDs),
		source:     source,
	}
	t.Owner = t
	if source != nil {
		t.Local, t.Shape.NoExpiry = source, source.noExpiry()
	}
	return t
}

// close ends all that is done for the sake of the issuer's keys.
func (t *trust) close() {
	t.Keys.Close()
	t.source.close()
	t.asker.Close()
	if t.client != nil {
		t.client.CloseIdle()
	}
}

// checkRules applies the program's own rules, which may depend on more than the
// claims and are therefore asked at every use of a token.
func (t *trust) checkRules(c *Claims) error {
	for _, rule := range t.rules {
		if err := rule(c); err != nil {
			return refusal.Because(t.allRules(), ErrRule, err)
		}
	}
	return nil
}

// A sessionIDs knows whether an issuer's tokens carry session IDs. It is safe for
// concurrent use.
type sessionIDs struct{ with, without atomic.Bool }

// note takes account of a token that was accepted.
func (s *sessionIDs) note(c *Claims) {
	seen := &s.with
	if c.record.SessionID == "" {
		seen = &s.without
	}
	if !seen.Load() {
		seen.Store(true)
	}
}

// none reports whether there were tokens, and none of them with a session ID.
func (s *sessionIDs) none() bool { return s.without.Load() && !s.with.Load() }
