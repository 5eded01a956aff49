package strangers

import "time"

// budget allows something so many times a second, and so many times at once
// after a pause.
type budget struct {
	rate, burst float64
	left        float64
	at          time.Time
}

func newBudget(rate, burst float64) budget { return budget{rate: rate, burst: burst, left: burst} }

// wait returns how long there will be nothing left; zero means now.
func (b *budget) wait(now time.Time) time.Duration {
	if !b.at.IsZero() {
		b.left = min(b.burst, b.left+b.rate*max(0, now.Sub(b.at).Seconds()))
	}
	b.at = now
	if b.left >= 1-1e-6 { // what rounding has taken is not worth a wait
		return 0
	}
	return max(time.Duration((1-b.left)/b.rate*float64(time.Second)), 1)
}

// take uses up one of what wait has found.
func (b *budget) take() { b.left-- }

// full reports whether a pause would add nothing.
func (b *budget) full(now time.Time) bool {
	b.wait(now)
	return b.left == b.burst
}
