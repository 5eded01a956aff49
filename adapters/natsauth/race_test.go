//go:build race

package natsauth_test

// The race detector follows 8,128 goroutines at most.
const raceDetector = true
