// Package glewlwyd holds tests of the library against a Glewlwyd server, which they
// start. They run when interop/setup-glewlwyd has installed it: interop/run all demands
// it, and nothing else does.
package glewlwyd
