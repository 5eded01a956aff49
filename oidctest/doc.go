// Package oidctest is a fake OpenID issuer.
package oidctest
