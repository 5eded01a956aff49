package oidcauth

import (
	"errors"
	"time"
)

// advices tell a person what to do about each refusal.
var advices = []struct {
	err    error
	advice string
}{
	{ErrMalformedToken, "Check that the whole token was copied, without quotes or line breaks, and that it is a signed JWT: an opaque access token or an encrypted one cannot be verified. Some issuers give a JWT only when an audience is asked for."},
	{ErrUnknownIssuer, "Configure the issuer exactly as the token names it; case and trailing slash count."},
	{ErrAlgorithm, "Let the issuer sign with an algorithm listed here, or list the issuer's in Issuer.Algorithms. HS256 is never accepted: it would share the issuer's secret."},
	{ErrUnknownKey, "The issuer publishes no key with this ID. Was the token made by another environment or tenant, or before the keys were rotated? Get a fresh token and compare with the issuer's key set."},
	{ErrKeysUnavailable, "This says nothing about the token: the issuer's keys could not be fetched. Check that the server reaches the issuer's address, and its certificate."},
	{ErrSignature, "The token was changed after it was signed, or its issuer is not the one it names. Get a fresh token from the issuer."},
	{ErrExpired, "Get a fresh token. If it is fresh, compare the clocks of issuer and server."},
	{ErrNotYetValid, "Compare the clocks of issuer and server; Config.Leeway bridges small differences."},
	{ErrIssuedInFuture, "Compare the clocks of issuer and server; Config.Leeway bridges small differences."},
	{ErrAudience, "Ask the issuer for a token for this server (audience or resource parameter, client ID), or add the token's audience to Issuer.Audiences if it means this server."},
	{ErrTokenType, "Send the kind of token that this server expects: Issuer.TokenTypes lists \"JWT\" for ID tokens and \"at+jwt\" for RFC 9068 access tokens."},
	{ErrClaim, "The issuer puts something else into this claim than the specification says. Mend the issuer's mapping of claims, or Issuer.Subject."},
	{ErrRule, "The issuer's description demands more of its tokens than this one has."},
	{ErrRevoked, "The token, its login session or its subject was revoked. Sign in again."},
	{ErrRevocationsUnavailable, "This says nothing about the token: the server does not know all revocations and is told not to guess. Check that it reaches the revocation log."},
	{ErrClosed, "The server is shutting down."},
}

func adviceFor(err error) string {
	for _, a := range advices {
		if errors.Is(err, a.err) {
			return a.advice
		}
	}
	return ""
}

func optionalTime(t time.Time) string {
	if t.IsZero() {
		return "absent"
	}
	return timeText(t)
}
