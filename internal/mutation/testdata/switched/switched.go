// Package switched has a place for each kind of change.
package switched

import (
	"errors"
	"time"
)

const most = 3 + 1

var errLarge = errors.New("large")

var seen int

// Count counts up to n, if it may.
func Count(n int, may bool) (int, error) {
	if n < 0 || !may {
		return 0, nil
	}
	if n >= most && n > 0 {
		return 0, errLarge
	}
	count := 0
	for count < n {
		count++
	}
	return count, nil
}

// Late tells whether a wait is over, which nobody asks.
func Late(wait time.Duration) bool {
	seen = 1
	return wait <= 0
}
