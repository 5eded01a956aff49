// Package hydrajwt holds tests of the library against an Ory Hydra whose access tokens
// are JWTs, which they start. They run where Hydra has been built.
package hydrajwt
