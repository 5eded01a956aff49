// Package simulation has nothing but a test: servers, clients, issuers and a log of
// revocations, all in memory and by the clock of testing/synctest, to which everything
// happens that a seed says, and beside them a model of what each token has to be
// answered with at each instant. docs/simulation.md says what is simulated and how to
// run it.
//
// The model is written apart from the library: it knows what the issuers have
// published, what each server was sent, what was revoked where, and what the clocks
// show, and it asks the library nothing.
package simulation
