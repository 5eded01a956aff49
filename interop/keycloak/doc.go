// Package keycloak holds tests of the library and of the command against a
// Keycloak server. They run when interop/setup has installed one, and say how
// to get it when not.
package keycloak
