package natsauth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"time"

	"github.com/oidcauth/oidcauth"
)

const (
	// maxLateness is how long an entry outlives its end, for servers whose clocks
	// are behind.
	maxLateness = time.Minute

	// openTime is how long an entry is kept that says nothing of its end.
	openTime = 365 * 24 * time.Hour
)

// encode returns the entry of a revocation. Equal revocations have equal keys,
// whatever the time zone of their times.
func encode(r oidcauth.Revocation) (key string, value []byte, err error) {
	// All that is a time, so that no later one is left out.
	fields := reflect.ValueOf(&r).Elem()
	for i := range fields.NumField() {
		if t, ok := fields.Field(i).Addr().Interface().(*time.Time); ok {
			*t = t.UTC()
		}
	}
	value, err = json.Marshal(r)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:]), value, nil
}

// decode reads an entry. Members that it does not know, of a later version
// perhaps, are ignored: that revokes too much rather than too little.
func decode(value []byte) (oidcauth.Revocation, error) {
	var r oidcauth.Revocation
	err := json.Unmarshal(value, &r)
	return r, err
}

// timeToLive returns how long an entry is kept: zero means for ever.
func timeToLive(until, now time.Time, lateness time.Duration) time.Duration {
	if until.IsZero() {
		until = now.Add(openTime)
	}
	left := max(until.Sub(now), 0)
	// The server counts nanoseconds since 1970 in 64 bits: an end beyond them
	// would lie in the past.
	if left > math.MaxInt64/2-time.Duration(now.UnixNano()/2) {
		return 0
	}
	return max((left + lateness + time.Second - 1).Truncate(time.Second), time.Second)
}

// A natsTime is what a NATS server said of the time, and when.
type natsTime struct {
	said  time.Time
	heard time.Time // with the monotonic clock, which no step of ours changes
}

// noteTime notes what a NATS server says that the time is.
func (l *Log) noteTime(said time.Time) {
	if !said.IsZero() {
		l.natsClock.Store(&natsTime{said: said, heard: time.Now()})
	}
}

// natsNow returns what NATS holds to be now, or the zero time if that is not
// known.
func (l *Log) natsNow() time.Time {
	t := l.natsClock.Load()
	if t == nil {
		return time.Time{}
	}
	return t.said.Add(time.Since(t.heard))
}

// earlier returns the earlier of now and of what NATS holds to be now. A clock of
// ours that is ahead must not shorten the life of an entry for all others.
func (l *Log) earlier(now time.Time) time.Time {
	if theirs := l.natsNow(); !theirs.IsZero() && theirs.Before(now) {
		return theirs
	}
	return now
}
