// Package spire holds tests of the library against a SPIRE server with its OIDC
// discovery provider, which they start. They run when interop/setup-spire has built
// them, which takes long: interop/run all demands them, and nothing else does.
package spire
