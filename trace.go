package oidcauth

import "time"

// A Trace observes what the key sets do, in the manner of [net/http/httptrace].
// Any of the functions may be nil. They are called from background work and
// must not block, and may be called by several goroutines at once.
type Trace struct {
	// KeysFetched is called after each attempt to fetch an issuer's keys.
	KeysFetched func(KeyFetch)

	// KeysStateChanged is called when an issuer's key set enters another state.
	KeysStateChanged func(KeyStateChange)
}

// A KeyFetch is one attempt to fetch an issuer's keys.
type KeyFetch struct {
	Issuer      string        // as [Issuer.URL]
	URL         string        // of the keys; empty when it could not be discovered
	Lookup      bool          // a token waited for it; otherwise a refresh in the background
	Duration    time.Duration // how long it took
	NotModified bool          // the issuer answered 304: the keys in hand are current
	Usable      int           // keys that can verify signatures
	Skipped     int           // keys that cannot; [Authenticator.Keys] tells why
	Err         error         // why it failed; nil on success

	// DiscoveryErr is why the discovery document could not be read anew, where
	// an earlier one was good enough to fetch the keys by. Err is nil then, unless
	// that failed too.
	DiscoveryErr error
}

// A KeyState is the state of an issuer's key set.
type KeyState string

const (
	KeysNone  KeyState = "none"  // nothing fetched yet
	KeysFresh KeyState = "fresh" // confirmed within their lifetime
	KeysStale KeyState = "stale" // past their lifetime, still in use while refreshes fail
	KeysGone  KeyState = "gone"  // not confirmed for too long, no longer in use
)

// A KeyStateChange is the passage of an issuer's key set from one state to another.
type KeyStateChange struct {
	Issuer   string   // as [Issuer.URL]
	From, To KeyState // the state it left, and the one it is in
	Err      error    // the failure behind it, if one is
}
