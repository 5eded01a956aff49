// Package authtrace has the hooks through which a program observes what an
// Authenticator does, in the manner of [net/http/httptrace]:
//
//	auth, err := oidcauth.New(oidcauth.Config{
//		Issuers: issuers,
//		Trace:   &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { fetches.Observe(f.Duration.Seconds()) }},
//	})
//
// What hooks receive holds no token and no claim. An issuer is named only where it is
// configured, so that names can be labels of metrics: there is no end of those that
// strangers choose. A hook that is nil costs nothing, not even a look at a clock.
//
// Hooks observe and decide nothing. One that panics is called again the next time; its
// first panic is logged, with [oidcauth.Config.Logger]. What one that is slow holds up
// is said at [Hooks].
//
// [oidcauth.Config.Logger]: https://pkg.go.dev/github.com/oidcauth/oidcauth#Config
package authtrace

import (
	"context"
	"time"
)

// Hooks are what a program observes by. Any of them may be nil.
//
// Decided and Ticket are called by whoever asked, before they get their answer, and by
// several goroutines at once: what such a hook takes, this one call takes longer, and
// no other. All the others are called by one goroutine of the Authenticator, one at a
// time and in the order in which things happened, which never waits for them: a slow
// one delays the hooks behind it and nothing else. Up to 262,144 events wait for their
// turn; of those beyond Missed tells how many. Close gives waiting events a second.
//
// A hook must not call Close or SetIssuers.
type Hooks struct {
	// Decided is called for each token that Authenticate, AuthenticateRequest, the
	// middlewares or Renew decided about, and for each request without one. The context
	// is that of the call. What Require refuses of its bearer, or of nobody behind Optional,
	// is no decision about a token, and not told: an answer's status has it.
	Decided func(context.Context, Decision)

	// Ticket is called for each ticket that was to be used.
	Ticket func(context.Context, Decision)

	// KeysFetched is called after each attempt to fetch an issuer's keys.
	KeysFetched func(KeyFetch)

	// KeysState is called when the keys of an issuer enter another state, and with [None]
	// when SetIssuers removes the issuer or where its keys come from, or Close lets go of
	// all. Where its descriptions have keys from several places, the state is the one that
	// somebody has to look after the soonest: Gone, Stale, Fresh, None. Keys that its
	// description has itself are fresh from the start, which is not told.
	KeysState func(KeyState)

	// SessionStarted is called when a session begins to live. One that never did,
	// because its token was refused, is not told of.
	SessionStarted func(Session)

	// SessionRenewed is called when a live session is put under another token.
	SessionRenewed func(Session)

	// SessionEnded is called once for each session that was started, when it ends.
	SessionEnded func(Session)

	// Revoked is called for each revocation that begins to hold in this process: by the
	// program's word, by a logout, or by the log that servers share, which tells all
	// that it has when the process starts.
	Revoked func(Revocation)

	// Missed is called in the place of events that no longer found room.
	Missed func(Missed)
}

// Accepted is the outcome of a token that was accepted.
const Accepted = "accepted"

// Anonymous is the outcome of a request without token that Authenticator.Optional let
// through: nobody was refused.
const Anonymous = "anonymous"

// A Decision is what became of one token.
type Decision struct {
	// Outcome is [Accepted], or [Anonymous], or says why not: the name of the error in lower case
	// without "Err", such as "no_token", "expired", "keys_unavailable" for
	// ErrKeysUnavailable. It is "other" for an error that is none of oidcauth's, an
	// [oidcauth.Extractor] of the program's own may have one. There are fewer than thirty.
	//
	// [oidcauth.Extractor]: https://pkg.go.dev/github.com/oidcauth/oidcauth#Extractor
	Outcome string

	// Check is the check that failed, as a step of an explain.Report is named. Empty for
	// a token that was accepted, and for none that was needed.
	Check string

	// Status is the HTTP status that tells a caller of the outcome, 200 if accepted or anonymous.
	Status int

	// Issuer is the URL of the configured issuer that the token names. Unless the
	// outcome is one that follows a good signature, anybody may have named it. Empty for
	// no issuer, and for one that only Config.FindIssuer or Config.AnyIssuer accepts.
	Issuer string

	// Remembered says that the token was verified before, and only what can change since
	// was looked at.
	Remembered bool

	Start    time.Time     // when it was asked, by the clock of the machine
	Duration time.Duration // until the answer, waiting for keys included
}

// A Session is what a hook is told of a session.
type Session struct {
	// Issuer is the URL of the configured issuer of its token, or empty.
	Issuer string

	// Outcome says why it ended, as in [Decision]; "closed" where the program closed
	// it, or the Authenticator. Empty while it lives.
	Outcome string

	Started time.Time // by the clock of the machine
	At      time.Time // when it started, was renewed or ended

	// Live is how many sessions live now, so that a gauge can be set instead of counted.
	Live int
}

// A Revocation is what a hook is told of a revocation.
type Revocation struct {
	// Issuer is the URL of the configured issuer whose tokens it withdraws. Empty for
	// those of any, or of one that is not configured.
	Issuer string

	// By is the most telling thing that the tokens have in common: "token", "session",
	// "subject", "key", "issuer" or "time".
	By string
}

// Missed are events that were not told, because hooks were too slow.
type Missed struct {
	Events int // since the last event that was told
	Live   int // sessions that live now
}

// A KeyFetch is one attempt to fetch an issuer's keys.
type KeyFetch struct {
	Issuer      string        // the URL of the configured issuer; empty for another
	URL         string        // of the keys; empty when it could not be discovered
	Lookup      bool          // a token waited for it; otherwise a refresh in the background
	Start       time.Time     // when it began, by the clock of the machine
	Duration    time.Duration // how long it took
	NotModified bool          // the issuer answered 304: the keys in hand are current
	Usable      int           // keys that can verify signatures
	Skipped     int           // keys that cannot
	Err         error         // why it failed; nil on success

	// DiscoveryErr is why the discovery document could not be read anew, where
	// an earlier one was good enough to fetch the keys by. Err is nil then, unless
	// that failed too.
	DiscoveryErr error
}

// A KeyState is the passage of an issuer's key set from one state to another.
type KeyState struct {
	Issuer   string // the URL of the configured issuer; empty for another
	From, To State  // the state it left, and the one it is in
	Err      error  // the failure behind it, if one is
}

// A State is the state of an issuer's key set.
type State string

// The states of a key set. With [Fresh] and [Stale] keys tokens are accepted.
const (
	None  State = "none"  // no keys, and no failure: none fetched yet, or needed for a day, or the issuer is configured no longer, or its Authenticator closed
	Fresh State = "fresh" // confirmed within their lifetime, or nobody has needed them to be
	Stale State = "stale" // in use while refreshes fail, past their lifetime, or out of a directory and not confirmed yet
	Gone  State = "gone"  // no keys, and fetching them fails, or there is no usable one any more
)
