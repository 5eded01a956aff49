package natsauth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
)

const (
	// markerTime is how long the bucket shows that an entry has expired.
	markerTime = time.Minute

	// maxLateness is how long an entry outlives its revocation, for servers whose
	// clocks are behind.
	maxLateness = time.Minute

	// openTime is how long a revocation is kept that says nothing of its end.
	openTime = 365 * 24 * time.Hour
)

// encode returns the entry of a revocation. Equal revocations have equal keys,
// whatever the time zone of their times.
func encode(r oidcauth.Revocation) (key string, value []byte, err error) {
	r.IssuedBefore, r.Until = normal(r.IssuedBefore), normal(r.Until)
	value, err = json.Marshal(r)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:]), value, nil
}

func normal(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

// decode reads an entry. Members that it does not know, of a later version
// perhaps, are ignored: that revokes too much rather than too little.
func decode(value []byte) (oidcauth.Revocation, error) {
	var r oidcauth.Revocation
	err := json.Unmarshal(value, &r)
	return r, err
}

// expiry returns how the entry of a revocation expires, or that it has.
func expiry(r oidcauth.Revocation, now time.Time, lateness time.Duration) (options []jetstream.KVCreateOpt, over bool) {
	if r.Until.IsZero() {
		r.Until = now.Add(openTime)
	}
	left := r.Until.Sub(now)
	if left <= 0 {
		return nil, true
	}
	// The server counts nanoseconds since 1970 in 64 bits: an end beyond them
	// would lie in the past.
	if left > math.MaxInt64/2-time.Duration(now.UnixNano()/2) {
		return nil, false
	}
	ttl := (left + lateness + time.Second - 1).Truncate(time.Second)
	return []jetstream.KVCreateOpt{jetstream.KeyTTL(ttl)}, false
}
