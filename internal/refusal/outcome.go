package refusal

// Other is the outcome of an error that is no sentinel.
const Other = "other"

// outcomes are the short names of the sentinels, for those who count. They are fixed:
// what counts under a name that changes begins at zero.
var outcomes = map[error]string{
	ErrNoToken:                "no_token",
	ErrMalformedRequest:       "malformed_request",
	ErrManyTokens:             "malformed_request",
	ErrMalformedToken:         "malformed_token",
	ErrUnknownIssuer:          "unknown_issuer",
	ErrAlgorithm:              "algorithm",
	ErrUnknownKey:             "unknown_key",
	ErrSignature:              "signature",
	ErrExpired:                "expired",
	ErrNotYetValid:            "not_yet_valid",
	ErrIssuedInFuture:         "issued_in_future",
	ErrClaim:                  "claim",
	ErrAudience:               "audience",
	ErrTokenType:              "token_type",
	ErrTicketUsed:             "ticket_used",
	ErrProof:                  "proof",
	ErrInvalidProof:           "invalid_proof",
	ErrUseNonce:               "use_nonce",
	ErrRule:                   "rule",
	ErrRevoked:                "revoked",
	ErrIdentityMismatch:       "identity_mismatch",
	ErrForbidden:              "forbidden",
	ErrOrigin:                 "origin",
	ErrKeysUnavailable:        "keys_unavailable",
	ErrRevocationsUnavailable: "revocations_unavailable",
	ErrAnswerUnavailable:      "answer_unavailable",
	ErrClosed:                 "closed",
}

// Outcome returns the short name of the sentinel that err is, or [Other].
func Outcome(err error) string {
	if name, ok := outcomes[Find(err).Err]; ok {
		return name
	}
	return Other
}
