package policy

import (
	"fmt"
	"time"
)

// CheckDuration refuses a setting that is more than none and less than a millisecond: 3600
// is meant to be an hour, and is 3.6 microseconds.
func CheckDuration(d time.Duration) error {
	if d > 0 && d < time.Millisecond {
		return fmt.Errorf("got %v, want a millisecond at least: a number without unit counts nanoseconds", d)
	}
	return nil
}
