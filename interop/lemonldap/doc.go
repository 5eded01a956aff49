// Package lemonldap holds tests of the library against a LemonLDAP::NG portal, which
// they start. They run when interop/setup-lemonldap has installed it, and say how to
// get it when not.
package lemonldap
