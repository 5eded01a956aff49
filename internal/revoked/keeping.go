package revoked

import (
	"math"
	"time"
)

const (
	// clockSlack is how far a clock may go back without anything being lost: what
	// is over is kept for so much longer.
	clockSlack = time.Minute

	// overKept is how long what was over on arrival is kept: perhaps it is the
	// clock that is wrong.
	overKept = 24 * time.Hour
)

// A keeping says how long something has to be kept that ends at some time. A
// clock that is set ahead makes everything look over, and would be right again a
// moment later; so what ends has ended by the clock and by the time that has
// really passed since it arrived.
type keeping struct {
	until time.Time // by the clock
	least time.Time // for timers: what the clock said when it arrived
}

// keepUntil is for what arrives now and ends at a time.
func keepUntil(until, now time.Time) keeping {
	wait := until.Add(clockSlack).Sub(now)
	if wait <= 0 {
		wait = overKept
	}
	return keeping{until: until.Add(clockSlack), least: time.Now().Add(wait)}
}

// over reports whether it need not be kept any longer, by the clock and by the
// timers' time.
func (k keeping) over(now, mono time.Time) bool {
	return !now.Before(k.until) && !mono.Before(k.least)
}

// A wallClock knows how a clock goes beside the time that timers know, which
// nobody sets. It is a moment, by both.
type wallClock time.Time

// offset returns by how much a clock that says now has run ahead of the timers
// since that moment.
func (c wallClock) offset(now time.Time) time.Duration {
	const most = math.MaxInt64 / 4 // so that differences do not overflow
	moment := time.Time(c)
	ahead := min(max(now.Round(0).Sub(moment.Round(0)), -most), most)
	return ahead - min(time.Since(moment), most)
}
