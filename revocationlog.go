package oidcauth

import (
	"context"
	"errors"
	"time"

	"github.com/oidcauth/oidcauth/internal/revoked"
)

// A Revocation withdraws tokens before they expire. It matches the tokens that
// agree with everything that is set; at least one thing has to be.
type Revocation struct {
	// Issuer is the token's issuer, by [Issuer.URL] or an alias. Empty means any.
	Issuer string `json:"issuer,omitempty"`

	// Subject is the subject of the token's identity, or its "sub" where
	// [Issuer.Subject] makes the subject of something else. Empty means any.
	Subject string `json:"subject,omitempty"`

	// SessionID is the login session, "sid". Empty means any.
	SessionID string `json:"session_id,omitempty"`

	// TokenID is the token itself, "jti". Empty means any.
	TokenID string `json:"token_id,omitempty"`

	// KeyID is the key that signed the token. Empty means any.
	KeyID string `json:"key_id,omitempty"`

	// IssuedBefore restricts the revocation to tokens issued ("iat") before it, by
	// the issuer's clock and to the fraction of a second. Most issuers drop the
	// fraction: a token that was issued later within the same second is refused too,
	// and so is one that does not say when it was issued. A token is missed that was
	// issued before by an issuer whose clock is ahead, at most [Config.Leeway]: to
	// withdraw all that there is, add that to the present time, and what is issued
	// meanwhile is refused as well. Zero means tokens issued at any time, also after
	// the revocation.
	IssuedBefore time.Time `json:"issued_before,omitzero"`

	// EndedAt is when the login session ended that the revocation is of; see
	// [Authenticator.LogoutHandler], which sets it. It restricts nothing: tokens of
	// the session match whenever they were issued. Zero means that it is not known.
	EndedAt time.Time `json:"ended_at,omitzero"`

	// Until is when the revocation ends. Tokens that it matches and that have not
	// expired by then are accepted again. Zero means when no token of today can
	// be left: after [Config.MaxTokenLifetime], or without that after one year or
	// what the tokens of a [LocalIssuer] have ever lived at most, or after a century
	// if they may never expire.
	Until time.Time `json:"until,omitzero"`
}

// ErrNotStored is what a [RevocationLog] wraps in the error of an entry that is
// certainly not stored and will not be by itself: the log is full, denies the
// write or is not what it should be. It is never the error of a lost answer.
var ErrNotStored = errors.New("oidcauth: not stored in the revocation log")

// A RevocationLog shares revocations, and what may be used once, between the
// servers of a cluster. It only ever grows, except that what is past its end may
// be left out. Its methods must be safe for concurrent use. The package
// revocationtest has a suite of tests for it.
//
// Three outcomes of a write are told apart. A nil error says that the entry is
// stored: the log has acknowledged that write, or has read the entry back, and no
// fault that the log is made to survive loses it. An error that wraps
// [ErrNotStored] says that it certainly is not. Any other error says that this is
// not known: the entry may be stored all the same, now or a little later. That an
// equal entry seems to exist, while its own write is not acknowledged yet, is of
// the third kind.
type RevocationLog interface {
	// Append adds r for every follower, those that come later included, and
	// reports whether it is new: whether an equal one, with the same content, was
	// not there before. Of several servers that append equal ones at once, one at
	// most is told that it is new. After an error it may be called again with an
	// equal r, whatever became of the first.
	Append(ctx context.Context, r Revocation) (added bool, err error)

	// FirstUse records that the one-time thing id was used, and reports whether
	// this was its first use anywhere in the cluster. The record is kept until the
	// given time at least. Of several callers at once, one at most is told true, and
	// nobody is once the record is stored, also where who stored it was told an
	// error. Errors mean what those of Append do. Records have a limit of their own:
	// however many there are, Append has as much space as before.
	FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)

	// Follow calls apply for every revocation, from the first on and then as they
	// are appended by anybody, and caughtUp(true) when all that existed have been
	// applied. It calls caughtUp(false) when it has lost contact, so that some may
	// be missing, and caughtUp(true) again when none are; a loss that is over within
	// a short grace, which its documentation states, may go untold. It returns when
	// ctx ends or when it cannot go on, and is then called again after a while; each
	// call begins with the first revocation. It may apply one more than once, and
	// makes its calls one at a time.
	Follow(ctx context.Context, apply func(Revocation), caughtUp func(current bool)) error
}

// What becomes of a revocation that holds in this process and that the log has
// not taken. [Authenticator.Revoke], [Authenticator.Ready] and
// [Authenticator.Close] return one of these beside [ErrRevocationsUnavailable].
var (
	// ErrRevocationWaits says that revocations wait to be shared: in
	// [Config.RevocationDir], or in memory only where there is none, as the text
	// of the error then says.
	ErrRevocationWaits = revoked.ErrWaits

	// ErrRevocationNotWritten says that a revocation waits to be shared in memory
	// only, because it could not be written to [Config.RevocationDir]: it is lost
	// with the process.
	ErrRevocationNotWritten = revoked.ErrNotWritten

	// ErrRevocationNotShared says that revocations will not be shared: too many
	// waited already, or the Authenticator was closed while they waited in memory.
	ErrRevocationNotShared = revoked.ErrNotShared
)

// A followedLog is a [RevocationLog] as the machinery of revocations knows it.
type followedLog struct{ RevocationLog }

// Append implements [revoked.Log].
func (l followedLog) Append(ctx context.Context, r revoked.Revocation) (added bool, err error) {
	return l.RevocationLog.Append(ctx, Revocation(r))
}

// Follow implements [revoked.Log].
func (l followedLog) Follow(ctx context.Context, apply func(revoked.Revocation), caughtUp func(current bool)) error {
	return l.RevocationLog.Follow(ctx, func(r Revocation) { apply(revoked.Revocation(r)) }, caughtUp)
}
