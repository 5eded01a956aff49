package verify

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Each cause that is known has its advice, and another cause what there is for all.
func TestAdvise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err, cause error
		want       string
	}{
		{refusal.ErrUnknownKey, errSkippedKey, "every token under it is refused"},
		{refusal.ErrKeysUnavailable, errSkippedKey, "in a form that cannot be used here, and no other key"},
		{refusal.ErrSignature, errSignatureRemoved, "X-Serverless-Authorization"},
		{refusal.ErrSignature, errHeaderNonce, "Microsoft Graph"},
		{refusal.ErrSignature, errSignatureLength, "cut or replaced on the way"},
		{refusal.ErrSignature, errNoKeyFits, "The token names no key"},
		{refusal.ErrTokenType, policy.ErrNotOpaque, "another Issuer.Name"},
		{refusal.ErrRevoked, policy.ErrInactive, "no more than that the token is not active"},
		{refusal.ErrTokenType, policy.ErrTicket, "AuthenticateTicket"},
		{refusal.ErrTokenType, claims.ErrBinding, "Config.DPoP takes the proofs of keys"},
		{refusal.ErrUnknownKey, errNoKeyID, "name their key in the header"},
		{refusal.ErrAlgorithm, errNeverAccepted, "No setting accepts this algorithm"},
		{refusal.ErrAlgorithm, errOtherAlgorithm, "no setting changes that"},
		{refusal.ErrKeysUnavailable, ErrLookup, "Config.FindIssuer"},
		{refusal.ErrAudience, policy.ErrNoAudience, "Issuer.DedicatedKeys"},
		{refusal.ErrAudience, policy.ErrIDToken, "sends its ID token"},
		{refusal.ErrTokenType, policy.ErrIDToken, "sends its ID token"},
		{refusal.ErrRule, policy.ErrIDToken, "sends its ID token"},
		{refusal.ErrKeysUnavailable, keyset.ErrPostponed, "try again then"},
		{refusal.ErrKeysUnavailable, keyset.ErrNoUsableKey, "publishes no key that can verify"},
		{refusal.ErrKeysUnavailable, keyset.ErrDocument, "it is no key set"},
		{refusal.ErrKeysUnavailable, fetch.ErrOtherIssuer, "Issuer.Aliases"},
		{refusal.ErrKeysUnavailable, fetch.ErrDiscovery, "cannot be used as it stands"},
		{refusal.ErrKeysUnavailable, fetch.ErrRedirect, "a redirect that is not followed"},
		{refusal.ErrKeysUnavailable, fetch.ErrContentType, "it is not JSON"},
		{refusal.ErrKeysUnavailable, fetch.ErrTooLarge, "larger than any key set"},
		{refusal.ErrKeysUnavailable, fetch.ErrURL, "a URL with https"},
		{refusal.ErrKeysUnavailable, context.Canceled, "whoever sent it left"},
		{refusal.ErrKeysUnavailable, context.DeadlineExceeded, "the time that its check was given ended"},
	} {
		general := refusal.Find(tt.err).Advice
		got, setting := advise(fmt.Errorf("%w: %w", tt.err, tt.cause))
		if !strings.Contains(got, tt.want) || strings.Contains(general, tt.want) || setting != "" {
			t.Errorf("%v, %v: advise() = %q, %q, want %q in it and no setting", tt.err, tt.cause, got, setting, tt.want)
		}
		for _, err := range []error{tt.err, fmt.Errorf("%w: another", tt.err), fmt.Errorf("%w: %w", refusal.ErrClaim, tt.cause)} {
			if got, _ := advise(err); got != refusal.Find(err).Advice {
				t.Errorf("%v: advise() = %q, want what there is for all", err, got)
			}
		}
	}
}

// A setting that decides is named where it is the one that refused, and for no other fault
// that the same check finds.
func TestAdvise_Setting(t *testing.T) {
	t.Parallel()
	of := map[error]string{
		refusal.ErrUnknownIssuer: "Issuers", refusal.ErrAudience: "Audiences", refusal.ErrTokenType: "TokenTypes",
		refusal.ErrAlgorithm: "Algorithms", refusal.ErrExpired: "Leeway", refusal.ErrNotYetValid: "Leeway",
		refusal.ErrIssuedInFuture: "Leeway",
	}
	for _, err := range []error{refusal.ErrClaim, refusal.ErrRule, refusal.ErrSignature, refusal.ErrRevoked, refusal.ErrKeysUnavailable} {
		of[err] = ""
	}
	for err, want := range of {
		if _, got := advise(refusal.New("check", err, "this", "that")); got != want {
			t.Errorf("%v: setting = %q, want %q", err, got, want)
		}
	}
}
