package oidcauth

import (
	"errors"
	"net/http"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Why a token, or the request that carried it, was refused. [Authenticator.Authenticate]
// returns exactly one of these inside a [*Refusal]; test for it with [errors.Is].
// The error of a [Rule], or another cause, is found with errors.Is and errors.As
// too, but for one of these that it wraps: that does not count.
var (
	// ErrNoToken says that the request carries no token. HTTP status 401.
	ErrNoToken = refusal.ErrNoToken
	// ErrMalformedRequest says that the request carries a token in a way that
	// RFC 6750 forbids, two tokens among them; or that what is asked cannot be,
	// such as a [Revocation] of nothing. HTTP status 400.
	ErrMalformedRequest = refusal.ErrMalformedRequest
	// ErrMalformedToken says that the token is not a well-formed JWT in compact
	// serialization. HTTP status 401.
	ErrMalformedToken = refusal.ErrMalformedToken
	// ErrUnknownIssuer says that no issuer bears the token's "iss" that is configured, or
	// found by [Config.FindIssuer], or vouches for it by [Config.AnyIssuer]. HTTP status 401.
	ErrUnknownIssuer = refusal.ErrUnknownIssuer
	// ErrAlgorithm says that the issuer's tokens may not be signed with the
	// token's algorithm. HTTP status 401.
	ErrAlgorithm = refusal.ErrAlgorithm
	// ErrUnknownKey says that the issuer was asked and publishes no usable key
	// with the token's key ID, or that the token has none where
	// [KeysFrom].RequireKeyID wants one. HTTP status 401.
	ErrUnknownKey = refusal.ErrUnknownKey
	// ErrSignature says that the signature is not the issuer's. HTTP status 401.
	ErrSignature = refusal.ErrSignature
	// ErrExpired says that the expiry has passed; the signature was good. HTTP status 401.
	ErrExpired = refusal.ErrExpired
	// ErrNotYetValid says that the token's not-before time lies ahead. HTTP status 401.
	ErrNotYetValid = refusal.ErrNotYetValid
	// ErrIssuedInFuture says that the token claims to be issued later than now. HTTP status 401.
	ErrIssuedInFuture = refusal.ErrIssuedInFuture
	// ErrClaim says that a registered claim is missing, of the wrong type or out
	// of range. HTTP status 401.
	ErrClaim = refusal.ErrClaim
	// ErrAudience says that the token was issued for somebody else. HTTP status 401.
	ErrAudience = refusal.ErrAudience
	// ErrTokenType says that the token is of a kind that does not authenticate
	// here, a logout token for instance. HTTP status 401.
	ErrTokenType = refusal.ErrTokenType
	// ErrTicketUsed says that the ticket was used before. HTTP status 401.
	ErrTicketUsed = refusal.ErrTicketUsed
	// ErrProof says that the token is bound to a key or a certificate, and that whoever
	// presented it has not proved to have that; or that the token is not bound and was
	// sent as if it were. dpop.ErrInvalidProof and dpop.ErrUseNonce are such, and say
	// more. HTTP status 401.
	ErrProof = refusal.ErrProof
	// ErrRule says that one of the issuer's own rules refused the token. HTTP status 401.
	ErrRule = refusal.ErrRule
	// ErrRevoked says that the token was good and has been revoked. HTTP status 401.
	ErrRevoked = refusal.ErrRevoked
	// ErrIdentityMismatch says that the token presented to renew a session is
	// another identity's, or that the session's own would be by what its issuer's
	// description is now, or its answer about an opaque token. HTTP status 403.
	ErrIdentityMismatch = refusal.ErrIdentityMismatch
	// ErrForbidden says that the caller is known and may not do this. HTTP status 403.
	ErrForbidden = refusal.ErrForbidden
	// ErrOrigin says that a cookie came with an Origin that is not allowed, or a
	// ticket with another than it was bought with, or that a page without an origin of its
	// own wants one, or whoever is no page for a token that is bound. HTTP status 403.
	ErrOrigin = refusal.ErrOrigin
	// ErrKeysUnavailable says that the issuer's keys cannot be had at present, or
	// that the token's may be among them and the issuer was asked too recently to
	// be asked again; or that [Config.FindIssuer] cannot tell whose it is. That says
	// nothing about the token. HTTP status 503.
	ErrKeysUnavailable = refusal.ErrKeysUnavailable
	// ErrRevocationsUnavailable says that revocations may be missing and
	// [Config.RequireRevocations] is set, that nobody can tell whether a ticket was used
	// before, or that a revocation holds here and is not shared: a fault of ours, not of
	// the token. HTTP status 503.
	ErrRevocationsUnavailable = refusal.ErrRevocationsUnavailable
	// ErrAnswerUnavailable says that [Issuer.Supplement] or [Issuer.Introspect] gave no
	// answer about the token, or none that can be used, that a [Rule] or
	// [AnyIssuer.Accept] panicked, that [Config.Certificate] failed, or that nobody can tell
	// whether a proof of possession was used before: a fault of ours, not of the token. HTTP
	// status 503.
	ErrAnswerUnavailable = refusal.ErrAnswerUnavailable
	// ErrClosed says that the [Authenticator], or the [Session], was closed, or was
	// never made by [New], or by [Authenticator.NewSession]. HTTP status 503.
	ErrClosed = refusal.ErrClosed
)

// A Refusal is the error of every method that refuses a token or a request: a
// struct with the fields
//
//	Check string // the check that failed: as a step of an explain.Report is named, or
//	             // "session", "ticket", "logout", "possession", "request" or "caller", of
//	             // what carries the token and of who may have what a route answers
//	Got   string // what the token had; quoted and shortened where the token chose it
//	Want  string // what would have passed; may be empty
//	Err   error  // the sentinel, possibly joined with its cause
//
// of package internal/refusal, so that all packages here can return it. It never
// contains the token. Its text is for the operator's log; what a remote
// caller may know is in the answer that [Authenticator.Refuse] writes. Its method
// RetryAfter returns how long a caller does well to wait before the next try,
// zero unless the refusal is [ErrKeysUnavailable] or [ErrAnswerUnavailable].
type Refusal = refusal.Refusal

// Answer returns what a remote caller may be told about err, for servers that
// answer by other means than [Authenticator.Refuse], a frame on a WebSocket for
// instance: an HTTP status, an error code in the manner of RFC 6750 and a
// description. An error that is none of this package's gives 500. How long to wait
// where it is 503 says the method RetryAfter of the [Refusal] in err.
func Answer(err error) (status int, code, description string) {
	e := refusal.Find(err)
	return e.Status, e.Name(), e.Description
}

// CloseCode returns the status code and the reason with which to close a
// WebSocket (RFC 6455, section 7.4) whose session ended with cause, or whose
// token was refused with it: 3000 (unauthorized), 3003 (forbidden), 1001 (going
// away), 1013 (try again later), and 1011 (internal error) for an error that is
// none of this package's. The reason is a fixed short text without anything of
// the token.
func CloseCode(cause error) (code int, reason string) {
	answer := refusal.Find(cause)
	switch {
	case errors.Is(cause, ErrClosed):
		code = 1001
	case answer.Status == http.StatusServiceUnavailable:
		code = 1013
	case answer.Status == http.StatusForbidden:
		code = 3003
	case answer.Status == http.StatusInternalServerError:
		code = 1011
	default:
		code = 3000
	}
	return code, answer.Description
}
