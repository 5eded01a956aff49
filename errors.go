package oidcauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Why a token, or the request that carried it, was refused. [Authenticator.Authenticate]
// returns exactly one of these inside a [*Refusal]; test for it with [errors.Is].
// The error of a [Rule], or another cause, is found with errors.Is and errors.As
// too, but for one of these that it wraps: that does not count.
var (
	// ErrNoToken says that the request carries no token. HTTP status 401.
	ErrNoToken = errors.New("no token")
	// ErrMalformedRequest says that the request carries a token in a way that
	// RFC 6750 forbids, two tokens among them; or that what is asked cannot be,
	// such as a [Revocation] of nothing. HTTP status 400.
	ErrMalformedRequest = errors.New("malformed request")
	// ErrMalformedToken says that the token is not a well-formed JWT in compact
	// serialization. HTTP status 401.
	ErrMalformedToken = errors.New("malformed token")
	// ErrUnknownIssuer says that no configured issuer bears the token's "iss". HTTP status 401.
	ErrUnknownIssuer = errors.New("issuer not accepted")
	// ErrAlgorithm says that the issuer's tokens may not be signed with the
	// token's algorithm. HTTP status 401.
	ErrAlgorithm = errors.New("algorithm not accepted")
	// ErrUnknownKey says that the issuer was asked and publishes no usable key
	// with the token's key ID. HTTP status 401.
	ErrUnknownKey = errors.New("unknown key")
	// ErrSignature says that the signature is not the issuer's. HTTP status 401.
	ErrSignature = errors.New("signature not valid")
	// ErrExpired says that the expiry has passed; the signature was good. HTTP status 401.
	ErrExpired = errors.New("token expired")
	// ErrNotYetValid says that the token's not-before time lies ahead. HTTP status 401.
	ErrNotYetValid = errors.New("token not yet valid")
	// ErrIssuedInFuture says that the token claims to be issued later than now. HTTP status 401.
	ErrIssuedInFuture = errors.New("token issued in the future")
	// ErrClaim says that a registered claim is missing, of the wrong type or out
	// of range. HTTP status 401.
	ErrClaim = errors.New("claim not accepted")
	// ErrAudience says that the token was issued for somebody else. HTTP status 401.
	ErrAudience = errors.New("audience not accepted")
	// ErrTokenType says that the token is of a kind that does not authenticate
	// here, a logout token for instance. HTTP status 401.
	ErrTokenType = errors.New("token type not accepted")
	// ErrTicketUsed says that the ticket was used before. HTTP status 401.
	ErrTicketUsed = errors.New("ticket already used")
	// ErrRule says that one of the issuer's own rules refused the token. HTTP status 401.
	ErrRule = errors.New("rule not satisfied")
	// ErrRevoked says that the token was good and has been revoked. HTTP status 401.
	ErrRevoked = errors.New("token revoked")
	// ErrIdentityMismatch says that the token presented to renew a session is
	// another identity's. HTTP status 403.
	ErrIdentityMismatch = errors.New("token of another identity")
	// ErrForbidden says that the caller is known and may not do this. HTTP status 403.
	ErrForbidden = errors.New("forbidden")
	// ErrOrigin says that a cookie came with an Origin that is not allowed, or a
	// ticket with another than it was bought with. HTTP status 403.
	ErrOrigin = errors.New("origin not allowed")
	// ErrKeysUnavailable says that the issuer's keys cannot be had at present, or
	// that the token's may be among them and the issuer was asked too recently to
	// be asked again. That says nothing about the token. HTTP status 503.
	ErrKeysUnavailable = errors.New("issuer's keys unavailable")
	// ErrRevocationsUnavailable says that revocations may be missing and
	// [Config.RequireRevocations] is set: a fault of ours, not of the token. HTTP
	// status 503.
	ErrRevocationsUnavailable = errors.New("revocations unavailable")
	// ErrClosed says that the [Authenticator], or the [Session], was closed. HTTP
	// status 503.
	ErrClosed = errors.New("authenticator or session closed")
)

// A Refusal is the error of every method that refuses a token or a request. It
// says which check failed, what that check got and what it wanted, and never
// contains the token.
//
// Its text is for the operator's log. What a remote caller may know is in the
// answer that [Authenticator.Refuse] writes.
type Refusal struct {
	Check string // the check that failed: one of the Check names of a [Report]
	Got   string // what the token had; quoted and shortened where the token chose it
	Want  string // what would have passed; may be empty
	Err   error  // the sentinel, possibly joined with its cause

	retryAfter time.Duration
}

// Error returns the refusal in one line.
func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("oidcauth: ")
	b.WriteString(r.Err.Error())
	if r.Got != "" {
		b.WriteString(": got ")
		b.WriteString(r.Got)
	}
	if r.Want != "" {
		b.WriteString(", want ")
		b.WriteString(r.Want)
	}
	return b.String()
}

// Unwrap returns the sentinel with its cause.
func (r *Refusal) Unwrap() error { return r.Err }

// RetryAfter returns how long a caller does well to wait before the next try.
// It is zero unless the refusal is [ErrKeysUnavailable].
func (r *Refusal) RetryAfter() time.Duration { return r.retryAfter }

func refuse(check string, sentinel error, got, want string) *Refusal {
	return &Refusal{Check: check, Got: got, Want: want, Err: sentinel}
}

// refuseCause keeps the cause of a refusal beside its sentinel.
func refuseCause(check string, sentinel, cause error) *Refusal {
	return &Refusal{Check: check, Err: &reason{sentinel, cause}}
}

// A reason is a sentinel with its cause, which is often an error that the
// program or its network made: of a rule, a log or a transport. Whatever that
// wraps, the reason is of this package's sentinels its own alone, so that the
// cause neither decides the answer nor passes for another refusal.
type reason struct{ sentinel, cause error }

// Error returns both in one line.
func (r *reason) Error() string { return r.sentinel.Error() + ": " + r.cause.Error() }

// Is implements the interface that [errors.Is] looks for. There is no Unwrap,
// which would lead past it.
func (r *reason) Is(target error) bool {
	if isSentinel(target) {
		return target == r.sentinel
	}
	return errors.Is(r.cause, target)
}

// As implements the interface that [errors.As] looks for.
func (r *reason) As(target any) bool { return errors.As(r.cause, target) }

// isSentinel reports whether err itself is one of this package's sentinels.
func isSentinel(err error) bool {
	for i := range answers {
		if answers[i].err == err {
			return true
		}
	}
	return false
}

// quote makes a value that the token chose fit for one log line.
func quote(s string) string {
	const limit = 128
	if len(s) <= limit {
		return fmt.Sprintf("%q", s)
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:cut], len(s))
}

// quoteAll lists values the way quote shows one.
func quoteAll(values []string) string {
	const limit = 8
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i == limit {
			fmt.Fprintf(&b, " … %d more", len(values)-limit)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quote(v))
	}
	b.WriteByte(']')
	return b.String()
}

// oneOf words the acceptable values of a check.
func oneOf(values []string) string {
	if len(values) == 1 {
		return quote(values[0])
	}
	return "one of " + quoteAll(values)
}

// An answer is what a remote caller is told about a refusal.
type answer struct {
	status      int
	code        string // RFC 6750, section 3.1; empty for the bare challenge
	description string
}

// answers maps each sentinel to its answer. The descriptions are fixed texts, so
// that nothing of the server's configuration or network leaks to a stranger.
var answers = []struct {
	err error
	answer
}{
	{ErrNoToken, answer{http.StatusUnauthorized, "", "a bearer token is required"}},
	{ErrMalformedRequest, answer{http.StatusBadRequest, "invalid_request", "the request is malformed or carries more than one token"}},
	{ErrForbidden, answer{http.StatusForbidden, "insufficient_scope", "the caller may not do this"}},
	{ErrIdentityMismatch, answer{http.StatusForbidden, "access_denied", "the token is another identity's"}},
	{ErrOrigin, answer{http.StatusForbidden, "access_denied", "the origin is not allowed"}},
	{ErrKeysUnavailable, answer{http.StatusServiceUnavailable, "temporarily_unavailable", "the issuer's keys are unavailable at present"}},
	{ErrRevocationsUnavailable, answer{http.StatusServiceUnavailable, "temporarily_unavailable", "revocations are unavailable at present"}},
	{ErrClosed, answer{http.StatusServiceUnavailable, "temporarily_unavailable", "the server is shutting down"}},
	{ErrExpired, answer{http.StatusUnauthorized, "invalid_token", "the token has expired"}},
	{ErrRevoked, answer{http.StatusUnauthorized, "invalid_token", "the token was revoked"}},
	{ErrNotYetValid, answer{http.StatusUnauthorized, "invalid_token", "the token is not valid yet"}},
	{ErrIssuedInFuture, answer{http.StatusUnauthorized, "invalid_token", "the token was issued in the future"}},
	{ErrAudience, answer{http.StatusUnauthorized, "invalid_token", "the token is for another audience"}},
	{ErrTokenType, answer{http.StatusUnauthorized, "invalid_token", "a token of this type is not accepted"}},
	{ErrTicketUsed, answer{http.StatusUnauthorized, "invalid_token", "the ticket was used before"}},
	{ErrMalformedToken, answer{http.StatusUnauthorized, "invalid_token", "the token is malformed"}},
	{ErrUnknownIssuer, notAccepted},
	{ErrAlgorithm, notAccepted},
	{ErrUnknownKey, notAccepted},
	{ErrSignature, notAccepted},
	{ErrClaim, notAccepted},
	{ErrRule, notAccepted},
}

// notAccepted keeps to itself which check failed: the caller cannot mend it.
var notAccepted = answer{http.StatusUnauthorized, "invalid_token", "the token is not accepted"}

// Answer returns what a remote caller may be told about err, for servers that
// answer by other means than [Authenticator.Refuse], a frame on a WebSocket for
// instance: an HTTP status, an error code in the manner of RFC 6750 and a
// description. An error that is none of this package's gives 500.
func Answer(err error) (status int, code, description string) {
	a := answerTo(err)
	return a.status, a.name(), a.description
}

// name returns the error code, or what stands for it where one is due.
func (a answer) name() string {
	if a.code == "" {
		return "unauthorized"
	}
	return a.code
}

// answerTo returns what a remote caller is told about err. An error that is
// none of this package's is the server's own fault.
func answerTo(err error) answer {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a.answer
		}
	}
	return answer{http.StatusInternalServerError, "server_error", "the server failed"}
}
