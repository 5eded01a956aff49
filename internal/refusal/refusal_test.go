package refusal_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Every entry can be told to a caller, and its status fits its code.
func TestTable(t *testing.T) {
	t.Parallel()
	codes := map[int][]string{
		http.StatusBadRequest:         {"invalid_request"},
		http.StatusUnauthorized:       {"", "invalid_token", "invalid_dpop_proof", "use_dpop_nonce"},
		http.StatusForbidden:          {"insufficient_scope", "access_denied"},
		http.StatusServiceUnavailable: {"temporarily_unavailable"},
	}
	seen := map[error]bool{}
	for _, e := range refusal.Table() {
		if e.Err == nil || seen[e.Err] {
			t.Errorf("%v stands in the table twice, or is nil", e.Err)
		}
		seen[e.Err] = true
		fits := false
		for _, code := range codes[e.Status] {
			fits = fits || code == e.Code
		}
		if !fits || e.Description == "" || strings.ContainsAny(e.Description, "\"\\\r\n") {
			t.Errorf("%v: status %d, code %q, description %q", e.Err, e.Status, e.Code, e.Description)
		}
	}
}

// Every sentinel has its status, written out again: one without an entry would be told
// as a fault of the server's.
func TestFind_All(t *testing.T) {
	t.Parallel()
	for status, all := range map[int][]error{
		400: {refusal.ErrMalformedRequest},
		401: {
			refusal.ErrNoToken, refusal.ErrMalformedToken, refusal.ErrUnknownIssuer, refusal.ErrAlgorithm, refusal.ErrUnknownKey,
			refusal.ErrSignature, refusal.ErrExpired, refusal.ErrNotYetValid, refusal.ErrIssuedInFuture, refusal.ErrClaim,
			refusal.ErrAudience, refusal.ErrTokenType, refusal.ErrTicketUsed, refusal.ErrProof, refusal.ErrRule, refusal.ErrRevoked,
			refusal.ErrInvalidProof, refusal.ErrUseNonce,
		},
		403: {refusal.ErrIdentityMismatch, refusal.ErrForbidden, refusal.ErrOrigin},
		503: {refusal.ErrKeysUnavailable, refusal.ErrRevocationsUnavailable, refusal.ErrAnswerUnavailable, refusal.ErrClosed},
	} {
		for _, sentinel := range all {
			if e := refusal.Find(sentinel); e.Status != status || e.Err != sentinel {
				t.Errorf("%v: status %d as %v, want %d", sentinel, e.Status, e.Err, status)
			}
		}
	}
}

// A refusal under the scheme DPoP is still the refusal that it was, and no other is
// touched.
func TestUnderDPoP(t *testing.T) {
	t.Parallel()
	refused := refusal.New(refusal.Expiry, refusal.ErrExpired, "then", "now")
	noted := refusal.UnderDPoP(refused)
	if !errors.Is(noted, refusal.ErrExpired) || noted.Error() != refused.Error() || !refusal.IsUnderDPoP(noted) {
		t.Errorf("UnderDPoP() = %v, noted: %v", noted, refusal.IsUnderDPoP(noted))
	}
	if refusal.IsUnderDPoP(refused) {
		t.Error("the refusal itself is changed")
	}
	other := errors.New("disk full")
	if got := refusal.UnderDPoP(other); got != other || refusal.IsUnderDPoP(got) {
		t.Errorf("UnderDPoP() of what is no refusal = %v", got)
	}
	for err, want := range map[error]bool{refusal.ErrInvalidProof: true, refusal.ErrUseNonce: true, refusal.ErrProof: false, nil: false} {
		if got := refusal.IsUnderDPoP(err); got != want {
			t.Errorf("IsUnderDPoP(%v) = %v, want %v", err, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		status int
		want   string // the error code's name
	}{
		{"a sentinel", refusal.ErrExpired, 401, "invalid_token"},
		{"the bare challenge", refusal.ErrNoToken, 401, "unauthorized"},
		{"a refusal", refusal.New(refusal.Key, refusal.ErrKeysUnavailable, "", ""), 503, "temporarily_unavailable"},
		{"wrapped", fmt.Errorf("in a handler: %w", refusal.New(refusal.Rules, refusal.ErrForbidden, "", "")), 403, "insufficient_scope"},
		{"a cause that is another sentinel", refusal.Because(refusal.Rules, refusal.ErrRule, refusal.ErrKeysUnavailable), 401, "invalid_token"},
		{"no sentinel", errors.New("disk full"), 500, "server_error"},
		{"nothing", nil, 500, "server_error"},
	} {
		if e := refusal.Find(tt.err); e.Status != tt.status || e.Name() != tt.want {
			t.Errorf("%s: Find() = %d %s, want %d %s", tt.name, e.Status, e.Name(), tt.status, tt.want)
		}
	}
}

type ownError struct{ error }

func TestBecause(t *testing.T) {
	t.Parallel()
	own := ownError{fmt.Errorf("closed: %w", refusal.ErrRevoked)}
	err := error(refusal.Because(refusal.Rules, refusal.ErrRule, own))
	if !errors.Is(err, refusal.ErrRule) || errors.Is(err, refusal.ErrRevoked) || !errors.Is(err, own) {
		t.Errorf("%v: is ErrRule %t, is ErrRevoked %t, is its cause %t, want true, false, true", err,
			errors.Is(err, refusal.ErrRule), errors.Is(err, refusal.ErrRevoked), errors.Is(err, own))
	}
	if as, found := errors.AsType[ownError](err); !found || as != own {
		t.Errorf("AsType() = %v, %t, want the cause", as, found)
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	r := refusal.New(refusal.Audience, refusal.ErrAudience, `["a"]`, `"my-db"`).After(3 * time.Second)
	if got, want := r.Error(), `oidcauth: audience not accepted: got ["a"], want "my-db"`; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
	if r.RetryAfter() != 3*time.Second {
		t.Errorf("RetryAfter() = %v, want 3s", r.RetryAfter())
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"short", "a", `"a"`},
		{"a line break", "a\nb", `"a\nb"`},
		{"as long as may be", strings.Repeat("a", 128), `"` + strings.Repeat("a", 128) + `"`},
		{"longer", strings.Repeat("a", 129), `"` + strings.Repeat("a", 128) + `"… (129 bytes)`},
		{"cut before a character", strings.Repeat("a", 127) + "éé", `"` + strings.Repeat("a", 127) + `"… (131 bytes)`},
	} {
		if got := refusal.Quote(tt.in); got != tt.want {
			t.Errorf("%s: Quote() = %s, want %s", tt.name, got, tt.want)
		}
	}
	if got, want := refusal.OneOf([]string{"a"}), `"a"`; got != want {
		t.Errorf("OneOf() one = %s, want %s", got, want)
	}
	if got, want := refusal.OneOf([]string{"a", "b"}), `one of ["a" "b"]`; got != want {
		t.Errorf("OneOf() = %s, want %s", got, want)
	}
	if got := refusal.QuoteAll(make([]string, 10)); !strings.HasSuffix(got, "… 2 more]") {
		t.Errorf("QuoteAll() of ten = %s, want eight and how many more", got)
	}
}

// A sentinel that is a kind of another one is so with a cause, too, and no cause makes a
// refusal another.
func TestWith_Kinds(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, tt := range []struct{ kind, of error }{
		{refusal.ErrManyTokens, refusal.ErrMalformedRequest}, {refusal.ErrInvalidProof, refusal.ErrProof}, {refusal.ErrUseNonce, refusal.ErrProof},
		{refusal.With(refusal.ErrAudience, errors.New("nearer")), refusal.ErrAudience},
	} {
		err := refusal.With(tt.kind, fmt.Errorf("%w: %w", refusal.ErrForbidden, cause))
		if !errors.Is(err, tt.of) || !errors.Is(err, cause) || errors.Is(err, refusal.ErrForbidden) || refusal.Find(err) != refusal.Find(tt.kind) {
			t.Errorf("%v is a %v: %t, found as %v", err, tt.of, errors.Is(err, tt.of), refusal.Find(err).Err)
		}
	}
}

// Every sentinel has a short name of its own, or that of the one that it is a kind of, and
// nothing else has one.
func TestOutcome(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{refusal.Other: true}
	for _, e := range refusal.Table() {
		name := refusal.Outcome(refusal.Because(refusal.Rules, e.Err, refusal.ErrRule))
		if seen[name] && e.Err != refusal.ErrMalformedRequest { // as ErrManyTokens
			t.Errorf("%v is called %q, as another is", e.Err, name)
		}
		seen[name] = true
	}
	for _, err := range []error{nil, errors.New("disk full")} {
		if name := refusal.Outcome(err); name != refusal.Other {
			t.Errorf("%v is called %q, want %q", err, name, refusal.Other)
		}
	}
}

// A refusal bears its bearer through whatever wraps it, and the original is as it was.
func TestOfBearer(t *testing.T) {
	t.Parallel()
	b := refusal.Bearer{Issuer: "i", Subject: "s", Configured: "c"}
	original := refusal.New(refusal.Expiry, refusal.ErrExpired, "x", "y")
	err := fmt.Errorf("wrapped: %w", refusal.OfBearer(original, b))
	if got := refusal.BearerOf(err); got != b || !errors.Is(err, refusal.ErrExpired) || refusal.CheckOf(err) != refusal.Expiry {
		t.Errorf("BearerOf() = %+v, check %q of %v, want %+v", got, refusal.CheckOf(err), err, b)
	}
	for _, err := range []error{nil, original, errors.New("another"), refusal.OfBearer(errors.New("another"), b)} {
		if got := refusal.BearerOf(err); got != (refusal.Bearer{}) {
			t.Errorf("BearerOf(%v) = %+v, want none", err, got)
		}
		if got := refusal.OfBearer(err, refusal.Bearer{}); got != err {
			t.Errorf("OfBearer(%v) of nobody = %v", err, got)
		}
	}
}
