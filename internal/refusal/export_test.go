package refusal

import "slices"

// Table returns an entry for every sentinel.
func Table() []Entry { return slices.Clone(table[:]) }
