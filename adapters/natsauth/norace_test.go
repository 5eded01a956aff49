//go:build !race

package natsauth_test

const raceDetector = false
