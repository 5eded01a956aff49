package sample

// Long refers to another file and nobody refers to it.
func Long() int {
	n := Value
	n++
	return n
}

// Alias counts as one name, whatever it stands for.
type Alias = Face
