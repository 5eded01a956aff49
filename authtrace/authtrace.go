// Package authtrace has the hooks through which a program observes what an
// Authenticator does, in the manner of [net/http/httptrace]:
//
//	auth, err := oidcauth.New(oidcauth.Config{
//		Issuers: issuers,
//		Trace:   &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { fetches.Observe(f.Duration.Seconds()) }},
//	})
//
// What hooks receive holds no token and no claim. A hook that is nil costs nothing.
package authtrace

import "time"

// Hooks are called from background work, perhaps by several goroutines at once:
// they must not block. Any of them may be nil.
type Hooks struct {
	// KeysFetched is called after each attempt to fetch an issuer's keys.
	KeysFetched func(KeyFetch)

	// KeysState is called when an issuer's key set enters another state.
	KeysState func(KeyState)
}

// A KeyFetch is one attempt to fetch an issuer's keys.
type KeyFetch struct {
	Issuer      string        // the issuer's URL
	URL         string        // of the keys; empty when it could not be discovered
	Lookup      bool          // a token waited for it; otherwise a refresh in the background
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
	Issuer   string // the issuer's URL
	From, To State  // the state it left, and the one it is in
	Err      error  // the failure behind it, if one is
}

// A State is the state of an issuer's key set.
type State string

// The states of a key set. With [Fresh] and [Stale] keys tokens are accepted.
const (
	None  State = "none"  // nothing fetched yet
	Fresh State = "fresh" // confirmed within their lifetime
	Stale State = "stale" // past their lifetime, still in use while refreshes fail
	Gone  State = "gone"  // not confirmed for too long, no longer in use
)
