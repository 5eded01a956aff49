package explain

import (
	"time"

	"github.com/oidcauth/oidcauth/authtrace"
)

// A KeySet describes an issuer's key set as the library sees it.
type KeySet struct {
	Issuer       string          // the issuer's URL
	DiscoveryURL string          // empty when nothing is discovered
	JWKSURL      string          // empty when not known, and for fixed keys
	State        authtrace.State // fixed keys are always fresh
	Keys         []Key           // usable
	Skipped      []Key           // not usable: see Key.Skipped
	ETag         string          // of the last answer; empty if it had none
	MaxAge       time.Duration   // as the issuer said; negative if it said nothing
	Lifetime     time.Duration   // for which the keys count as fresh
	Fetched      time.Time       // when the keys last arrived
	Confirmed    time.Time       // when the issuer last said that they are current
	FreshUntil   time.Time       // zero for fixed keys
	ServeUntil   time.Time       // when they are given up unless confirmed; zero for fixed keys
	NextRefresh  time.Time       // zero when none is planned
	LastError    error           // of the last fetch, if it failed
}

// A Key is one key that an issuer publishes.
type Key struct {
	ID         string // empty if the key has none
	Type       string // "RSA 2048", "EC P-256", …; of a skipped key "kty", as far as it can be read
	Algorithm  string // empty if the key states none
	Use        string // "sig", or empty if the key does not say
	Thumbprint string // RFC 7638, SHA-256
	Skipped    string // why it cannot verify signatures here; empty if it can
}
