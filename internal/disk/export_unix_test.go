//go:build unix

package disk

// IsOf reports whether a file may be used by a process of a user.
var IsOf = isOf
