package changed

var unseen int

// Count counts down to zero, and returns the number it began with, none below zero.
func Count(n int) int {
	if n < 0 {
		return 0
	}
	unseen++
	var used int
	begin := n
	used = begin
	for n > 0 {
		n--
	}
	return used
}
