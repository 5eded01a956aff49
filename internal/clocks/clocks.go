// Package clocks compares times by the two clocks that a reading of [time.Now] holds, and
// believes the one that says it is later.
//
// The monotonic clock stands still while a machine sleeps, and the wall clock can be set
// back: what ends by one of them alone would go on for as long. A time that was read from a
// file or a token holds the wall clock's reading alone, and is compared by that.
package clocks

import "time"

// Reached reports whether a time has come.
func Reached(now, t time.Time) bool {
	return !now.Before(t) || !wall(now).Before(wall(t))
}

// Left returns how long it is until a time, zero or less once that has come.
func Left(now, t time.Time) time.Duration {
	return min(t.Sub(now), wall(t).Sub(wall(now)))
}

// Age returns how long ago a time was.
func Age(now, t time.Time) time.Duration {
	return max(now.Sub(t), wall(now).Sub(wall(t)))
}

// wall returns a reading of the wall clock alone.
func wall(t time.Time) time.Time { return t.Round(0) }
