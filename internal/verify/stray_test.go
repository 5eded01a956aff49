package verify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/verify"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A contactor is a stranger's issuer that may be evicted once it was contacted.
type contactor struct {
	t         *testing.T
	keys      []byte
	evictions int   // to come
	refusal   error // of the contact
	contacts  int
	behind    error // what Refuse was told
}

func (c *contactor) Contact(_ context.Context, t *verify.Trust, _ jws.KeyID) (*verify.Trust, error) {
	c.contacts++
	if c.refusal != nil {
		return nil, c.refusal
	}
	set, err := keyset.New(keyset.Config{Issuer: "https://stranger.test", Fixed: c.keys})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(set.Close)
	if c.evictions > 0 {
		c.evictions--
		set.Close()
	}
	next := *t
	next.Keys = set
	return &next, nil
}

func (c *contactor) Refuse(_ context.Context, err error) error {
	c.behind = err
	return refusal.New(refusal.Key, refusal.ErrKeysUnavailable, "", "")
}

// An issuer that is evicted between its contact and the question for its keys is
// contacted once more, and not for ever. What else is the matter is no reason to.
func TestCheckKey_EvictedMeanwhile(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	other := oidctest.NewIssuer(t, oidctest.Config{})
	other.RemoveKeys()
	other.Publish(other.NewKey(oidctest.KeyConfig{ID: "another"}))
	full := refusal.New(refusal.Key, refusal.ErrUnknownIssuer, "", "")
	for _, tt := range []struct {
		name     string
		stray    contactor
		want     error
		contacts int
		behind   error
	}{
		{"there all the time", contactor{keys: issuer.KeySet()}, nil, 1, nil},
		{"evicted once", contactor{keys: issuer.KeySet(), evictions: 1}, nil, 2, nil},
		{"evicted twice", contactor{keys: issuer.KeySet(), evictions: 2}, refusal.ErrKeysUnavailable, 2, keyset.ErrClosed},
		{"not contacted", contactor{refusal: full}, refusal.ErrUnknownIssuer, 1, nil},
		{"without the key", contactor{keys: other.KeySet()}, refusal.ErrUnknownKey, 1, nil},
		{"evicted, and then without the key", contactor{keys: other.KeySet(), evictions: 1}, refusal.ErrUnknownKey, 2, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stray := &tt.stray
			stray.t = t
			var e verify.Evaluation
			env := &verify.Env{New: func() (*claims.Record, any) { return new(claims.Record), nil }}
			e.Begin(env, issuer.Token(nil), time.Now())
			if _, err := e.Token.Parse(nil, e.Raw, 1<<14); err != nil {
				t.Fatal(err)
			}
			e.SetPayload(e.Token.Payload)
			e.SetTrust(&verify.Trust{Stray: stray})
			err := e.CheckKey(t.Context())
			if !errors.Is(err, tt.want) || (err == nil) != (len(e.Candidates) == 1) {
				t.Errorf("CheckKey() error = %v with %d candidates, want %v", err, len(e.Candidates), tt.want)
			}
			if stray.contacts != tt.contacts || !errors.Is(stray.behind, tt.behind) {
				t.Errorf("contacted %d times, refused for %v, want %d and %v", stray.contacts, stray.behind, tt.contacts, tt.behind)
			}
			if err == nil && e.Trust.Keys == nil {
				t.Error("the trust has no keys")
			}
		})
	}
}
