package claims

import "time"

// A Time is a time in a third of the memory of a [time.Time]: the microseconds
// since the zero time, which is the zero Time.
type Time int64

// zeroTime is the zero [time.Time] in seconds since 1970.
var zeroTime = time.Time{}.Unix()

// timeOf drops what is finer than a microsecond.
func timeOf(sec, nsec int64) Time {
	return Time((sec-zeroTime)*1e6 + nsec/1e3)
}

// maxClock is how many seconds a clock may be away from 1970, over a hundred
// thousand years: more than any token, and far less than would overflow.
const maxClock = 1 << 42

// At returns the Time of a clock's reading.
func At(t time.Time) Time {
	return timeOf(min(max(t.Unix(), -maxClock), maxClock), int64(t.Nanosecond()))
}

// Plus returns the Time that is so much later.
func (t Time) Plus(d time.Duration) Time { return t + Time(d.Microseconds()) }

// Time returns t as everybody else knows it.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t) + zeroTime*1e6)
}
