package refusal

import (
	"errors"
	"fmt"
	"net/http"
)

// The sentinels. What each says stands at its name in the public package.
var (
	ErrNoToken                = errors.New("no token")
	ErrMalformedRequest       = errors.New("malformed request")
	ErrMalformedToken         = errors.New("malformed token")
	ErrUnknownIssuer          = errors.New("issuer not accepted")
	ErrAlgorithm              = errors.New("algorithm not accepted")
	ErrUnknownKey             = errors.New("unknown key")
	ErrSignature              = errors.New("signature not valid")
	ErrExpired                = errors.New("token expired")
	ErrNotYetValid            = errors.New("token not yet valid")
	ErrIssuedInFuture         = errors.New("token issued in the future")
	ErrClaim                  = errors.New("claim not accepted")
	ErrAudience               = errors.New("audience not accepted")
	ErrTokenType              = errors.New("token type not accepted")
	ErrTicketUsed             = errors.New("ticket already used")
	ErrProof                  = errors.New("possession not proved")
	ErrRule                   = errors.New("rule not satisfied")
	ErrRevoked                = errors.New("token revoked")
	ErrIdentityMismatch       = errors.New("token of another identity")
	ErrForbidden              = errors.New("forbidden")
	ErrOrigin                 = errors.New("origin not allowed")
	ErrKeysUnavailable        = errors.New("issuer's keys unavailable")
	ErrRevocationsUnavailable = errors.New("revocations unavailable")
	ErrAnswerUnavailable      = errors.New("answer about the token unavailable")
	ErrClosed                 = errors.New("authenticator or session closed")
)

// ErrManyTokens is ErrMalformedRequest too, of which it is the kind that RFC 6750, section
// 2, names.
var ErrManyTokens = fmt.Errorf("%w: more than one token", ErrMalformedRequest)

// Two that are ErrProof too, because there is more that a client can do about them
// (RFC 9449, section 12.2). Package dpop has their public names.
var (
	ErrInvalidProof = fmt.Errorf("%w: DPoP proof not accepted", ErrProof)
	ErrUseNonce     = fmt.Errorf("%w: DPoP proof without a nonce that counts", ErrProof)
)

// An Entry is what is told about one sentinel.
type Entry struct {
	Err         error
	Status      int    // HTTP
	Code        string // RFC 6750, section 3.1; empty for the bare challenge
	Description string // for a remote caller: a fixed text, so that nothing of the server leaks
	Advice      string // for a person who can see the configuration
}

// Name returns the error code, or what stands for it where one is due.
func (e Entry) Name() string {
	if e.Code == "" {
		return "unauthorized"
	}
	return e.Code
}

// notAccepted keeps to itself which check failed: the caller cannot mend it.
const notAccepted = "the token is not accepted"

// table has an entry for every sentinel. The first that an error is decides.
var table = [...]Entry{
	{ErrNoToken, http.StatusUnauthorized, "", "a bearer token is required",
		""},
	{ErrManyTokens, http.StatusBadRequest, "invalid_request", "the request carries more than one token",
		""},
	{ErrMalformedRequest, http.StatusBadRequest, "invalid_request", "the request is malformed",
		""},
	{ErrForbidden, http.StatusForbidden, "insufficient_scope", "the caller may not do this",
		""},
	{ErrIdentityMismatch, http.StatusForbidden, "access_denied", "the token is another identity's",
		""},
	{ErrOrigin, http.StatusForbidden, "access_denied", "the origin is not allowed",
		""},
	{ErrKeysUnavailable, http.StatusServiceUnavailable, "temporarily_unavailable", "the issuer's keys are unavailable at present",
		"This says nothing about the token: the issuer's keys could not be fetched. Check that the server reaches the issuer's address, and its certificate."},
	{ErrRevocationsUnavailable, http.StatusServiceUnavailable, "temporarily_unavailable", "revocations are unavailable at present",
		"This says nothing about the token: the server does not know all revocations and is told not to guess. Check that it reaches the revocation log."},
	{ErrAnswerUnavailable, http.StatusServiceUnavailable, "temporarily_unavailable", "what has to be asked about the token cannot be answered at present",
		"This says nothing against the token: what Issuer.Supplement has to add, or Issuer.Introspect to say, could not be had. Check whom that asks, and what the server's log says of its answers."},
	{ErrClosed, http.StatusServiceUnavailable, "temporarily_unavailable", "the server is shutting down",
		"The server is shutting down."},
	{ErrExpired, http.StatusUnauthorized, "invalid_token", "the token has expired",
		"Get a fresh token. If it is fresh, compare the clocks of issuer and server."},
	{ErrRevoked, http.StatusUnauthorized, "invalid_token", "the token was revoked",
		"The token, its login session, its subject, its key or all that its issuer had issued was revoked: the report says which. Sign in again. That does not help where a subject was revoked and no time is named (\"issued before\"): what is issued later is refused, too, until the revocation is over."},
	{ErrNotYetValid, http.StatusUnauthorized, "invalid_token", "the token is not valid yet",
		"Compare the clocks of issuer and server; Config.Leeway bridges small differences."},
	{ErrIssuedInFuture, http.StatusUnauthorized, "invalid_token", "the token was issued in the future",
		"Compare the clocks of issuer and server; Config.Leeway bridges small differences."},
	{ErrAudience, http.StatusUnauthorized, "invalid_token", "the token is for another audience",
		"Ask the issuer for a token for this server (audience or resource parameter, client ID), or add the token's audience to Issuer.Audiences if it means this server."},
	{ErrTokenType, http.StatusUnauthorized, "invalid_token", "a token of this type is not accepted",
		"Send the kind of token that this server expects: Issuer.TokenTypes lists \"JWT\" for ID tokens and \"at+jwt\" for RFC 9068 access tokens."},
	{ErrTicketUsed, http.StatusUnauthorized, "invalid_token", "the ticket was used before",
		""},
	{ErrInvalidProof, http.StatusUnauthorized, "invalid_dpop_proof", "the DPoP proof is not accepted",
		"The client has to make a proof for each request: of this method and address, with the time of now, the hash of this token and an ID that it never uses again (RFC 9449, section 4.2). Compare dpop.Config.PublicURL with the address that clients use."},
	{ErrUseNonce, http.StatusUnauthorized, "use_dpop_nonce", "a DPoP proof with a nonce of this server is required",
		"This is no fault yet: the client repeats the request with the nonce that the answer names in DPoP-Nonce (RFC 9449, section 9)."},
	{ErrProof, http.StatusUnauthorized, "invalid_token", "possession of what the token is bound to was not proved",
		"The token is bound to a key or a certificate (\"cnf\"). Send it under the scheme DPoP with a proof by that key, or over a connection with that certificate; and a token that is not bound as a bearer token."},
	{ErrMalformedToken, http.StatusUnauthorized, "invalid_token", "the token is malformed",
		"Check that the whole token was copied, without quotes or line breaks, and that it is a signed JWT: an encrypted one cannot be verified, and an opaque one only where its issuer has Issuer.Introspect and the OpaquePrefix that it begins with. Some issuers give a JWT only when an audience is asked for."},
	{ErrUnknownIssuer, http.StatusUnauthorized, "invalid_token", notAccepted,
		"If this issuer is one to be trusted here, configure it exactly as the token names it; case and trailing slash count. If not, get a token from one that is: no signature was checked yet, and anybody can write any name into a token."},
	{ErrAlgorithm, http.StatusUnauthorized, "invalid_token", notAccepted,
		"Let the issuer sign with an algorithm listed here, or list the issuer's in Issuer.Algorithms."},
	{ErrUnknownKey, http.StatusUnauthorized, "invalid_token", notAccepted,
		"The issuer publishes no key with this ID. Was the token made by another environment or tenant, or before the keys were rotated? Get a fresh token and compare with the issuer's key set."},
	{ErrSignature, http.StatusUnauthorized, "invalid_token", notAccepted,
		"The token was changed after it was signed, or its issuer is not the one it names. Get a fresh token from the issuer."},
	{ErrClaim, http.StatusUnauthorized, "invalid_token", notAccepted,
		"The issuer puts something else into this claim than it has to be, or leaves it out. Mend the issuer's mapping of claims; where the description of the issuer names the claim (Issuer.Subject, Issuer.AudienceClaim), perhaps the description."},
	{ErrRule, http.StatusUnauthorized, "invalid_token", notAccepted,
		"The issuer's description demands something of its tokens that this one does not have. Ask the issuer for the kind of token that has it, or let the issuer put it in. Change the demand, in Issuer.ClaimRules for instance, only if such tokens are to be accepted here."},
}

// serverFault is told about an error that is no sentinel: the server's own.
var serverFault = Entry{Status: http.StatusInternalServerError, Code: "server_error", Description: "the server failed"}

// Find returns the entry of the sentinel that err is.
func Find(err error) Entry {
	for _, e := range table {
		if errors.Is(err, e.Err) {
			return e
		}
	}
	return serverFault
}

// isSentinel reports whether err itself is one of the sentinels.
func isSentinel(err error) bool {
	for i := range table {
		if table[i].Err == err {
			return true
		}
	}
	return false
}
