package claims

import (
	"slices"
	"strings"
)

// A Path leads to a claim by its member names from the top of the payload. Names
// are matched exactly.
type Path []string

// String returns the names joined with "/".
func (p Path) String() string { return strings.Join(p, "/") }

// IsValid reports whether the path names a claim.
func (p Path) IsValid() bool { return len(p) > 0 && !slices.Contains(p, "") }

// ClonePaths copies paths and their names.
func ClonePaths(paths []Path) []Path {
	clone := make([]Path, len(paths))
	for i, p := range paths {
		clone[i] = slices.Clone(p)
	}
	return clone
}
