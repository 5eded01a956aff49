// Package verifiers holds tests that put the tokens which package issuers accepts and
// refuses before the verifiers that the providers publish themselves, on keys of the
// tests' own: README.md has what they found.
package verifiers
