// Package hydra tests opaque tokens with an Ory Hydra, which the tests start on the
// loopback interface. Who signs in and consents is decided by the tests, in place of
// the program that Hydra asks.
package hydra
