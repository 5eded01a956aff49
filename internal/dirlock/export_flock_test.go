//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dirlock

// Meaning is what an error of the system's is to those who lock.
var Meaning = meaning
