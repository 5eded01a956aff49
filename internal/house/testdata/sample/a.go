// Package sample is measured by a test.
package sample

// Face has two exported fields and one that is not.
type Face struct {
	One, Two int
	three    int
}

// Method counts as a name; hidden does not.
func (f Face) Method() int { return helper(f) }

func (f Face) hidden() int { return f.three }
