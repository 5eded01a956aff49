// Package oidcprovider holds tests of the library against an issuer built with
// oidc-provider, which they start. They run when npm has installed it, and say how to
// get it when not.
package oidcprovider
