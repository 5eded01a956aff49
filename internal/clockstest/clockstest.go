// Package clockstest makes readings of the clocks as they are after a machine's sleep, or
// after somebody set a clock.
package clockstest

import (
	"fmt"
	"time"
	"unsafe"
)

// Move returns a reading that is so much later by the wall clock and so much by the
// monotonic one, as no two readings in one test are. It panics if t, a reading of
// [time.Now], has no monotonic clock.
func Move(t time.Time, wall, monotonic time.Duration) time.Time {
	moved := t.Add(wall)
	// The second word of a time is the reading of the clock that nobody sets.
	*(*time.Duration)(unsafe.Add(unsafe.Pointer(&moved), 8)) += monotonic - wall
	if moved.Sub(t) != monotonic || !moved.Round(0).Equal(t.Round(0).Add(wall)) {
		panic(fmt.Sprintf("clockstest: %v has no monotonic clock that could be moved", t))
	}
	return moved
}
