// Package spring holds tests of the library against a Spring Authorization Server,
// which they start. They run when interop/setup-spring has built it, and say how to
// get it when not.
package spring
