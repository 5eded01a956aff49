package verify

import (
	"errors"
	"fmt"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/quote"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// unknownKey returns the refusal of a token whose key is not among those that the
// issuer publishes for tokens like it. A key that is published and of no use here
// is named with the reason: no other token under it will fare better.
func (e *Evaluation) unknownKey() error {
	if r := e.skippedRefusal(refusal.ErrUnknownKey, errSkippedKey); r != nil {
		return r
	}
	got := "key ID " + refusal.Quote(e.Token.KeyID.Text)
	if !e.Token.KeyID.Has {
		got = "no key ID"
	}
	return refusal.New(refusal.Key, refusal.ErrUnknownKey, got, "a key of issuer "+refusal.Quote(e.Record.Issuer))
}

// noUsableKey returns the refusal of a token whose issuer publishes nothing that can
// verify signatures here.
func (e *Evaluation) noUsableKey(err error) *refusal.Refusal {
	if r := e.skippedRefusal(refusal.ErrKeysUnavailable, &skippedKeyError{err}); r != nil {
		return r
	}
	return refusal.Because(refusal.Key, refusal.ErrKeysUnavailable, err)
}

// skippedRefusal names the key of the token that is published and not used, with
// the reason. It is nil if there is none.
func (e *Evaluation) skippedRefusal(sentinel, cause error) *refusal.Refusal {
	why, skipped := e.skippedKey()
	if !skipped {
		return nil
	}
	r := refusal.Because(refusal.Key, sentinel, cause)
	r.Got = "key ID " + refusal.Quote(e.Token.KeyID.Text) + ", " + why
	r.Want = "a key of issuer " + refusal.Quote(e.Record.Issuer) + " that can verify signatures here"
	return r
}

// errSkippedKey marks a key that is published and not used.
var errSkippedKey = errors.New("the key is skipped")

// A skippedKeyError is a failure to find keys that has an errSkippedKey in it.
type skippedKeyError struct{ error }

func (e *skippedKeyError) Is(target error) bool { return target == errSkippedKey }
func (e *skippedKeyError) Unwrap() error        { return e.error }

// skippedKey says why the key that the token names is not used, if it is published.
func (e *Evaluation) skippedKey() (why string, skipped bool) {
	if !e.Token.KeyID.Has || e.Trust.Keys == nil {
		return "", false
	}
	if s, found := e.Trust.Keys.SkippedKey(e.Token.KeyID.Text); found {
		return notUsable(s), true
	}
	if e.Trust.Tenants == nil {
		return "", false
	}
	others := e.Trust.Keys.Peek(e.Token.KeyID.Text)
	if len(others) == 0 {
		return "", false
	}
	return notUsable(keyset.Skipped{Reason: keyset.OtherIssuer, Detail: others[0].Issuer()}), true
}

// notUsable returns why a published key is skipped.
func notUsable(s keyset.Skipped) string {
	return "published, not usable here, because: " + skipReason(s)
}

// skipReason is the reason with what the issuer says, if that says more.
func skipReason(s keyset.Skipped) string {
	if s.Detail == "" {
		return string(s.Reason)
	}
	return fmt.Sprintf("%s (%s)", s.Reason, quote.Plain(s.Detail))
}
