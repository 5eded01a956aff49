package sample

// Doer counts, and so does its method.
type Doer interface{ Do() }

// Limit, Value and Other count.
const Limit = 1

// Value and Other are variables.
var Value, Other = Limit, Face{}.hidden()

func helper(f Face) int { return f.One }
