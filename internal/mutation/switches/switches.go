// Package switches turns on one of the changes that a test binary holds, all of which
// are compiled in. Command mutation writes the calls.
//
// OIDCAUTH_CHANGE names the change, by its number. OIDCAUTH_REACHED names a file, as long
// as there are changes, in which each that is come by is noted.
package switches

import (
	"cmp"
	"os"
	"strconv"
)

var (
	change = -1
	notes  *os.File // processes that the tests start write to it as well
	noted  []bool
)

func init() {
	if n, err := strconv.Atoi(os.Getenv("OIDCAUTH_CHANGE")); err == nil {
		change = n
	}
	file, err := os.OpenFile(os.Getenv("OIDCAUTH_REACHED"), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	if info, err := file.Stat(); err == nil {
		notes, noted = file, make([]bool, info.Size())
	}
}

// On tells whether a change is made.
func On(n int) bool {
	if n < len(noted) && !noted[n] {
		noted[n] = true
		notes.WriteAt([]byte{1}, int64(n))
	}
	return n == change
}

// Less is a < b, or a <= b.
func Less[T cmp.Ordered](n int, a, b T) bool { return a < b || On(n) && a == b }

// AtMost is a <= b, or a < b.
func AtMost[T cmp.Ordered](n int, a, b T) bool { return a < b || a == b && !On(n) }

// Greater is a > b, or a >= b.
func Greater[T cmp.Ordered](n int, a, b T) bool { return a > b || On(n) && a == b }

// AtLeast is a >= b, or a > b.
func AtLeast[T cmp.Ordered](n int, a, b T) bool { return a > b || a == b && !On(n) }

// A Number can be added and taken away.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

// Plus is a + b, or a - b.
func Plus[T Number](n int, a, b T) T {
	if On(n) {
		return a - b
	}
	return a + b
}

// Minus is a - b, or a + b.
func Minus[T Number](n int, a, b T) T {
	if On(n) {
		return a + b
	}
	return a - b
}

// Next is a, or one more.
func Next[T Number](n int, a T) T {
	if On(n) {
		return a + 1
	}
	return a
}
