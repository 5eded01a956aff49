package oidcauth

import "time"

// A claimTime is a time in a third of the room of a [time.Time]: the microseconds
// since the zero time, which is the zero claimTime. Claims are kept by the
// hundred thousand.
type claimTime int64

// zeroTime is the zero [time.Time] in seconds since 1970.
var zeroTime = time.Time{}.Unix()

// claimTimeOf drops what is finer than a microsecond.
func claimTimeOf(sec, nsec int64) claimTime {
	return claimTime((sec-zeroTime)*1e6 + nsec/1e3)
}

// maxClock is how many seconds a clock may be away from 1970, over a hundred
// thousand years: more than any token, and far less than would overflow.
const maxClock = 1 << 42

// claimTimeAt returns the claimTime of a clock's reading.
func claimTimeAt(t time.Time) claimTime {
	return claimTimeOf(min(max(t.Unix(), -maxClock), maxClock), int64(t.Nanosecond()))
}

// plus returns the claimTime that is so much later.
func (i claimTime) plus(d time.Duration) claimTime { return i + claimTime(d.Microseconds()) }

// time returns the claimTime as everybody else knows it.
func (i claimTime) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i) + zeroTime*1e6)
}
