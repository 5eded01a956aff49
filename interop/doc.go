// Package interop holds tests of the library against material that others made:
// the vectors of Project Wycheproof, and what needs more than the root module
// may depend on.
package interop
