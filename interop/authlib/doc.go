// Package authlib holds tests of the library against an issuer built with
// Authlib, which signs without key IDs. They run when interop/setup has installed
// it, and say how to get it when not.
package authlib
