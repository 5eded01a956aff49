package authtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/said"
)

// Sentinels are the reasons for a refusal by their public names.
var Sentinels = map[string]error{
	"ErrNoToken": oidcauth.ErrNoToken, "ErrMalformedRequest": oidcauth.ErrMalformedRequest,
	"ErrMalformedToken": oidcauth.ErrMalformedToken, "ErrUnknownIssuer": oidcauth.ErrUnknownIssuer,
	"ErrAlgorithm": oidcauth.ErrAlgorithm, "ErrUnknownKey": oidcauth.ErrUnknownKey,
	"ErrSignature": oidcauth.ErrSignature, "ErrExpired": oidcauth.ErrExpired,
	"ErrNotYetValid": oidcauth.ErrNotYetValid, "ErrIssuedInFuture": oidcauth.ErrIssuedInFuture,
	"ErrClaim": oidcauth.ErrClaim, "ErrAudience": oidcauth.ErrAudience,
	"ErrTokenType": oidcauth.ErrTokenType, "ErrRule": oidcauth.ErrRule,
	"ErrForbidden": oidcauth.ErrForbidden, "ErrOrigin": oidcauth.ErrOrigin,
	"ErrKeysUnavailable": oidcauth.ErrKeysUnavailable, "ErrClosed": oidcauth.ErrClosed,
	"ErrTicketUsed": oidcauth.ErrTicketUsed, "ErrProof": oidcauth.ErrProof,
	"ErrRevoked": oidcauth.ErrRevoked, "ErrIdentityMismatch": oidcauth.ErrIdentityMismatch,
	"ErrRevocationsUnavailable": oidcauth.ErrRevocationsUnavailable,
	"ErrAnswerUnavailable":      oidcauth.ErrAnswerUnavailable,
}

// CheckSole fails the test unless err is that sentinel, no other, and in a
// Refusal that names its check.
func CheckSole(t testing.TB, err, want error) {
	t.Helper()
	said.Error(err)
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
		return
	}
	for name, other := range Sentinels {
		if other != want && errors.Is(err, other) {
			t.Errorf("error = %v, which is %s beside %v", err, name, want)
		}
	}
	if refusal, ok := errors.AsType[*oidcauth.Refusal](err); !ok || refusal.Check == "" {
		t.Errorf("error = %#v, want a *Refusal that names its check", err)
	}
}

// CheckText fails the test if a text that is fit for a log contains a part of the
// token.
func CheckText(t testing.TB, text, token string) {
	t.Helper()
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 16 && strings.Contains(text, part) {
			t.Errorf("a part of the token is in %q", text)
		}
	}
}
